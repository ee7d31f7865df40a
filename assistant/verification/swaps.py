"""Whether figures and words with an opposite stand beside the same words in a claim as in its source.

A claim may hold every figure of its source and still be wrong: from 39 to 45 is not from 45 to 39.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from assistant.clinical_text.negation import opposite_groups
from assistant.clinical_text.quantities import in_digits, place_figures
from index.text.terms import analyse

# Words that tell which figure is meant although they tell nothing else.
_TELLING = frozenset({"from", "to", "/", "x", "-", "±"})
MAX_UNIT_CHARS = 3
_TIMES = frozenset({"sec", "min", "h", "day", "week", "month", "year", "days", "weeks", "months", "years", "hours"})
_BEFORE = re.compile(r"([a-z]+|[-/±])\s*\(?$")
_AFTER = re.compile(r"(?: per \w+)*\s*(?:of )?([a-z]+|[-/±])")
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[a-z]+|[.,;:]")


class Beside(NamedTuple):
    """Beside what something stands: a figure of some unit, or a word of some line of opposites."""

    kind: str
    side: str
    word: str


def find_exchanged(claim: str, source: str) -> str | None:
    """What stands in the place of something else in a claim, as a reason to show, or None.

    It is found where the same word stands beside both, on the same side.
    """
    known = _read_beside(source)
    for beside, values in _read_beside(claim).items():
        if beside in known and not values <= known[beside]:
            value, meant = min(values - known[beside]), min(known[beside])
            return f"{value} stands {beside.side} “{beside.word}”, where the cited sentence has {meant}"
    return None


@lru_cache(maxsize=1_024)
def _read_beside(text: str) -> dict[Beside, set[str]]:
    """What stands beside each word."""
    normal = in_digits(text)
    found: dict[Beside, set[str]] = defaultdict(set)
    for beside, value in [*_beside_figures(normal), *_beside_opposites(normal)]:
        found[beside].add(value)
    return dict(found)


def _beside_figures(text: str) -> Iterator[tuple[Beside, str]]:
    for (number, unit), start, end in place_figures(text):
        before, after = _BEFORE.search(text[:start]), _AFTER.match(text[end:])
        if before and (word := _telling(before[1])):
            yield Beside(f"figure {unit}", "after", word), number
        # Without a unit that is known, a short word after a number may be one.
        if after and (word := _telling(after[1])) and (unit or len(word) > MAX_UNIT_CHARS):
            yield Beside(f"figure {unit}", "before", word), number


def _beside_opposites(text: str) -> Iterator[tuple[Beside, str]]:
    tokens = _TOKEN.findall(text)
    for number, groups in enumerate(opposite_groups()):
        for group in groups:
            for at in (at for at, token in enumerate(tokens) if token in group):
                if at and (word := _telling(tokens[at - 1])):
                    yield Beside(f"opposites {number}", "after", word), min(group)
                if at + 1 < len(tokens) and (word := _telling(tokens[at + 1])):
                    yield Beside(f"opposites {number}", "before", word), min(group)


def _telling(word: str) -> str | None:
    """The word in the form in which it is compared, or None where it could stand beside anything."""
    if word in _TELLING:
        return word
    return None if word in _TIMES else next(iter(analyse(word)), None)
