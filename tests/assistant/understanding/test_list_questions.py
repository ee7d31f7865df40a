"""Questions that ask which reports there are, on the demo corpus."""

from __future__ import annotations

import pytest

from assistant import Assistant
from assistant.reading.coverage import record_coverage
from assistant.understanding.list_questions import asks_for_list, topic_of
from index.text.terms import analyse
from index.types import Record


@pytest.mark.parametrize(
    "question",
    [
        "Which case reports describe scurvy?",
        "which reports mention a retained sponge",
        "What cases of botulism are there?",
        "case reports of lithium poisoning",
        "reports on rabies after a bat bite",
        "list the records on gout",
        "Please find all patients with measles.",
        "are there any other case reports of tetanus?",
        "how many case reports are about malaria?",
        "tetanus in farmers - which cases?",
        "Which patients had rickets?",
    ],
)
def test_a_question_for_all_reports_is_known_as_one(question: str) -> None:
    assert asks_for_list(question)


@pytest.mark.parametrize(
    "question",
    [
        "which drug caused the rash?",
        "what was reported of the patient with gout?",
        "how many days was she in hospital?",
        "Which antibiotic did the patients with botulism get?",
        "what dose of colchicine was given in the case of gout?",
        "how did the case of scurvy end?",
        "report the sodium level of the man with gout",
        "was there a relapse?",
    ],
)
def test_a_question_for_a_fact_is_not_taken_for_a_list(question: str) -> None:
    assert not asks_for_list(question)


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("Which case reports describe scurvy in sailors?", "scurvy in sailors?"),
        ("tetanus in farmers - which cases?", "tetanus in farmers - ?"),
        ("which case reports are there?", "which case reports are there?"),
    ],
)
def test_the_topic_is_what_is_left_without_the_words_that_ask(question: str, topic: str) -> None:
    assert topic_of(question) == topic


@pytest.mark.parametrize(
    ("text", "coverage"),
    [
        ("Cat scratch disease by B. henselae.", 1.0),
        ("Cat scratch disease by S. henselae.", 0.5),
        ("Cat scratch disease by Bartonella henselae.", 1.0),
        ("Cat scratch disease by Bartonella.", 0.5),
    ],
)
def test_a_species_that_a_record_abbreviates_covers_its_genus(text: str, coverage: float) -> None:
    weights = dict.fromkeys(analyse("Bartonella henselae"), 1.0)
    record = Record(record_id="pmid:1", abstract=text, content_hash="1")
    assert record_coverage("reports of Bartonella henselae in the eye", weights, record) == coverage


def test_every_record_on_the_topic_is_listed_once_and_no_other(demo_assistant: Assistant) -> None:
    given = demo_assistant.ask("which case reports describe lithium poisoning?")
    assert given.status == "answered"
    listed = [citation.record for citation in given.citations]
    assert len(listed) == len({record.record_id for record in listed}) == len(given.text.split("\n"))
    assert all("lithium" in f"{record.title} {record.abstract}".casefold() for record in listed)
    build = demo_assistant.index.current()
    on_topic = [record for record, _ in build.iter_records() if "lithium" in record.abstract.casefold()]
    assert len(listed) == len(on_topic)


def test_a_topic_that_no_record_has_is_refused(demo_assistant: Assistant) -> None:
    assert demo_assistant.ask("which case reports describe dupilumab conjunctivitis?").citations == ()
