"""References to records: BibTeX, RIS, CSL-JSON and the styles of medical journals."""

from __future__ import annotations

from assistant.references.bibtex import to_bibtex
from assistant.references.csl import to_csl_json
from assistant.references.ris import to_ris
from assistant.references.styles import format_references

__all__ = ["format_references", "to_bibtex", "to_csl_json", "to_ris"]
