"""What a word that no record holds may have been meant to be."""

from __future__ import annotations

from collections.abc import Sequence

MIN_CHARS = 5
TWO_ERRORS_CHARS = 9
MAX_CORRECTIONS = 3
# A word is compared with those that begin like it; most slips are further in.
SAME_BEGINNING = 2


def nearest_words(word: str, known: Sequence[str]) -> list[str]:
    """The known words nearest to `word` in slips, earlier ones first; none where all are too far.

    A slip is a letter too many, missing or wrong, or two that changed places. One is allowed in words of five letters,
    two in words of nine; shorter words and those with digits have too many neighbours.
    """
    if len(word) < MIN_CHARS or not word.isalpha():
        return []
    limit = 2 if len(word) >= TWO_ERRORS_CHARS else 1
    slips = {other: count_slips(word, other, limit) for other in known if abs(len(other) - len(word)) <= limit}
    fewest = min(slips.values(), default=limit + 1)
    return [other for other, count in slips.items() if count == fewest <= limit][:MAX_CORRECTIONS]


def count_slips(one: str, other: str, limit: int) -> int:
    """The slips between two words (optimal string alignment distance); any number above `limit` means more."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, start=1):
        current = [row]
        for column, other_letter in enumerate(other, start=1):
            steps = min(last[column] + 1, current[-1] + 1, last[column - 1] + (letter != other_letter))
            if row > 1 and column > 1 and letter == other[column - 2] and other_letter == one[row - 2]:
                steps = min(steps, before[column - 2] + 1)
            current.append(steps)
        if min(current) > limit:
            return limit + 1
        before, last = last, current
    return last[-1]
