"""Answers, the events they are streamed as, and how they are rendered as text, Markdown and references.

Not `assistant.answer`: a module of that name would hide the function `assistant.answer`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from assistant.references import to_bibtex, to_csl_json, to_ris
from assistant.references.text import escape_markdown, link_text, markdown_link, reference_text
from assistant.types import Citation, Claim, Evidence
from index.types import Record

NOT_ADVICE = "Answers report what was published of single cases. They are not medical advice."
# The marks that the check puts before or behind a statement; those inside of one are the record's own.
_MARKED = re.compile(r"((?:\[\d+\] )*)(.*?)((?: \[\d+\])*)", re.DOTALL)

Status = Literal["answered", "partial", "insufficient_evidence"]
Mode = Literal["extractive", "generative"]


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
        from assistant.answers import render_text

        return render_text(self)

    def to_markdown(self) -> str:
        """The answer with its numbered references, as Markdown."""
        from assistant.answers import render_markdown

        return render_markdown(self)

    def to_csl_json(self) -> list[dict[str, Any]]:
        """The records that are cited, each once, as items of CSL-JSON."""
        return to_csl_json(self._cited_records())

    def to_bibtex(self) -> str:
        """The records that are cited, each once, as BibTeX."""
        return to_bibtex(self._cited_records())

    def to_ris(self) -> str:
        """The records that are cited, each once, as RIS."""
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


def render_text(answer: Answer) -> str:
    """What was searched where it is not the question, the answer, its references and its warnings, as plain text."""
    searched = [f"Searched for: {answer.query}"] if answer.query != answer.question else []
    return "\n\n".join([*searched, answer.text, *render_notes(answer)])


def render_notes(answer: Answer) -> list[str]:
    """What stands below an answer's text: its references, its warnings, that it is no advice; as plain text."""
    references = "\n".join(_text_reference(group) for group in group_by_record(answer.citations))
    notes = [f"Note: {warning}" for warning in answer.warnings]
    return [references, *notes, NOT_ADVICE] if answer.citations else notes


def render_markdown(answer: Answer) -> str:
    """What was searched where it is not the question, the answer, its references and its warnings, as Markdown."""
    parts = [f"*Searched for: {escape_markdown(answer.query)}*"] if answer.query != answer.question else []
    parts.append(render_body(answer.text))
    if answer.citations:
        parts += ["**References**", *map(_markdown_reference, group_by_record(answer.citations))]
    parts += [f"*Note: {escape_markdown(warning)}*" for warning in answer.warnings]
    if answer.citations:
        parts.append(f"*{NOT_ADVICE}*")
    return "\n\n".join(parts)


def render_body(text: str) -> str:
    """An answer's text as Markdown paragraphs."""
    return "\n\n".join(escape_markdown(line) for line in text.split("\n"))


def split_marks(line: str) -> tuple[str, str, str]:
    """A line of an answer as the marks before its statement, the statement, and the marks behind it."""
    before, statement, behind = _MARKED.fullmatch(line).groups()  # type: ignore[union-attr] # it matches any text
    return before, statement, behind


def group_by_record(citations: Sequence[Citation]) -> list[list[Citation]]:
    """Citations grouped by their record, in the order of first use: a record's reference is given once."""
    groups: dict[str, list[Citation]] = {}
    for citation in citations:
        groups.setdefault(citation.record.record_id, []).append(citation)
    return list(groups.values())


def _text_reference(group: Sequence[Citation]) -> str:
    url = f" {group[0].url}" if group[0].url else ""
    return f"{_numbers(group)} {reference_text(group[0].record)}{url}"


def _numbers(group: Sequence[Citation]) -> str:
    return " ".join(f"[{citation.number}]" for citation in group)


def _markdown_reference(group: Sequence[Citation]) -> str:
    record, url = group[0].record, group[0].url
    link = f" {markdown_link(link_text(record), url)}" if url else ""
    return f"{escape_markdown(f'{_numbers(group)} {reference_text(record)}')}{link}"


def warn_of_retracted(citations: Sequence[Citation]) -> list[str]:
    """A warning for each report that is cited and was retracted or withdrawn."""
    groups = (group for group in group_by_record(citations) if group[0].record.retracted)
    return [f"{_numbers(group)} is from a report that was retracted or withdrawn" for group in groups]
