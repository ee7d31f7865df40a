"""The assistant for other programs and the server they reach it through: endpoints, MCP, LangChain, limits, logs."""
