"""Records that were read to evidence: probabilities, the reranker's order, lexical features, background sections."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from assistant.reading.evidence import gather_evidence, score_sentences
from assistant.reading.passages import read_passages, reorder_by, softmax_or_none
from assistant.reading.reader import Reader, Reading
from assistant.reading.rows import Report
from index.text.terms import analyse
from index.types import Chunk, Passage, Record, Section

PATIENT = "A 54-year-old woman was admitted with bruises on both legs."
ANSWER = "She was given vitamin C for three weeks."
KNOWN = "Scurvy comes of a want of vitamin C."


def make_record(record_id: str, *sentences: str, title: str | None = None) -> Record:
    return Record(record_id=record_id, abstract=" ".join(sentences), content_hash=record_id, title=title)


SCURVY = make_record(
    "pmid:1", PATIENT, "Her plasma ascorbic acid could not be detected.", ANSWER, "The bruises had gone."
)


def as_passage(record: Record, rank: int, score: float = 1.0) -> Passage:
    chunk = Chunk(record_id=record.record_id, ordinal=0, section=None, start=0, end=1, text=record.abstract[:1])
    return Passage(record=record, chunk=chunk, score=score, rank=rank, stage="hybrid", similarity=0.5)


class StubReader:
    """Says of each record what it was told to."""

    def __init__(self, readings: list[Reading]) -> None:
        self.readings = readings
        self.seen: list[Report] = []

    def read(self, query: str, reports: list[Report]) -> list[Reading]:
        self.seen = reports
        return self.readings


@pytest.mark.parametrize(
    ("logits", "chances"),
    [
        pytest.param([], [], id="nothing to choose"),
        pytest.param([0.0], [0.5], id="as likely as none"),
        pytest.param([0.0, 0.0, 0.0], [0.25] * 3, id="all alike"),
        pytest.param([1000.0, -1000.0], [1.0, 0.0], id="no overflow"),
        pytest.param([-1000.0], [0.0], id="none at all"),
    ],
)
def test_choices_share_the_probability_with_none_of_them(logits: list[float], chances: list[float]) -> None:
    assert softmax_or_none(logits) == pytest.approx(chances)


def test_a_reranker_decides_the_order_and_the_scores_stay_the_readers() -> None:
    records = [make_record(f"pmid:{number}", ANSWER) for number in range(3)]
    reader = StubReader([Reading(record=logit, title=-9.0, sentences=(0.0,)) for logit in (5.0, 1.0, 3.0)])
    read = read_passages("how long?", [as_passage(record, 1) for record in records], cast(Reader, reader))
    assert [item.score for item in read] == [5.0, 3.0, 1.0]
    ranked = reorder_by(read, [0.1, 0.2, 0.9])
    assert [item.passage.record.record_id for item in ranked] == ["pmid:1", "pmid:2", "pmid:0"]
    assert [item.score for item in ranked] == [5.0, 3.0, 1.0]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        pytest.param("how was she treated?", ANSWER, id="of the case"),
        pytest.param("What is scurvy caused by?", KNOWN, id="in general"),
        pytest.param("what usually causes scurvy?", KNOWN, id="what mostly holds"),
    ],
)
def test_background_counts_less_unless_the_question_is_a_general_one(query: str, first: str) -> None:
    record = replace(
        make_record("pmid:5", KNOWN, ANSWER),
        sections=(Section("Background and aims", 0, len(KNOWN)), Section("Case", len(KNOWN) + 1, 999)),
    )
    reader = StubReader([Reading(record=3.0, title=-9.0, sentences=(2.2, 2.0))])
    read = read_passages(query, [as_passage(record, 1)], cast(Reader, reader))
    assert gather_evidence(query, read)[0].quote == first


def test_records_and_sentences_come_in_the_readers_order_with_their_place_in_the_record() -> None:
    titled = make_record("pmid:4", PATIENT, ANSWER, title="Scurvy today")
    reader = StubReader(
        [
            Reading(record=-2.0, title=-9.0, sentences=(0.0, 0.0, 0.0, 0.0)),
            Reading(record=2.0, title=-3.0, sentences=(1.0, 4.0)),
        ]
    )
    read = read_passages("how long?", [as_passage(SCURVY, 1), as_passage(titled, 2)], cast(Reader, reader))
    assert reader.seen[1] == Report("Scurvy today", (PATIENT, ANSWER))
    assert [item.passage.record.record_id for item in read] == ["pmid:4", "pmid:1"]
    evidence = gather_evidence("how long?", read)
    assert evidence[0].quote == ANSWER
    assert evidence[0].score == max(item.score for item in evidence)
    for item in evidence:
        source = item.record.title if item.field == "title" else item.record.abstract
        assert source is not None
        assert source[item.start : item.end] == item.quote


def test_a_sentence_that_names_what_is_asked_counts_more_and_one_with_a_figure_where_one_is_asked_for() -> None:
    figure, bare, other = "Her haemoglobin fell from 12 to 7 g/dl.", "Her haemoglobin fell.", "She was born in Spain."
    record = make_record("pmid:6", figure, bare, other)
    reader = StubReader([Reading(record=3.0, title=-9.0, sentences=(0.0, 0.0, 0.0))])

    def score(query: str) -> tuple[float, ...]:
        read = read_passages(query, [as_passage(record, 1)], cast(Reader, reader))
        (scored,) = score_sentences(query, read, dict.fromkeys(analyse(query), 1.0))
        return scored.logits

    with_figure, without, elsewhere = score("how low was it when her haemoglobin fell?")
    assert with_figure > without > elsewhere
    with_figure, without, elsewhere = score("what happened when her haemoglobin fell?")
    assert with_figure == without > elsewhere
