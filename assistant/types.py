"""The data model of questions and evidence: turns, evidence, citations and claims.

Offsets are half-open and count characters of the record's abstract, or of its title where `field` is "title".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from index.types import Record

QuotedField = Literal["abstract", "title"]
AnswerKind = Literal["fact", "list"]
"""What is asked for: what one case says, or which reports there are on a topic."""
Place = tuple[str, QuotedField, int, int]
"""A span of a record: the record's id, the field, start and end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message of a conversation; `record_ids` are the records that an answer cites, in the order of first use."""

    role: Literal["user", "assistant"]
    content: str
    record_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A sentence of a record that may be cited: `quote` is `abstract[start:end]` (or `title[start:end]`).

    `key` is what a chat model writes to cite it. `score` is higher for better, comparable within one question only.
    """

    key: str
    record: Record
    field: QuotedField
    start: int
    end: int
    quote: str
    section: str | None
    score: float

    @property
    def place(self) -> Place:
        """The position of the sentence: equal for two pieces of evidence that are the same sentence."""
        return (self.record.record_id, self.field, self.start, self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A sentence that an answer is based on; numbers start at 1, in the order of first use."""

    number: int
    record: Record
    field: QuotedField
    start: int
    end: int
    quote: str
    url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One statement of an answer with the numbers of its citations.

    `supported` says whether the cited sentences state it, `why` the reason. Only supported claims are shown.
    """

    text: str
    citations: tuple[int, ...]
    supported: bool
    why: str
