"""References to records in the formats of other programs."""

from __future__ import annotations

from assistant.export.bibtex import to_bibtex
from assistant.export.csl import to_csl_json
from assistant.export.ris import to_ris
from assistant.export.styles import format_references

__all__ = ["format_references", "to_bibtex", "to_csl_json", "to_ris"]
