"""Weighted term coverage: how much of what a question asks about a text or a record holds."""

from __future__ import annotations

import re
from collections.abc import Mapping

from index.text.terms import analyse
from index.types import Record

_SPECIES = re.compile(r"\b(?=([a-z]{4,})\s+([a-z]{4,})\b)", re.IGNORECASE)


def term_coverage(weights: Mapping[str, float], text: str) -> float:
    """The share of the weight of analysed terms whose terms a text contains, 0 to 1."""
    present = set(analyse(text))
    return sum(weight for term, weight in weights.items() if term in present) / (sum(weights.values()) or 1.0)


def record_coverage(query: str, weights: Mapping[str, float], record: Record) -> float:
    """`term_coverage` of a query by a record, in which "P. multocida" names "Pasteurella multocida" too."""
    genera = [
        genus
        for genus, epithet in _SPECIES.findall(query)
        if re.search(rf"\b{genus[0]}\.\s?{epithet}\b", record.text, re.IGNORECASE)
    ]
    return term_coverage(weights, " ".join([record.text, *genera]))
