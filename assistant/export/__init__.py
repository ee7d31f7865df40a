"""Conversations as Markdown and Word documents."""
