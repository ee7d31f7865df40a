"""The state of a conversation on the page, and its messages as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from assistant.answers import NOT_ADVICE, Answer, AnswerEvent, group_by_record, split_marks
from assistant.cases.suggestions import Refusal
from assistant.references.text import RETRACTED_NOTE, escape_markdown, link_text, record_marks
from assistant.types import Citation, Turn
from index.text.cleaning import clean_text
from index.types import Filters, Record

STOPPED = "Stopped."
LIST_NOTE = "The list can miss reports and contain some that do not fit."
_MARK = re.compile(r"\[(\d+)\]")
_CONFIDENCE_WORDS = ((0.85, "high"), (0.6, "moderate"), (0.0, "low"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A question with its progress: the current step, the text so far, then the answer or an error.

    `filters` are those of the search, `suggestions` questions that can be asked next; `refusal` explains an answer
    with insufficient evidence.
    """

    question: str
    filters: Filters = field(default_factory=Filters)
    exchange_id: str = field(default_factory=lambda: uuid4().hex[:8])
    step: str = ""
    text: str = ""
    answer: Answer | None = None
    refusal: Refusal | None = None
    suggestions: tuple[str, ...] = ()
    error: str | None = None

    def __post_init__(self) -> None:
        """Clean the question as the assistant does: without invisible and control characters."""
        object.__setattr__(self, "question", clean_text(self.question))

    @property
    def is_open(self) -> bool:
        """Whether there is neither an answer nor an error yet."""
        return self.answer is None and self.error is None

    def follow(self, event: AnswerEvent) -> Exchange:
        """This exchange after an event."""
        return replace(self, step=event.step, text=event.text or self.text, answer=event.answer)

    def fail(self, error: str) -> Exchange:
        """This exchange ended by an error."""
        return replace(self, error=error)


Conversation = tuple[Exchange, ...]


def answers_of(conversation: Iterable[Exchange]) -> list[Answer]:
    """The answers, in order."""
    return [exchange.answer for exchange in conversation if exchange.answer is not None]


def turns_of(conversation: Iterable[Exchange]) -> list[Turn]:
    """The conversation as the history of the next question."""
    return [turn for answer in answers_of(conversation) for turn in answer.turns]


def stop(conversation: Conversation) -> Conversation:
    """The conversation with its open question stopped."""
    return tuple(exchange.fail(STOPPED) if exchange.is_open else exchange for exchange in conversation)


def as_messages(conversation: Sequence[Exchange]) -> list[dict[str, Any]]:
    """The messages of the chat, two for each exchange.

    The last one says that the answer is not medical advice and offers suggestions.
    """
    messages: list[dict[str, Any]] = []
    for exchange in conversation:
        messages.append({"role": "user", "content": escape_markdown(exchange.question)})
        messages.append({"role": "assistant", "content": render_message(exchange)})
    if conversation and not conversation[-1].is_open:
        if any(answer.citations for answer in answers_of(conversation[-1:])):
            messages[-1]["content"] += f"\n\n*{NOT_ADVICE}*"
        messages[-1]["options"] = [{"value": question} for question in conversation[-1].suggestions]
    return messages


def render_message(exchange: Exchange) -> str:
    """The answer, its text so far, or the step or error, as Markdown with marks linked to the evidence."""
    parts = []
    if exchange.answer is not None:
        parts = _render_answer(exchange, exchange.answer)
    elif exchange.text:
        parts = [_render_text(exchange.text, exchange.exchange_id)]
    elif exchange.is_open:
        parts = [f"*{escape_markdown(exchange.step or 'searching')} …*"]
    if exchange.error is not None:
        parts.append(f"**{escape_markdown(exchange.error)}**")
    return "\n\n".join(parts)


def anchor(exchange_id: str, number: int | str) -> str:
    """The HTML id of a citation's sentence in the evidence."""
    return f"cite-{exchange_id}-{number}"


def describe_check(answer: Answer) -> str:
    """What was verified, and the confidence, in words."""
    if answer.status == "insufficient_evidence":
        return ""
    checked = (
        "Checked against source: each quotation stands word for word in its record."
        if answer.mode == "extractive"
        else f"Written by {answer.model}. Checked against source: each statement against the sentence it cites."
    )
    if answer.status == "partial":
        left_out = sum(not claim.supported for claim in answer.claims)
        checked += f" Left out, since no sentence supports them: {left_out} of the model's statements."
    if answer.kind == "list":
        return f"{checked} {LIST_NOTE}"
    return f"{checked} Confidence: {confidence_word(answer.confidence)}."


def confidence_word(confidence: float) -> str:
    """A probability as a word."""
    return next(word for least, word in _CONFIDENCE_WORDS if confidence >= least)


def short_reference(record: Record) -> str:
    """First author, journal and year of a report."""
    first = record.authors[0] + (" et al." if len(record.authors) > 1 else "") if record.authors else ""
    parts = [first or record.title or link_text(record), record.journal or "", str(record.year or "")]
    return ", ".join(part for part in parts if part)


def _render_answer(exchange: Exchange, answer: Answer) -> list[str]:
    parts = [_render_text(answer.text, exchange.exchange_id)]
    if answer.query != answer.question and answer.citations:
        parts.insert(0, f"*Searched for: {escape_markdown(answer.query)}*")
    sources = (_render_source(group, exchange.exchange_id) for group in group_by_record(answer.citations))
    parts.append("\n".join(sources))
    if exchange.refusal is not None:
        parts += _render_refusal(exchange, exchange.refusal)
    if check := describe_check(answer):
        parts.append(f"*{escape_markdown(check)}*")
    return [part for part in parts if part] + [f"*Note: {escape_markdown(warning)}*" for warning in answer.warnings]


def _render_source(group: Sequence[Citation], exchange_id: str) -> str:
    marks = " ".join(_link_mark(citation.number, exchange_id) for citation in group)
    record = group[0].record
    return f"{marks} {_with_marks(short_reference(record), record)}"


def _with_marks(reference: str, record: Record) -> str:
    notes = "".join(f" **{mark}**" if mark == RETRACTED_NOTE else f" ({mark})" for mark in record_marks(record))
    return escape_markdown(reference) + notes


def _render_refusal(exchange: Exchange, refusal: Refusal) -> list[str]:
    query = exchange.answer.query if exchange.answer else exchange.question
    looked_for = f"Looked for: “{escape_markdown(query)}”."
    if refusal.unknown_words:
        words = ", ".join(f"“{word}”" for word in refusal.unknown_words)
        looked_for += f" In no report of this library: {escape_markdown(words)}."
    if exchange.filters:
        looked_for += " Only reports that pass the filters were searched."
    parts = [looked_for]
    if refusal.nearest:
        parts.append("Nearest reports, without a sentence that answers:")
        parts.append(
            "\n".join(
                f"- [{_with_marks(record.title or short_reference(record), record)}]"
                f"(#{anchor(exchange.exchange_id, f'near{place}')})"
                for place, record in enumerate(refusal.nearest, 1)
            )
        )
    return parts


def _render_text(text: str, exchange_id: str) -> str:
    def link(marks: str) -> str:
        return _MARK.sub(lambda mark: _link_mark(int(mark[1]), exchange_id), marks)

    lines = (split_marks(line) for line in text.split("\n"))
    return "\n\n".join(link(before) + escape_markdown(statement) + link(after) for before, statement, after in lines)


def _link_mark(number: int, exchange_id: str) -> str:
    return f'[\\[{number}\\]](#{anchor(exchange_id, number)} "Show evidence {number}")'
