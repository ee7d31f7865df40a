"""Words that a claim must not put in each other's place: increase and decrease, left and right, mild and severe.

A line of the file that begins with an asterisk is of words that fair paraphrases exchange ("three weeks before", "three
weeks after starting"): they count only where both stand beside the same word.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

_ONLY_BESIDE = "* "


@cache
def opposite_groups() -> list[list[frozenset[str]]]:
    """Lines of groups: words of one group mean the same, those of another group of the line the opposite."""
    return [_read_groups(line) for line in _lines()]


@cache
def pair_opposites() -> list[tuple[frozenset[str], frozenset[str]]]:
    """Each group of words, and all words that are the opposite of them wherever they stand."""
    lines = [_read_groups(line) for line in _lines() if not line.startswith(_ONLY_BESIDE)]
    return [(group, frozenset().union(*groups) - group) for groups in lines for group in groups]


def _read_groups(line: str) -> list[frozenset[str]]:
    return [frozenset(group.split()) for group in line.removeprefix(_ONLY_BESIDE).split("|")]


def _lines() -> list[str]:
    return files("assistant.clinical_text").joinpath("opposites.txt").read_text("utf-8").splitlines()
