"""Trains the reader (`assistant.reading`). The product never imports this; see README.md."""
