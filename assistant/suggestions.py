"""What to ask next: follow-ups that the case at hand answers, and what to try where nothing was found."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.types import Answer
from index.search import OpenBuild
from index.types import Record

MAX_SUGGESTIONS = 3
MAX_NEAREST = 3
MAX_REWORDINGS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a question has no answer.

    `unknown_words` are those of the question that stand in no record, as they were written. `nearest` are the records
    that were looked at, best first. `rewordings` are questions to try instead; they need not have an answer either.
    """

    unknown_words: tuple[str, ...]
    nearest: tuple[Record, ...]
    rewordings: tuple[str, ...]


def suggest_questions(answer: Answer) -> tuple[str, ...]:
    """Up to three follow-ups, each of which the cited records answer in a sentence that the answer does not quote."""
    return ()


def explain_refusal(answer: Answer, build: OpenBuild) -> Refusal:
    """What was looked for in vain, the nearest records, and what to ask instead.

    Of an answer with status `insufficient_evidence`; `build` is what it was searched in.
    """
    return Refusal(unknown_words=(), nearest=(), rewordings=())
