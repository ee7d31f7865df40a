"""Whether the records that were found answer the question at all."""

from __future__ import annotations

from collections.abc import Sequence

from index.search import OpenBuild
from index.types import Passage

ANSWER_THRESHOLD = 0.5


def estimate_answerable(query: str, passages: Sequence[Passage], build: OpenBuild) -> float:
    """0..1"""
    if not passages:
        return 0.0
    return 1.0
