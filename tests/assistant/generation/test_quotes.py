"""The answer made of quotes: which sentences are shown, in which order, and how lists and several records read."""

from __future__ import annotations

from assistant.generation.quotes import MAX_QUOTED_CHARS, draft_quotes
from assistant.reading.reader import load_reader
from assistant.reading.sentences import split_record
from assistant.types import Evidence
from assistant.verification.checker import DraftChecker
from index.types import Record

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
