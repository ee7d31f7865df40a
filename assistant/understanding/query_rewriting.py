"""Query rewriting: a follow-up and the question before it to one query that can be searched alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from assistant.types import Turn
from index.text.terms import analyse, background_frequency

MAX_QUESTION_CHARS = 2_000
# A question with fewer terms than this cannot name a case, unless one of them is rare: in at most NAMING_FREQUENCY of
# a thousand abstracts.
FEW_TERMS = 4
NAMING_FREQUENCY = 2
# With a case in mind, nor can one with fewer than this, unless two of its terms are unusual and not in the case. Of
# 9,499 questions that name their case, 20 are so short and have no rare term (docs/experiments/follow-ups.md, "What
# makes a follow-up").
NAMING_TERMS = 6
UNUSUAL_FREQUENCY = 5
# A longer question with this many rare terms that the case lacks names another case, whatever its pronouns.
FOREIGN_TERMS = 2

_REFERS_BACK = re.compile(
    r"^(and|but|so|what about|how about|then)\b"
    r"|\b(he|she|him|his|her|hers|they|them|their|it|its|this|that|these|those|same|one|ones|there|then)\b",
    re.IGNORECASE,
)


class StandaloneQuery(NamedTuple):
    """A query that can be searched alone, and whether it was completed from the conversation."""

    text: str
    is_follow_up: bool


def condense(question: str, history: Sequence[Turn], case: str = "") -> StandaloneQuery:
    """The query of a question; a follow-up is searched together with the question that named the case.

    A question that refers back, or has few terms and no rare one, is joined to the one before it, and so on, so that a
    chain of follow-ups keeps the case. `case` is the text of the case in mind, if known: its rare terms name no other.
    """
    asked = [turn.content[:MAX_QUESTION_CHARS] for turn in history if turn.role == "user" and turn.content.strip()]
    known = set(analyse(case))
    parts = [question]
    while asked and _is_incomplete(parts[0], known):
        parts.insert(0, asked.pop())
    return StandaloneQuery(" ".join(dict.fromkeys([parts[0], question])), len(parts) > 1)


def refers_back(text: str) -> bool:
    """Whether a text has a word that refers to something said before."""
    return bool(_REFERS_BACK.search(text))


def _is_incomplete(question: str, known: set[str]) -> bool:
    terms = set(analyse(question))
    frequencies = [background_frequency(term) for term in terms - known]
    rare = sum(frequency <= NAMING_FREQUENCY for frequency in frequencies)
    unusual = sum(frequency <= UNUSUAL_FREQUENCY for frequency in frequencies)
    if refers_back(question):
        return len(terms) < NAMING_TERMS or rare < FOREIGN_TERMS
    if known and unusual < FOREIGN_TERMS:
        return len(terms) < NAMING_TERMS and not rare
    return len(terms) < FEW_TERMS and not rare
