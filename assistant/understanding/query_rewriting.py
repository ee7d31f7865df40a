"""A follow-up and what was asked before to one query that can be searched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from assistant.types import Turn
from index.errors import WrongUseError
from index.text.cleaning import clean_text
from index.text.terms import analyse, background_frequency

MAX_QUESTION_CHARS = 2_000
# A question with fewer words of its own than this cannot name a case, unless one of them is rare.
FEW_TERMS = 4
RARE_IN_A_THOUSAND = 2
# Nor can one with fewer than this, where a case is at hand, unless two of its words are unusual and not the case's: of
# 9,499 questions that name their case, 20 are so short and have no rare word (docs/log.md).
NAMING_TERMS = 6
UNUSUAL_IN_A_THOUSAND = 5
# A longer question with so many rare words that the case at hand lacks names another, whatever its pronouns say.
FOREIGN_TERMS = 2

_REFERS_BACK = re.compile(
    r"^(and|but|so|what about|how about|then)\b"
    r"|\b(he|she|him|his|her|hers|they|them|their|it|its|this|that|these|those|same|one|ones|there|then)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"^[^“\n]*“([^”\n]+)”", re.MULTILINE)
_MARK = re.compile(r"\\?\[\d+\\?\]")


def check_question(question: str) -> str:
    """The question without surrounding white space, and without characters that only harm or deceive.

    Raises:
        WrongUseError: it is empty, too long, or no text.
    """
    if not isinstance(question, str):
        raise WrongUseError(f"the question must be text, is {type(question).__name__}", remedy="pass a str")
    question = clean_text(question).strip()
    if not any(map(str.isalnum, question)):
        raise WrongUseError("the question is empty", remedy="ask for something a case report could say")
    if len(question) > MAX_QUESTION_CHARS:
        raise WrongUseError(
            f"the question has {len(question):,} characters, at most {MAX_QUESTION_CHARS:,} are read",
            remedy="ask a shorter question",
        )
    return question


def read_history(history: Iterable[Turn | Mapping[str, Any]]) -> tuple[Turn, ...]:
    """A conversation as turns, from turns or from mappings with `role` and `content`.

    Raises:
        WrongUseError: an entry is neither.
    """
    turns = []
    for entry in history:
        if isinstance(entry, Turn):
            turns.append(replace(entry, content=clean_text(entry.content)))
        elif isinstance(entry, Mapping) and entry.get("role") in ("user", "assistant"):
            turns.append(Turn(role=entry["role"], content=clean_text(str(entry.get("content", "")))))
        else:
            raise WrongUseError(
                f"a turn of the history is {entry!r:.80}",
                remedy='pass {"role": "user" or "assistant", "content": text}',
            )
    return tuple(turns)


class StandaloneQuery(NamedTuple):
    """A question that can be searched by itself, and whether it had to be completed from the conversation."""

    text: str
    is_follow_up: bool


def condense(question: str, history: tuple[Turn, ...], case: str = "") -> StandaloneQuery:
    """The query of a question: a follow-up is searched together with the question that named the case.

    A question that refers back, or has few words of its own and no rare one, is joined to the one before it, and that
    one likewise, so that a chain of follow-ups keeps the case. `case` is the text of the case that was spoken of, where
    it is known: its rare words do not name another.
    """
    asked = [turn.content[:MAX_QUESTION_CHARS] for turn in history if turn.role == "user" and turn.content.strip()]
    known = set(analyse(case))
    parts = [question]
    while asked and _is_incomplete(parts[0], known):
        parts.insert(0, asked.pop())
    return StandaloneQuery(" ".join(dict.fromkeys([parts[0], question])), len(parts) > 1)


def first_statement(history: tuple[Turn, ...]) -> tuple[str, bool]:
    """What the last answer quotes first, else its first line that cites; and whether it is a quote."""
    last = next((turn.content for turn in reversed(history) if turn.role == "assistant"), "")
    if quoted := _QUOTED.search(last):
        return quoted[1], True
    cited = (line[: mark.start()].rstrip() for line in last.split("\n") for mark in _MARK.finditer(line))
    return next(filter(None, cited), ""), False


def refers_back(text: str) -> bool:
    """Whether a text has a word that stands for something said before."""
    return bool(_REFERS_BACK.search(text))


def _is_incomplete(question: str, known: set[str]) -> bool:
    terms = set(analyse(question))
    frequencies = [background_frequency(term) for term in terms - known]
    rare = sum(frequency <= RARE_IN_A_THOUSAND for frequency in frequencies)
    unusual = sum(frequency <= UNUSUAL_IN_A_THOUSAND for frequency in frequencies)
    if refers_back(question):
        return len(terms) < NAMING_TERMS or rare < FOREIGN_TERMS
    if known and unusual < FOREIGN_TERMS:
        return len(terms) < NAMING_TERMS and not rare
    return len(terms) < FEW_TERMS and not rare
