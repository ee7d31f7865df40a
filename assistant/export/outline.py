"""The content of the document of a conversation, independent of its format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from assistant.answers import Answer, split_marks
from assistant.references.styles import format_references
from assistant.references.text import record_links
from assistant.types import Citation
from index.errors import WrongUseError
from index.text.cleaning import clean_line
from index.types import Record

DOCUMENT_TITLE = "Answers from case reports"

_BUILD_TIME = re.compile(r"\d{8}T\d{6}Z")


class Quote(NamedTuple):
    """A sentence that an answer cites: the number of its reference, its section in the record, its text."""

    number: int
    section: str | None
    text: str

    @property
    def label(self) -> str:
        """The prefix of the sentence."""
        return f"[{self.number}] {self.section}:" if self.section else f"[{self.number}]"


class Reference(NamedTuple):
    """A cited record, with its links as (link text, address)."""

    number: int
    text: str
    links: list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredQuestion:
    """A question with its answer, as lines of plain text whose `[n]` are numbers of the document's references.

    `remarks` are the query, if it differs from the question, and how the answer was made; `notes` are its warnings.
    """

    question: str
    lines: list[str]
    remarks: list[str]
    quotes: list[Quote]
    notes: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A conversation as a document; every text is one line without control characters."""

    origins: list[str]
    questions: list[AnsweredQuestion]
    references: list[Reference]


def outline_conversation(answers: Sequence[Answer]) -> Outline:
    """The document of a conversation; a record has one number throughout, in the order of first use.

    Raises:
        WrongUseError: there are no answers.
    """
    if not answers:
        raise WrongUseError("a conversation without answers cannot be exported", remedy="ask a question first")
    records = {item.record.record_id: item.record for answer in answers for item in answer.citations}
    numbers = {record_id: number for number, record_id in enumerate(records, 1)}
    return Outline(
        origins=[_describe_index(index_id) for index_id in dict.fromkeys(answer.index_id for answer in answers)],
        questions=[_make_question(answer, numbers) for answer in answers],
        references=_make_references(list(records.values())),
    )


def _describe_index(index_id: str) -> str:
    """An index and, if its id begins with the time of its build, the day."""
    built = _BUILD_TIME.match(index_id)
    day = f", built on {datetime.strptime(built[0], '%Y%m%dT%H%M%SZ'):%-d %B %Y}" if built else ""
    return f"Answered from the index {clean_line(index_id)}{day}."


def _make_question(answer: Answer, numbers: Mapping[str, int]) -> AnsweredQuestion:
    renumbered = {item.number: numbers[item.record.record_id] for item in answer.citations}
    lines = (_renumber(clean_line(line), renumbered) for line in answer.text.splitlines())
    searched = [f"Searched for: {clean_line(answer.query)}"] if answer.query != answer.question else []
    return AnsweredQuestion(
        question=clean_line(answer.question),
        lines=[line for line in lines if line],
        remarks=[*searched, _describe_method(answer)],
        quotes=[
            Quote(renumbered[item.number], _name_section(item), clean_line(item.quote)) for item in answer.citations
        ],
        notes=[f"Note: {clean_line(warning)}" for warning in answer.warnings],
    )


def _renumber(line: str, numbers: Mapping[int, int]) -> str:
    """A line whose marks are numbers of records, not of sentences; two sentences of one record have one mark."""
    before, statement, behind = split_marks(line)
    parts = (_number_records(before, numbers), statement, _number_records(behind, numbers))
    return " ".join(part for part in parts if part)


def _number_records(marks: str, numbers: Mapping[int, int]) -> str:
    cited = [int(mark) for mark in re.findall(r"\d+", marks)]
    if not numbers.keys() >= set(cited):  # a bracketed number in the text of the record
        return marks.strip()
    return " ".join(f"[{number}]" for number in dict.fromkeys(numbers[mark] for mark in cited))


def _describe_method(answer: Answer) -> str:
    chance = f"the reports answer the question with a probability of {answer.confidence:.0%}"
    if answer.status == "insufficient_evidence":
        return f"No statement was found that could be cited; {chance}."
    if answer.mode == "extractive":
        return f"Made of sentences of the reports; {chance}."
    left_out = ", what is not supported is left out" if answer.status == "partial" else ""
    model = clean_line(answer.model or "a chat model")
    return f"Written by {model}, each statement checked against the sentences it cites{left_out}; {chance}."


def _name_section(citation: Citation) -> str | None:
    if citation.field == "title":
        return "Title"
    return clean_line(citation.record.section_at(citation.start) or "") or None


def _make_references(records: Sequence[Record]) -> list[Reference]:
    """References in the style of the AMA; addresses are in the links only."""
    texts = format_references([replace(record, doi=None, url=None) for record in records], "ama")
    return [
        Reference(number, text, [(clean_line(label), address) for label, address in record_links(record)])
        for number, (text, record) in enumerate(zip(texts, records, strict=True), 1)
    ]
