"""Passages to the records that were read for them: the reader's logits for each record and each of its sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from assistant.reading.cross_encoder import load_reranker
from assistant.reading.reader import Reader, Reading, load_reader
from assistant.reading.sentences import Sentence, as_report, split_record
from index.types import Passage

# Weight of a record's search score against the reader's logit; chosen on training questions
# (docs/experiments/reader.md, "Choosing among snapshots, and the search's weight").
SEARCH_WEIGHT = 12.0
CACHED_READINGS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRecord:
    """A record that was read for a question.

    Attributes:
        passage: the passage that found it.
        sentences: its sentences, the title first where there is one.
        relevance: the reader's logit that the record answers.
        score: the logit of search and reader together.
        logits: the logit of each sentence, in their order.
    """

    passage: Passage
    sentences: tuple[Sentence, ...]
    relevance: float
    score: float
    logits: tuple[float, ...]


class PassageReader:
    """Reads the records of passages and caches recent results. Safe to share between threads.

    `reranker` names a cross-encoder that ranks the records in place of the reader.
    """

    def __init__(self, reranker: str | None = None) -> None:
        self._reranker = reranker
        self.read = lru_cache(maxsize=CACHED_READINGS)(self._read)

    @property
    def reader(self) -> Reader:
        """The reader model, loaded when first needed."""
        return load_reader()

    def _read(self, query: str, passages: tuple[Passage, ...]) -> tuple[ReadRecord, ...]:
        """The records of the passages, the likeliest to answer first."""
        read = read_passages(query, passages, self.reader)
        if self._reranker is not None:
            model = load_reranker(self._reranker)
            read = reorder_by(read, model.score_records(query, [item.passage.record for item in read]))
        return tuple(read)


def read_passages(query: str, passages: Sequence[Passage], reader: Reader) -> list[ReadRecord]:
    """The passages' records, the likeliest to answer first.

    A record is read as a whole, not only the passage that found it: a question names the case in one place and asks for
    what is said in another.
    """
    split = [tuple(split_record(passage.record)) for passage in passages]
    readings = reader.read(query, [as_report(sentences) for sentences in split])
    read = [
        ReadRecord(
            passage=passage,
            sentences=sentences,
            relevance=reading.record,
            score=reading.record + SEARCH_WEIGHT * (passage.score - 1),
            logits=sentence_logits(sentences, reading),
        )
        for passage, sentences, reading in zip(passages, split, readings, strict=True)
    ]
    return sorted(read, key=lambda item: (-item.score, item.passage.rank))


def reorder_by(read: Sequence[ReadRecord], scores: Sequence[float]) -> list[ReadRecord]:
    """Records in the order of a reranker's `scores`, the reader's scores reassigned in the new order.

    How sure it is that any record answers is for the reader to say, not for the reranker.
    """
    order = sorted(range(len(read)), key=lambda place: -scores[place])
    best_first = sorted((item.score for item in read), reverse=True)
    return [replace(read[place], score=score) for place, score in zip(order, best_first, strict=True)]


def rank_passages(read: Sequence[ReadRecord]) -> list[Passage]:
    """The passages in the order of the reader; the score is the probability that the passage's record answers."""
    chances = softmax_or_none([item.score for item in read])
    return [
        replace(item.passage, score=chance, rank=rank, stage="reader")
        for rank, (item, chance) in enumerate(zip(read, chances, strict=True), start=1)
    ]


def sentence_logits(sentences: Sequence[Sentence], reading: Reading) -> tuple[float, ...]:
    """The reader's logits in the order of a record's sentences, the title first where there is one."""
    has_title = bool(sentences) and sentences[0].field == "title"
    return (reading.title, *reading.sentences) if has_title else reading.sentences


def softmax_or_none(logits: Sequence[float]) -> list[float]:
    """The probability of each choice where none of them may be right: a softmax with one more logit of 0."""
    top = max([0.0, *logits])
    weights = [math.exp(logit - top) for logit in logits]
    total = sum(weights) + math.exp(-top)
    return [weight / total for weight in weights]
