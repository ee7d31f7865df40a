"""The assistant for other programs: endpoints, MCP, LangChain, and the server's limits, monitoring and logs."""
