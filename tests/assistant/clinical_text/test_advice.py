"""No answer advises: what reports recommend is told as theirs, what a model advises is left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.language_models import FakeListChatModel

from assistant import Answer, Assistant
from assistant.answers import NOT_ADVICE
from assistant.api.langchain import CaseReportChat
from assistant.api.schemas import describe_answer
from assistant.clinical_text.advice import ADVICE_LEAD, ADVICE_WARNING, asks_for_advice, find_advice, recommends
from assistant.page.conversation import Exchange, as_messages
from index import build_index
from prompts import load_prompt

DOSE = "A 61-year-old woman with gout took colchicine 3 mg daily for a week and had diarrhoea and weakness."
ADVICE = "We recommend colchicine 0.5 mg daily in patients with kidney disease."
RECORDS = (
    {
        "pmid": "1",
        "title": "Muscle weakness under colchicine",
        "abstract": f"{DOSE} Her creatine kinase rose to 2,400 U/L. It was normal ten days after the drug. {ADVICE}",
    },
    {"pmid": "2", "title": "Henna", "abstract": "A man had blisters two days after a henna tattoo."},
)
WHAT_IS_RECOMMENDED = "What dose of colchicine is recommended in kidney disease?"
FOR_MY_MOTHER = "What dose of colchicine should I give my 70-year-old mother with gout?"


@pytest.fixture(scope="module")
def index_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("advice")
    (folder / "records.jsonl").write_text("\n".join(map(json.dumps, RECORDS)), "utf-8")
    build_index([folder / "records.jsonl"], folder / "index")
    return folder / "index"


@pytest.fixture(scope="module")
def assistant(index_dir: Path) -> Iterator[Assistant]:
    with Assistant.open(index_dir) as assistant:
        yield assistant


def ask_with(draft: str, index_dir: Path, question: str = FOR_MY_MOTHER) -> Answer:
    with Assistant.open(index_dir, llm=FakeListChatModel(responses=[draft])) as assistant:
        return assistant.ask(question)


# Sentences


@pytest.mark.parametrize(
    "sentence",
    [
        ADVICE,
        "The authors therefore strongly advise against the combination.",
        "Lithium should be stopped before surgery.",
        "Potassium levels must be checked weekly.",
        "Clinicians need to be aware, and such patients need to be monitored.",
        "We suggest that the dose be halved in the elderly.",
        "It is recommended that fever is treated at once.",
        "Dialysis is the treatment of choice.",
        "It is advisable to wait. It is essential to test both eyes.",
        "The usual dose for adults is 5 mg.",
        "Avoid the drug in pregnancy.",
        "In such cases, give 5 mg at night.",
        "Start with 5 mg and increase to 10 mg.",
    ],
)
def test_what_should_be_done_is_a_recommendation(sentence: str) -> None:
    assert recommends(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "He was started on 5 mg.",
        "The dose was recommended by the manufacturer.",
        "She took twice the recommended dose.",
        "Surgery was recommended, but she refused.",
        "Her doctor suggested that she should rest.",
        "He should have been given penicillin.",
        "Cautery was the treatment of choice in this man.",
        "The scan indicated a fracture, as is indicated by the arrow.",
        "We suggest that the rash may be caused by henna.",
        "Increase of the dose led to recovery.",
        "Repeat scans showed no bleeding.",
        "Given the risk, the drug was stopped.",
        "Start of dialysis was followed by a seizure.",
        "How large should the margin be?",
        "Shoulder pain was felt on both sides.",
    ],
)
def test_what_happened_in_a_case_is_none(sentence: str) -> None:
    assert not recommends(sentence)


@pytest.mark.parametrize(
    "claim",
    [
        "Take colchicine 3 mg daily.",
        "Yes, stop the drug after a week.",
        "You should take colchicine 3 mg daily.",
        "Your mother took colchicine 3 mg daily.",
        "Patients should receive colchicine 3 mg daily.",
        "The recommended dose is 3 mg daily.",
        "The dose to give is 3 mg daily.",
        "Colchicine 3 mg daily can be given for a week.",
        "Colchicine 3 mg daily is safe for a week.",
        "Colchicine is to be given for a week.",
        "I would give colchicine 3 mg daily.",
        "The authors recommend colchicine 3 mg daily.",
        "Doctors recommend colchicine 3 mg daily.",
        "Do not give colchicine for more than a week.",
        "Let her take colchicine 3 mg daily.",
    ],
)
def test_a_claim_that_makes_advice_of_a_case_does_not_hold(claim: str) -> None:
    assert find_advice(claim, DOSE)


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("The authors recommend colchicine 0.5 mg daily.", ADVICE),
        ("According to the report, patients should receive 0.5 mg daily.", ADVICE),
        ("The authors recommended colchicine 0.5 mg daily.", ADVICE),
        ("The drug can be given for a week.", "The drug may be given safely for a week."),
        ("She took colchicine 3 mg daily and could not walk.", DOSE),
        ("Colchicine may have caused the weakness.", DOSE),
    ],
)
def test_a_claim_may_tell_what_was_done_and_what_authors_recommend(claim: str, quote: str) -> None:
    assert find_advice(claim, quote) is None


# Answers


def test_a_quote_that_recommends_is_said_to_be_one(assistant: Assistant) -> None:
    given = assistant.ask(WHAT_IS_RECOMMENDED)
    assert f"[1] {ADVICE_LEAD} “{ADVICE}”" in given.text.splitlines()
    assert f"“{DOSE}” [2]" in given.text.splitlines()
    assert given.citations[0].quote == ADVICE


def test_what_a_model_advises_is_left_out_and_quotes_take_its_place(index_dir: Path) -> None:
    given = ask_with("Take colchicine 3 mg daily [e1]. You should stop after a week [e1].", index_dir)
    assert given.mode == "extractive"
    assert "Take " not in given.text
    assert "You " not in given.text
    assert f"“{DOSE}”" in given.text
    assert ["it recommends" in given.claims[0].why, "addresses the user" in given.claims[1].why] == [True, True]


@pytest.mark.parametrize(
    ("draft", "line"),
    [
        pytest.param(ADVICE, f"{ADVICE_LEAD} “{ADVICE}”", id="the authors' words as its own"),
        pytest.param(f"“{ADVICE}” [{{key}}]", f"{ADVICE_LEAD} “{ADVICE}”", id="quoted"),
        pytest.param(
            "The authors recommend colchicine 0.5 mg daily in patients with kidney disease.",
            "The authors recommend colchicine 0.5 mg daily in patients with kidney disease. [1]",
            id="said to be theirs",
        ),
    ],
)
def test_what_authors_recommend_is_never_the_models_own_word(index_dir: Path, draft: str, line: str) -> None:
    with Assistant.open(index_dir) as assistant:
        evidence = assistant.ask(WHAT_IS_RECOMMENDED).evidence
    key = next(item.key for item in evidence if item.quote == ADVICE)
    given = ask_with(draft.replace("{key}", key), index_dir, WHAT_IS_RECOMMENDED)
    assert any(shown.endswith(line) for shown in given.text.splitlines())
    assert ADVICE not in given.text.replace(f"{ADVICE_LEAD} “{ADVICE}”", "")


# Questions


@pytest.mark.parametrize(
    "question",
    [
        FOR_MY_MOTHER,
        "should I stop it?",
        "is it safe to take ibuprofen with lithium?",
        "Can my father drive after a seizure?",
        "how much should she take",
        "Is amiodarone safe in pregnancy?",
        "what would you recommend for a boy with measles?",
        "what's the best treatment for gout?",
        "Do we need to taper prednisone?",
        "how do I treat lithium poisoning?",
        "what should be given to a patient with scurvy?",
    ],
)
def test_a_question_for_advice_is_known_as_one(question: str) -> None:
    assert asks_for_advice(question)


@pytest.mark.parametrize(
    "question",
    [
        "What dose was given to the 70-year-old woman?",
        "Was it safe to continue lithium in the reported woman?",
        "How many times the recommended dose did she take?",
        "My son has mumps; in the reported boy, how long did the swelling last?",
        "What do the authors say should be avoided?",
        "Which reports should I read on scurvy?",
        "can seizures follow bupropion?",
        "Could the boy walk after the operation?",
        "What was the maximum dose of prednisone?",
        "Who advised her to stop?",
    ],
)
def test_a_question_on_a_case_is_not(question: str) -> None:
    assert not asks_for_advice(question)


def test_who_asks_for_advice_gets_the_case_and_a_warning(assistant: Assistant) -> None:
    given = assistant.ask(FOR_MY_MOTHER)
    assert f"“{DOSE}” [1]" in given.text
    assert given.warnings == (ADVICE_WARNING,)
    assert assistant.ask("What dose of colchicine did the woman with gout take?").warnings == ()


def test_the_warning_stands_where_no_report_answers_too(assistant: Assistant) -> None:
    given = assistant.ask("Should I take warfarin with grapefruit?")
    assert (given.status, given.warnings) == ("insufficient_evidence", (ADVICE_WARNING,))
    assert ADVICE_WARNING in given.to_text()


# The note


def test_every_form_of_an_answer_says_once_that_it_is_no_advice(assistant: Assistant) -> None:
    given = assistant.ask(WHAT_IS_RECOMMENDED)
    earlier, latest = Exchange(question="q", answer=given), Exchange(question="q", answer=given)
    shown = [message["content"] for message in as_messages([earlier, latest])]
    for text in (given.to_text(), given.to_markdown(), shown[-1]):
        assert text.count(NOT_ADVICE) == 1
    assert NOT_ADVICE not in "".join(shown[:-1])
    assert describe_answer(given).notice == NOT_ADVICE
    message = CaseReportChat(assistant).invoke(WHAT_IS_RECOMMENDED)
    assert message.response_metadata["notice"] == NOT_ADVICE
    assert message.text == given.text  # which comes back as history


def test_an_answer_that_reports_nothing_does_not_say_so(assistant: Assistant) -> None:
    given = assistant.ask("How long was dupilumab given?")
    assert given.to_text() == given.to_markdown().replace("\\", "") == "These reports don't say."


def test_the_model_is_told_to_report_and_not_to_advise() -> None:
    prompt = load_prompt("answer")
    assert "Never advise, recommend or instruct" in prompt.system
    assert prompt.version == 3
