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
from assistant.types import AnswerKind, Citation, Claim, Evidence, Turn
from index.types import Record

NOT_ADVICE = "Answers report what was published of single cases. They are not medical advice."
# The citation marks that verification puts before or after a statement; marks inside it are the record's own.
_MARKED = re.compile(r"((?:\[\d+\] )*)(.*?)((?: \[\d+\])*)", re.DOTALL)

Status = Literal["answered", "partial", "insufficient_evidence"]
Mode = Literal["extractive", "generative"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer: every `[n]` in `text` is a citation, and every citation is used in `text`.

    Attributes:
        question: the question, cleaned.
        kind: `fact` for what a case says, `list` for one line of each record on a topic.
        query: what was searched: the question, completed from the conversation where it needs it.
        text: the answer, one statement a line.
        claims: the statements with their citations; what a chat model wrote and no sentence supports is not in `text`.
        citations: the sentences that the answer rests on, in the order of first use.
        evidence: the sentences that the answer was chosen from, best first.
        status: `answered`, `partial` (a chat model's statement was left out as not supported) or
            `insufficient_evidence` (then there are no citations).
        confidence: the probability, 0 to 1, that the records answer the question.
        mode: `generative` where a chat model wrote any of the text, else `extractive`.
        model: the chat model that wrote, or None.
        index_id: the build of the index that was asked.
        settings_id: the settings; with the build they make the answer reproducible.
        timings_ms: milliseconds of each step; and since the question `first_piece` (the model's first word),
            `first_text` (the first verified claim) and `total`.
        warnings: what the user should know, one sentence each.
    """

    question: str
    kind: AnswerKind
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

    @property
    def turns(self) -> tuple[Turn, Turn]:
        """The question and the answer as turns of the next question's history."""
        record_ids = tuple(record.record_id for record in self.cited_records)
        asked = Turn(role="user", content=self.question)
        return asked, Turn(role="assistant", content=self.text, record_ids=record_ids)

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON types."""
        return asdict(self)

    def to_json(self) -> str:
        """`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def to_text(self) -> str:
        """The answer with its numbered references, as plain text."""
        return render_text(self)

    def to_markdown(self) -> str:
        """The answer with its numbered references, as Markdown."""
        return render_markdown(self)

    @property
    def cited_records(self) -> list[Record]:
        """The records that are cited, each once, in the order of first use."""
        return list({citation.record.record_id: citation.record for citation in self.citations}.values())

    def to_csl_json(self) -> list[dict[str, Any]]:
        """The cited records as items of CSL-JSON."""
        return to_csl_json(self.cited_records)

    def to_bibtex(self) -> str:
        """The cited records as BibTeX."""
        return to_bibtex(self.cited_records)

    def to_ris(self) -> str:
        """The cited records as RIS."""
        return to_ris(self.cited_records)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerEvent:
    """A step of a streamed answer: `step` says what is going on, `text` is the answer so far, `answer` comes last.

    All of `text` is verified, and the next `text` begins with it.
    """

    step: str
    text: str = ""
    answer: Answer | None = None


def render_text(answer: Answer) -> str:
    """The answer as plain text: what was searched (if not the question), the text, references and warnings."""
    searched = [f"Searched for: {answer.query}"] if answer.query != answer.question else []
    return "\n\n".join([*searched, answer.text, *render_notes(answer)])


def render_notes(answer: Answer) -> list[str]:
    """What follows an answer's text: references, warnings, and that it is no medical advice; as plain text."""
    references = "\n".join(
        " ".join(filter(None, (_numbers(group), reference_text(group[0].record), group[0].url)))
        for group in group_by_record(answer.citations)
    )
    notes = [f"Note: {warning}" for warning in answer.warnings]
    return [references, *notes, NOT_ADVICE] if answer.citations else notes


def render_markdown(answer: Answer) -> str:
    """The answer as Markdown: what was searched (if not the question), the text, references and warnings."""
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
    """A line of an answer split into the marks before its statement, the statement, and the marks after it."""
    before, statement, behind = _MARKED.fullmatch(line).groups()  # type: ignore[union-attr] # it matches any text
    return before, statement, behind


def group_by_record(citations: Sequence[Citation]) -> list[list[Citation]]:
    """Citations grouped by record, in the order of first use."""
    groups: dict[str, list[Citation]] = {}
    for citation in citations:
        groups.setdefault(citation.record.record_id, []).append(citation)
    return list(groups.values())


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
