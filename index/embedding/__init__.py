"""Embeds texts as vectors."""
