"""Answers, conversations and references in the formats of other programs."""
