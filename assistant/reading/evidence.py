"""The best passages to the sentences that may be cited, as the reader ranks them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from assistant.clinical_text.prompt_injection import gives_orders
from assistant.reading.cross_encoder import Reranker
from assistant.reading.reader import Reader, Reading
from assistant.reading.rows import Report
from assistant.types import Evidence, QuotedField
from index.text.sentences import split_sentences
from index.text.terms import analyse
from index.types import Passage, Record

MAX_EVIDENCE = 24
# How much a record's place in the search counts beside the reader's logit; chosen on training questions (docs/log.md).
SEARCH_WEIGHT = 12.0
BACKGROUND_WEIGHT = 0.3
_REMEMBERED_ABSTRACTS = 4_096
_BACKGROUND_LABEL_WORDS = frozenset(
    {
        *("aim", "aims", "background", "context", "importance", "introduction"),
        *("objective", "objectives", "purpose", "rationale", "relevance"),
    }
)
# The present tense, or a word for what mostly holds: case reports tell their case in the past.
_ASKS_IN_GENERAL = re.compile(
    r"^(?:what|which|how\s+(?:common|rare|frequent|often))\s+(?:is|are|do|does|can|causes)\b"
    r"|\b(?:usually|generally|in general|commonly|typically|normally|prevalence|incidence)\b",
    re.IGNORECASE,
)


class Sentence(NamedTuple):
    """A sentence and its place in a record."""

    field: QuotedField
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRecord:
    """A record that was found and read.

    `sentences` begin with the title where there is one. `relevance` is the reader's logit for the record, `score` that
    of search and reader; `logits` are those of the sentences, in their order.
    """

    passage: Passage
    sentences: tuple[Sentence, ...]
    relevance: float
    score: float
    logits: tuple[float, ...]


def read_passages(
    query: str, passages: Sequence[Passage], reader: Reader, reranker: Reranker | None = None
) -> list[ReadRecord]:
    """The passages' records, read as a whole, the likeliest to answer first.

    All of a record is read, not only the passage that found it: a question names the case in one place and asks for
    what stands in another. A reranker takes over the order; how sure it is that any record answers stays the reader's.
    """
    split = [tuple(split_record(passage.record)) for passage in passages]
    readings = reader.read(query, [as_report(sentences) for sentences in split])
    scores = [
        reading.record + SEARCH_WEIGHT * (passage.score - 1)
        for passage, reading in zip(passages, readings, strict=True)
    ]
    if reranker is not None:
        scores = reorder(scores, reranker.score_records(query, [passage.record for passage in passages]))
    read = [
        ReadRecord(
            passage=passage,
            sentences=sentences,
            relevance=reading.record,
            score=score,
            logits=sentence_logits(sentences, reading),
        )
        for passage, sentences, score, reading in zip(passages, split, scores, readings, strict=True)
    ]
    return sorted(read, key=lambda item: (-item.score, item.passage.rank))


def reorder(scores: Sequence[float], order_by: Sequence[float]) -> list[float]:
    """The same scores dealt out anew: the best to the place where `order_by` is highest, and so on."""
    places = sorted(range(len(scores)), key=lambda place: -order_by[place])
    dealt = [0.0] * len(scores)
    for place, score in zip(places, sorted(scores, reverse=True), strict=True):
        dealt[place] = score
    return dealt


def rank_passages(read: Sequence[ReadRecord]) -> list[Passage]:
    """The passages in the order of the reader, scored with the probability that theirs is the record that answers."""
    chances = choose([item.score for item in read])
    return [
        replace(item.passage, score=chance, rank=rank, stage="reader")
        for rank, (item, chance) in enumerate(zip(read, chances, strict=True), start=1)
    ]


def gather_evidence(query: str, read: Sequence[ReadRecord]) -> tuple[Evidence, ...]:
    """The sentences likeliest to answer, best first: the probability of the record times that of the sentence in it.

    What a record says of the background counts less, unless the query asks in general: a question is asked of the case.
    """
    background_weight = 1.0 if _ASKS_IN_GENERAL.search(query) else BACKGROUND_WEIGHT
    scored = [
        (
            record_chance * chance * (background_weight if is_background(item.passage.record, sentence) else 1.0),
            item,
            sentence,
        )
        for item, record_chance in zip(read, choose([item.score for item in read]), strict=True)
        for sentence, chance in zip(item.sentences, choose(item.logits), strict=True)
    ]
    scored.sort(key=lambda entry: -entry[0])  # stable, so ties keep the order of records and of their sentences
    return tuple(
        as_evidence(item.passage.record, sentence, key=f"e{number}", score=score)
        for number, (score, item, sentence) in enumerate(scored[:MAX_EVIDENCE], 1)
    )


def choose(logits: Sequence[float]) -> list[float]:
    """The probability of each of several choices, of which none may hold: a softmax with a logit of 0 beside them."""
    top = max([0.0, *logits])
    weights = [math.exp(logit - top) for logit in logits]
    total = sum(weights) + math.exp(-top)
    return [weight / total for weight in weights]


def split_record(record: Record) -> Iterator[Sentence]:
    """The title, where there is one, and the sentences of the abstract, without those that give orders to a model."""
    if title := harmless_title(record):
        yield Sentence("title", 0, len(title), title)
    yield from _split_abstract(record.abstract)


def harmless_title(record: Record) -> str:
    """The title up to a sentence in it that gives an order; "" where there is none."""
    title, end = record.title or "", 0
    for start, stop in split_sentences(title):
        if gives_orders(title[start:stop]):
            return title[:end]
        end = stop
    return title


def as_report(sentences: Sequence[Sentence]) -> Report:
    """The sentences of a record as the reader takes them."""
    title = next((sentence.text for sentence in sentences if sentence.field == "title"), "")
    return Report(title, tuple(sentence.text for sentence in sentences if sentence.field == "abstract"))


@lru_cache(maxsize=_REMEMBERED_ABSTRACTS)
def _split_abstract(abstract: str) -> tuple[Sentence, ...]:
    sentences, line_start = [], 0
    for line in abstract.split("\n"):  # a section without a full stop does not run into the next
        for start, end in split_sentences(line):
            if not gives_orders(line[start:end]):
                sentences.append(Sentence("abstract", line_start + start, line_start + end, line[start:end]))
        line_start += len(line) + 1
    return tuple(sentences)


def sentence_logits(sentences: Sequence[Sentence], reading: Reading) -> tuple[float, ...]:
    """The reader's logits in the order of a record's sentences, the title first where there is one."""
    has_title = bool(sentences) and sentences[0].field == "title"
    return (reading.title, *reading.sentences) if has_title else reading.sentences


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
    """Whether a sentence stands in a section on what was known before, or on why the case is reported."""
    section = record.section_at(sentence.start) if sentence.field == "abstract" else None
    return section is not None and not _BACKGROUND_LABEL_WORDS.isdisjoint(section.casefold().split())


READER_WEIGHT = 0.5
# Half of a question's words are soon shared by chance; what is beyond that counts.
USUAL_SHARE = 0.5
SHARED_WEIGHT = 8.0
FIGURE_WEIGHT = 0.5
_FIGURE_WORDS = frozenset(
    analyse(
        "age amount change concentration count days decrease dose dosage drop duration fall far fast frequently height "
        "high hours increase interval length level long low many months much number often old percentage quickly rate "
        "rise score size soon titer titre value volume weeks weight years"
    )
)


def weigh_sentences(
    query: str, read: Iterable[ReadRecord], term_weight: Callable[[str], float]
) -> tuple[ReadRecord, ...]:
    """The records with logits that count, beside the reader's, what else speaks for each sentence.

    `term_weight` says how telling an analysed term is.
    """
    weights = {term: term_weight(term) for term in analyse(query)}
    figure_weight = FIGURE_WEIGHT * asks_for_figure(query)

    def weigh(text: str, logit: float) -> float:
        beyond = max(0.0, share_of_words(text, weights) - USUAL_SHARE)
        return READER_WEIGHT * logit + SHARED_WEIGHT * beyond + figure_weight * any(map(str.isdigit, text))

    return tuple(
        replace(
            item,
            logits=tuple(
                weigh(sentence.text, logit) for sentence, logit in zip(item.sentences, item.logits, strict=True)
            ),
        )
        for item in read
    )


def share_of_words(text: str, weights: dict[str, float]) -> float:
    """The share of weighted terms that stand in a text, 0 to 1."""
    return sum(weights.get(term, 0.0) for term in set(analyse(text))) / (sum(weights.values()) or 1.0)


def asks_for_figure(query: str) -> bool:
    """Whether a number is likely to be the answer."""
    return not _FIGURE_WORDS.isdisjoint(analyse(query))
