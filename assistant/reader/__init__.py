"""The reader: one model that says which record answers a question, and which of its sentences."""

from assistant.reader.model import Reader, Reading, load_reader
from assistant.reader.rows import Report

__all__ = ["Reader", "Reading", "Report", "load_reader"]
