"""The sentences of a record, each with its place in it: what the reader reads and an answer may cite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from assistant.clinical_text.prompt_injection import gives_orders
from assistant.reading.rows import Report
from assistant.types import Evidence, QuotedField
from index.text.sentences import split_sentences
from index.types import Record

_CACHED_ABSTRACTS = 4_096
_BACKGROUND_LABEL_WORDS = frozenset(
    {
        *("aim", "aims", "background", "context", "importance", "introduction"),
        *("objective", "objectives", "purpose", "rationale", "relevance"),
    }
)


class Sentence(NamedTuple):
    """A sentence and its place in a record: half-open offsets in `field`."""

    field: QuotedField
    start: int
    end: int
    text: str


def split_record(record: Record) -> Iterator[Sentence]:
    """The title, if there is one, and the sentences of the abstract, without those that give orders to a model."""
    if title := safe_title(record):
        yield Sentence("title", 0, len(title), title)
    yield from _split_abstract(record.abstract)


def safe_title(record: Record) -> str:
    """The title up to the first sentence that gives an order to a model; "" if there is none."""
    title, end = record.title or "", 0
    for start, stop in split_sentences(title):
        if gives_orders(title[start:stop]):
            return title[:end]
        end = stop
    return title


@lru_cache(maxsize=_CACHED_ABSTRACTS)
def _split_abstract(abstract: str) -> tuple[Sentence, ...]:
    sentences, line_start = [], 0
    for line in abstract.split("\n"):  # a section without a full stop must not run into the next
        for start, end in split_sentences(line):
            if not gives_orders(line[start:end]):
                sentences.append(Sentence("abstract", line_start + start, line_start + end, line[start:end]))
        line_start += len(line) + 1
    return tuple(sentences)


def as_report(sentences: Sequence[Sentence]) -> Report:
    """The sentences of a record as input of the reader."""
    title = next((sentence.text for sentence in sentences if sentence.field == "title"), "")
    return Report(title, tuple(sentence.text for sentence in sentences if sentence.field == "abstract"))


def as_evidence(record: Record, sentence: Sentence, key: str, score: float) -> Evidence:
    """A sentence of a record as evidence."""
    return Evidence(
        key=key,
        record=record,
        field=sentence.field,
        start=sentence.start,
        end=sentence.end,
        quote=sentence.text,
        section=record.section_at(sentence.start) if sentence.field == "abstract" else None,
        score=score,
    )


def is_background(record: Record, sentence: Sentence) -> bool:
    """Whether a sentence is in a section on prior knowledge or on the reason for the report."""
    section = record.section_at(sentence.start) if sentence.field == "abstract" else None
    return section is not None and not _BACKGROUND_LABEL_WORDS.isdisjoint(section.casefold().split())
