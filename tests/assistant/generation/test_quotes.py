"""The answer made of quotes: which sentences are shown, in which order, and how lists and several records read."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest

from assistant.generation.quotes import MAX_QUOTED_CHARS, draft_quotes
from assistant.reading.evidence import choose, gather_evidence, read_passages, reorder, split_record, weigh_sentences
from assistant.reading.reader import Reader, Reading, load_reader
from assistant.reading.rows import Report
from assistant.types import Evidence
from assistant.verification.checker import DraftChecker
from index.types import Chunk, Passage, Record, Section

PATIENT = "A 54-year-old woman was admitted with bruises on both legs."
CAUSE = "Her plasma ascorbic acid could not be detected."
ANSWER = "She was given vitamin C for three weeks."
KNOWN = "Scurvy comes of a want of vitamin C."
OUTCOME = "The bruises had gone at the next visit."


def make_record(record_id: str, *sentences: str, title: str | None = None) -> Record:
    return Record(record_id=record_id, abstract=" ".join(sentences), content_hash=record_id, title=title)


def as_evidence(record: Record, scores: dict[str, float], first_key: int = 1) -> list[Evidence]:
    places = {sentence.text: sentence for sentence in split_record(record)}
    return [
        Evidence(
            key=f"e{number}",
            record=record,
            field=places[text].field,
            start=places[text].start,
            end=places[text].end,
            quote=text,
            section=None,
            score=score,
        )
        for number, (text, score) in enumerate(scores.items(), first_key)
    ]


SCURVY = make_record("pmid:1", PATIENT, CAUSE, ANSWER, OUTCOME)


def quoted(evidence: list[Evidence]) -> list[str]:
    return [claim.text.strip("“”") for claim in draft_quotes(evidence)]


def test_a_sure_answer_is_followed_by_the_sentence_that_presents_the_patient() -> None:
    evidence = as_evidence(SCURVY, {ANSWER: 0.9, OUTCOME: 0.002, CAUSE: 0.001, PATIENT: 0.0001})
    assert quoted(evidence) == [ANSWER, PATIENT]


def test_what_may_answer_too_is_shown_before_what_presents_the_patient_in_the_records_order() -> None:
    evidence = as_evidence(SCURVY, {ANSWER: 0.4, OUTCOME: 0.3, CAUSE: 0.2, PATIENT: 0.01})
    assert quoted(evidence) == [ANSWER, CAUSE, OUTCOME]


def test_no_more_than_the_limit_is_quoted_after_the_first() -> None:
    long = "She was given " + "vitamin C and " * 60 + "iron."
    record = make_record("pmid:2", PATIENT, long)
    assert len(long) > MAX_QUOTED_CHARS
    assert quoted(as_evidence(record, {long: 0.9, PATIENT: 0.5})) == [long]


def test_several_records_are_each_said_to_report_what_they_do() -> None:
    other = make_record("pmid:3", "A man was given vitamin C for one week.")
    evidence = as_evidence(SCURVY, {ANSWER: 0.5}) + as_evidence(other, {other.abstract: 0.4}, first_key=2)
    checked = DraftChecker(load_reader()).check(draft_quotes(evidence), evidence)
    assert checked.text == f"[1] reports “{ANSWER}”\n[2] reports “{other.abstract}”"


def test_another_record_that_is_much_less_likely_is_not_quoted() -> None:
    other = make_record("pmid:3", "A man was given vitamin C for one week.")
    evidence = as_evidence(SCURVY, {ANSWER: 0.8, CAUSE: 0.05}) + as_evidence(other, {other.abstract: 0.1}, first_key=3)
    assert quoted(evidence) == [ANSWER, CAUSE]


def test_one_record_is_quoted_plainly() -> None:
    evidence = as_evidence(SCURVY, {ANSWER: 0.9})
    assert DraftChecker(load_reader()).check(draft_quotes(evidence), evidence).text == f"“{ANSWER}” [1]"


def test_no_evidence_gives_no_quote() -> None:
    assert draft_quotes([]) == []


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
    assert choose(logits) == pytest.approx(chances)


def test_a_reranker_takes_the_order_and_keeps_the_scores() -> None:
    assert reorder([5.0, 1.0, 3.0], order_by=[0.1, 0.9, 0.2]) == [1.0, 5.0, 3.0]


class StubReader:
    """Says of each record what it was told to."""

    def __init__(self, readings: list[Reading]) -> None:
        self.readings = readings
        self.seen: list[Report] = []

    def read(self, query: str, reports: list[Report]) -> list[Reading]:
        self.seen = reports
        return self.readings


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


def as_passage(record: Record, rank: int, score: float = 1.0) -> Passage:
    chunk = Chunk(record_id=record.record_id, ordinal=0, section=None, start=0, end=1, text=record.abstract[:1])
    return Passage(record=record, chunk=chunk, score=score, rank=rank, stage="hybrid")


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

    def weigh(query: str) -> tuple[float, ...]:
        read = read_passages(query, [as_passage(record, 1)], cast(Reader, reader))
        (weighed,) = weigh_sentences(query, read, term_weight=lambda _: 1.0)
        return weighed.logits

    with_figure, without, elsewhere = weigh("how low was it when her haemoglobin fell?")
    assert with_figure > without > elsewhere
    with_figure, without, elsewhere = weigh("what happened when her haemoglobin fell?")
    assert with_figure == without > elsewhere
