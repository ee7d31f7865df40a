"""Evidence cards: a record with its reference, links, and abstract with the quoted sentences marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from assistant.answers import group_by_record
from assistant.page.conversation import Conversation, anchor
from assistant.page.templating import fill
from assistant.references import format_references
from assistant.references.text import record_links
from assistant.types import Citation
from index.types import Record, Section

SHOWN_AUTHORS = 6


class Segment(NamedTuple):
    """A piece of an abstract, with the number of the citation that quotes it."""

    text: str
    number: int | None


class Part(NamedTuple):
    """A section of an abstract: its label, if any, and its pieces."""

    label: str | None
    segments: list[Segment]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a card shows of a record; `citations` are those of this record."""

    record: Record
    anchor: str
    citations: tuple[Citation, ...]
    parts: list[Part]
    title_number: int | None
    authors: str
    issue: str
    links: list[tuple[str, str]]
    reference: str


def render_evidence(conversation: Conversation) -> str:
    """The cards of every answer as HTML; only those of the last are visible until a citation of another is opened."""
    groups = [
        {
            "exchange": exchange,
            "cards": [_make_card(group[0].record, group, "") for group in group_by_record(exchange.answer.citations)],
            "nearest": [
                _make_card(record, (), anchor(exchange.exchange_id, f"near{place}"))
                for place, record in enumerate(exchange.refusal.nearest if exchange.refusal else (), 1)
            ],
            "anchor_of": {
                citation.number: anchor(exchange.exchange_id, citation.number) for citation in exchange.answer.citations
            },
        }
        for exchange in conversation
        if exchange.answer is not None
    ]
    return fill("evidence.html", groups=groups)


def split_abstract(record: Record, citations: Iterable[Citation]) -> list[Part]:
    """The sections of the abstract, split at the quoted sentences."""
    quoted = sorted((item for item in citations if item.field == "abstract"), key=lambda item: item.start)
    return [
        Part(label, _split_at_quotes(record.abstract, start, end, quoted))
        for label, start, end in _all_sections(record)
        if record.abstract[start:end].strip()
    ]


def _make_card(record: Record, citations: Sequence[Citation], anchor: str) -> Card:
    shown = ", ".join(record.authors[:SHOWN_AUTHORS]) + (" et al." if len(record.authors) > SHOWN_AUTHORS else "")
    volume = f"{record.volume or ''}{f':{record.pages}' if record.pages else ''}"
    return Card(
        record=record,
        anchor=anchor,
        citations=tuple(citations),
        parts=split_abstract(record, citations),
        title_number=next((item.number for item in citations if item.field == "title"), None),
        authors=shown,
        issue=";".join(part for part in (str(record.year or ""), volume) if part),
        links=record_links(record),
        reference=format_references([record], "ama")[0],
    )


def _all_sections(record: Record) -> list[tuple[str | None, int, int]]:
    """The spans of the sections and of the text between them, which cover the whole abstract."""
    spans: list[tuple[str | None, int, int]] = []
    position = 0
    for label, start, end in (*record.sections, Section("", len(record.abstract), len(record.abstract))):
        if position < start:
            spans.append((None, position, start))
        if start < end:
            spans.append((label, start, end))
        position = max(position, end)
    return spans


def _split_at_quotes(text: str, start: int, end: int, quoted: Sequence[Citation]) -> list[Segment]:
    segments, position = [], start
    for item in quoted:
        begins, ends = max(item.start, position), min(item.end, end)
        if begins >= ends:
            continue
        segments.append(Segment(text[position:begins], None))
        segments.append(Segment(text[begins:ends], item.number))
        position = ends
    segments.append(Segment(text[position:end], None))
    return [segment for segment in segments if segment.text]
