"""Hybrid search over an index."""
