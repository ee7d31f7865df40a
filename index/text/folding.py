"""Comparing text as a reader would: case, width, accents and white space folded."""

from __future__ import annotations

import unicodedata


def fold_text(text: str) -> str:
    """The text in one form for comparison: NFKC, case folded, white space as single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
