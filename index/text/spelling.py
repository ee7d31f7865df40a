"""Spelling correction: the indexed terms most similar to a term that no record contains."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz.distance import OSA

MIN_CHARS = 5
TWO_ERRORS_CHARS = 9
MAX_CORRECTIONS = 3
PREFIX_CHARS = 2  # of a word and its candidates are equal; most typing errors come later in a word


def nearest_words(word: str, known: Sequence[str]) -> list[str]:
    """The known words with the smallest edit distance to `word`, in the order given; none if all are too far.

    The distance (optimal string alignment) counts a letter inserted, deleted or replaced, or two neighbours swapped.
    Words of five letters may differ by one, words of nine by two; shorter words and words with digits have too many
    similar ones.
    """
    if len(word) < MIN_CHARS or not word.isalpha():
        return []
    limit = 2 if len(word) >= TWO_ERRORS_CHARS else 1
    distances = {other: OSA.distance(word, other, score_cutoff=limit) for other in known}
    fewest = min(distances.values(), default=limit + 1)
    return [other for other, distance in distances.items() if distance == fewest <= limit][:MAX_CORRECTIONS]
