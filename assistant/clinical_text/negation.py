"""What a sentence affirms and what it denies, word by word, by the words around them as NegEx does.

After W. W. Chapman et al., "A simple algorithm for identifying negated findings and diseases in discharge summaries",
Journal of Biomedical Informatics 34 (2001), 301-310.
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
# Here another statement begins.
_END = re.compile(
    r"[.;:!?()]|but|however|although|though|except|which|who|whom|while|whereas|because|since"
    r"|during|after|before|when|until|following|despite|under"
)
_JOINING = frozenset({",", "and", "or"})
_TOKEN = re.compile(r"[\w'’-]+|[.,;:!?()]")


def read_polarities(text: str) -> dict[str, frozenset[bool]]:
    """The analysed terms of a text, each with whether it is affirmed (True), denied (False) or, somewhere, either.

    What follows a comma or an "and" in the reach of a denial may be denied too or not, so it counts as both.
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


def drops_denial(claim: str, source: str) -> bool:
    """Whether two words follow one another in the claim between which the source denies, and nowhere else there."""
    said, known = _pairs(claim), _pairs(source)
    tokens = _TOKEN.findall(source.lower())
    denied = {
        (before, after)
        for before, cue, after in zip(tokens, tokens[1:], tokens[2:], strict=False)
        if _CUE.fullmatch(cue)
    }
    return bool((said & denied) - known)


def _pairs(text: str) -> set[tuple[str, str]]:
    return set(pairwise(_TOKEN.findall(text.lower())))


def count_denials(text: str) -> int:
    """How often a text denies something."""
    return sum(bool(_CUE.fullmatch(token)) for token in _TOKEN.findall(text.lower().replace("’", "'")))


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
