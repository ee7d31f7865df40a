"""The best passages to the sentences that may be cited."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from assistant.types import Evidence, QuotedField
from index.lexical import analyse
from index.search import OpenBuild
from index.sentences import split_sentences
from index.types import Passage, Record

MAX_EVIDENCE = 20

# Weights of what speaks for a sentence, chosen on the training questions (docs/log.md).
RECORD_WEIGHT = 5.6
SIMILARITY_WEIGHT = 4.6
OVERLAP_WEIGHT = 0.9
FIGURE_WEIGHT = 1.5
FIRST_RECORD_WEIGHT = 1.5
POSITION_WEIGHT = 1.4
TITLE_WEIGHT = -1.5

_FIGURE_WORDS = frozenset(
    analyse(
        "age amount concentration count days dose dosage duration far fast frequently height high hours interval "
        "length level long low many months much number often old percentage quickly rate score size soon titer titre "
        "value volume weeks weight years"
    )
)


class _Sentence(NamedTuple):
    passage: Passage
    field: QuotedField
    start: int
    end: int
    text: str


def gather_evidence(query: str, passages: Sequence[Passage], build: OpenBuild) -> tuple[Evidence, ...]:
    """The sentences of the passages' records that are likeliest to answer the query, best first.

    All of a record is read, not only the passage that found it: a question names the case in one place and asks for
    what stands in another.
    """
    sentences = [sentence for passage in passages for sentence in _sentences(passage)]
    if not sentences:
        return ()
    scores = _score_sentences(query, sentences, build)
    order = sorted(range(len(sentences)), key=lambda at: (-scores[at], at))[:MAX_EVIDENCE]
    return tuple(
        _as_evidence(sentences[at], key=f"e{number}", score=float(scores[at])) for number, at in enumerate(order, 1)
    )


def asks_for_figure(query: str) -> bool:
    """Whether a number is likely to be the answer."""
    return not _FIGURE_WORDS.isdisjoint(analyse(query))


def _sentences(passage: Passage) -> Iterator[_Sentence]:
    record = passage.record
    if record.title:
        yield _Sentence(passage, "title", 0, len(record.title), record.title)
    line_start = 0
    for line in record.abstract.split("\n"):  # a section without a full stop does not run into the next
        for start, end in split_sentences(line):
            yield _Sentence(passage, "abstract", line_start + start, line_start + end, line[start:end])
        line_start += len(line) + 1


def _score_sentences(query: str, sentences: Sequence[_Sentence], build: OpenBuild) -> Sequence[float]:
    """A weighted sum of what speaks for each sentence as the answer."""
    terms = {term: build.term_weight(term) for term in analyse(query)}
    total = sum(terms.values()) or 1.0
    vectors = build.embedder.embed_documents([sentence.text for sentence in sentences])
    similarities = vectors @ build.embedder.embed_query(query)
    wants_figure = asks_for_figure(query)
    return [
        SIMILARITY_WEIGHT * float(similarity)
        + OVERLAP_WEIGHT * sum(terms.get(term, 0.0) for term in set(analyse(sentence.text))) / total
        + FIGURE_WEIGHT * (wants_figure and any(map(str.isdigit, sentence.text)))
        + _score_place(sentence)
        for sentence, similarity in zip(sentences, similarities, strict=True)
    ]


def _score_place(sentence: _Sentence) -> float:
    """What speaks for a sentence by where it stands: in the best record, and late, where values and outcomes are."""
    passage = sentence.passage
    if sentence.field == "title":
        position = TITLE_WEIGHT
    else:
        position = POSITION_WEIGHT * sentence.start / len(passage.record.abstract)
    return RECORD_WEIGHT * passage.score + FIRST_RECORD_WEIGHT * (passage.rank == 1) + position


def _as_evidence(sentence: _Sentence, key: str, score: float) -> Evidence:
    record = sentence.passage.record
    return Evidence(
        key=key,
        record=record,
        field=sentence.field,
        start=sentence.start,
        end=sentence.end,
        quote=sentence.text,
        section=_section_of(record, sentence) if sentence.field == "abstract" else None,
        score=score,
    )


def _section_of(record: Record, sentence: _Sentence) -> str | None:
    return next((label for label, start, end in record.sections if start <= sentence.start < end), None)
