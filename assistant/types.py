"""The data model of answers: evidence, citations, claims and the answer itself.

Offsets are half-open and count characters of the record's abstract, or of its title where `field` is "title".
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from index.types import Record

Status = Literal["answered", "partial", "insufficient_evidence"]
Mode = Literal["extractive", "generative"]
QuotedField = Literal["abstract", "title"]
Place = tuple[str, QuotedField, int, int]
"""A span of a record: the record's id, the field, start and end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One message of a conversation."""

    role: Literal["user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A sentence of a record that may be cited: `quote` is `abstract[start:end]` (or `title[start:end]`).

    `key` is what a chat model writes to cite it. `score` is higher for better, and comparable within one question.
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
        """Where the sentence stands: the same for two pieces of evidence that are one sentence."""
        return (self.record.record_id, self.field, self.start, self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A sentence that an answer rests on; numbers start at 1, in the order of first use."""

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

    `supported` says whether the cited sentences state it, `why` how that was found. Only supported claims are shown.
    """

    text: str
    citations: tuple[int, ...]
    supported: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer: every `[n]` in `text` is a citation, and every citation stands in `text`.

    `status` is `answered`, `partial` (a chat model's statement was not supported and is left out) or
    `insufficient_evidence` (then there are no citations). `mode` is `generative` where a chat model wrote any of the
    text; what it wrote and was left out is in `claims`, not supported. `query` is what was searched. `evidence` is what
    the answer was chosen from. `confidence` is the gate's probability that the records answer the question.
    `timings_ms` has the steps, and from the question on `first_piece` (the model's first word), `first_text` (the first
    checked claim) and `total`. `index_id` and `settings_id` name the build and the settings, so that an answer can be
    made again.
    """

    question: str
    query: str
    text: str
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    evidence: tuple[Evidence, ...]
    status: Status
    confidence: float
    mode: Mode
    model: str | None
    index_id: str
    settings_id: str
    timings_ms: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON types."""
        return asdict(self)

    def to_json(self) -> str:
        """`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def to_text(self) -> str:
        """The answer with its numbered references, as plain text."""
        from assistant.references.text import render_text

        return render_text(self)

    def to_markdown(self) -> str:
        """The answer with its numbered references, as Markdown."""
        from assistant.references.text import render_markdown

        return render_markdown(self)

    def to_csl_json(self) -> list[dict[str, Any]]:
        """The records that are cited, each once, as items of CSL-JSON."""
        from assistant.references.csl import to_csl_json

        return to_csl_json(self._cited_records())

    def to_bibtex(self) -> str:
        """The records that are cited, each once, as BibTeX."""
        from assistant.references.bibtex import to_bibtex

        return to_bibtex(self._cited_records())

    def to_ris(self) -> str:
        """The records that are cited, each once, as RIS."""
        from assistant.references.ris import to_ris

        return to_ris(self._cited_records())

    def _cited_records(self) -> list[Record]:
        return [citation.record for citation in self.citations]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerEvent:
    """A step of a streamed answer: `step` says what is going on, `text` is the answer so far, `answer` comes last.

    What stands in `text` was checked, and the next `text` begins with it.
    """

    step: str
    text: str = ""
    answer: Answer | None = None
