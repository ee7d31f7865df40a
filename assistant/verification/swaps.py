"""Swapped values: figures and words with an opposite whose adjacent words differ between a claim and its source.

A claim may contain every figure of its source and still be wrong: from 39 to 45 is not from 45 to 39.
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

# Function words that still say which figure is meant.
_INFORMATIVE = frozenset({"from", "to", "/", "x", "-", "±"})
MAX_UNIT_CHARS = 3
_TIMES = frozenset({"sec", "min", "h", "day", "week", "month", "year", "days", "weeks", "months", "years", "hours"})
_BEFORE = re.compile(r"([a-z]+|[-/±])\s*\(?$")
_AFTER = re.compile(r"(?: per \w+)*\s*(?:of )?([a-z]+|[-/±])")
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[a-z]+|[.,;:]")


class Context(NamedTuple):
    """An adjacent word and its side, for a value of some kind: a figure of a unit, or a word of a line of opposites."""

    kind: str
    side: str
    word: str


def find_swapped(claim: str, source: str) -> str | None:
    """The value that a claim has where its source has another, as a reason to show, or None.

    The two are compared where the same word is adjacent to both, on the same side.
    """
    known = _find_contexts(source)
    for context, values in _find_contexts(claim).items():
        if context in known and not values <= known[context]:
            value, meant = min(values - known[context]), min(known[context])
            return f"{value} is {context.side} “{context.word}”, where the cited sentence has {meant}"
    return None


@lru_cache(maxsize=1_024)
def _find_contexts(text: str) -> dict[Context, set[str]]:
    """The values next to each word."""
    normal = in_digits(text)
    found: dict[Context, set[str]] = defaultdict(set)
    for context, value in [*_figure_contexts(normal), *_opposite_contexts(normal)]:
        found[context].add(value)
    return dict(found)


def _figure_contexts(text: str) -> Iterator[tuple[Context, str]]:
    for (number, unit), start, end in place_figures(text):
        before, after = _BEFORE.search(text[:start]), _AFTER.match(text[end:])
        if before and (word := _normalise_context(before[1])):
            yield Context(f"figure {unit}", "after", word), number
        # A short word after a number may be a unit that is not in the list.
        if after and (word := _normalise_context(after[1])) and (unit or len(word) > MAX_UNIT_CHARS):
            yield Context(f"figure {unit}", "before", word), number


def _opposite_contexts(text: str) -> Iterator[tuple[Context, str]]:
    tokens = _TOKEN.findall(text)
    for number, groups in enumerate(opposite_groups()):
        for group in groups:
            for at in (at for at, token in enumerate(tokens) if token in group):
                if at and (word := _normalise_context(tokens[at - 1])):
                    yield Context(f"opposites {number}", "after", word), min(group)
                if at + 1 < len(tokens) and (word := _normalise_context(tokens[at + 1])):
                    yield Context(f"opposites {number}", "before", word), min(group)


def _normalise_context(word: str) -> str | None:
    """The word as it is compared, or None if it says nothing about which value is meant."""
    if word in _INFORMATIVE:
        return word
    return None if word in _TIMES else next(iter(analyse(word)), None)
