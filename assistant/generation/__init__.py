"""The answer as a draft: quotes, or what a chat model writes."""
