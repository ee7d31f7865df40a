"""Negation: the terms of a sentence that are affirmed or negated, and words of opposite meaning.

The scope of a negation follows NegEx: W. W. Chapman et al., "A simple algorithm for identifying negated findings and
diseases in discharge summaries", Journal of Biomedical Informatics 34 (2001), 301-310.
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache
from importlib.resources import files
from itertools import pairwise

from index.text.terms import analyse

SCOPE_WORDS = 6
_CUE = re.compile(
    r"no|not|never|without|none|neither|nor|cannot|den(?:y|ied|ies|ying)|absen(?:t|ce)|lack(?:s|ed|ing)?"
    r"|fail(?:s|ed)?|unable|\w+n't"
)
# Ends the scope of a negation.
_END = re.compile(
    r"[.;:!?()]|but|however|although|though|except|which|who|whom|while|whereas|because|since"
    r"|during|after|before|when|until|following|despite|under"
)
_JOINING = frozenset({",", "and", "or"})
_TOKEN = re.compile(r"[\w'’-]+|[.,;:!?()]")
# Marks a line of the file whose words are opposites only next to the same word.
_ONLY_ADJACENT = "* "


def read_polarities(text: str) -> dict[str, frozenset[bool]]:
    """The analysed terms of a text, each with the polarities of its occurrences: True is affirmed, False negated.

    In the scope of a negation, what follows a comma or an "and" may be negated or not, so it has both.
    """
    polarities: dict[str, set[bool]] = defaultdict(set)
    left, is_list = 0, False
    for token in _TOKEN.findall(text.lower().replace("’", "'")):
        if _END.fullmatch(token):
            left = 0
        elif token in _JOINING:
            is_list = left > 0
        else:
            for term in analyse(token):
                polarities[term] |= ({False, True} if is_list else {False}) if left else {True}
            left, is_list = (SCOPE_WORDS, False) if _CUE.fullmatch(token) else (max(0, left - 1), is_list)
    return {term: frozenset(found) for term, found in polarities.items()}


def count_denials(text: str) -> int:
    """The number of negations in a text."""
    return sum(bool(_CUE.fullmatch(token)) for token in _TOKEN.findall(text.lower().replace("’", "'")))


def drops_denial(claim: str, source: str) -> bool:
    """Whether two words are adjacent in the claim that the source has only with a negation between them."""
    tokens = _TOKEN.findall(source.lower())
    negated = {
        (before, after)
        for before, cue, after in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if _CUE.fullmatch(cue)
    }
    return not negated.isdisjoint(set(pairwise(_TOKEN.findall(claim.lower()))) - set(pairwise(tokens)))


@cache
def opposite_groups() -> list[list[frozenset[str]]]:
    """Lines of groups: the words of one group are synonyms, those of another group of the line are opposites."""
    return [_parse_groups(line) for line in _read_lines()]


@cache
def pair_opposites() -> list[tuple[frozenset[str], frozenset[str]]]:
    """Each group of words with its opposites, without those that are opposites only next to the same word."""
    lines = [_parse_groups(line) for line in _read_lines() if not line.startswith(_ONLY_ADJACENT)]
    return [(group, frozenset().union(*groups) - group) for groups in lines for group in groups]


def _parse_groups(line: str) -> list[frozenset[str]]:
    return [frozenset(group.split()) for group in line.removeprefix(_ONLY_ADJACENT).split("|")]


def _read_lines() -> list[str]:
    return files("assistant.clinical_text").joinpath("opposites.txt").read_text("utf-8").splitlines()
