"""Trains the reader (`assistant.reader`). The product never imports this; see README.md."""
