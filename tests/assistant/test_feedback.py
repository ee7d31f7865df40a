"""Verdicts on answers: stored, replaced, exported, and asked again by the installed command."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from assistant import Assistant, Turn
from assistant.answers import Answer
from assistant.evaluation import read_questions
from assistant.feedback import MAX_COMMENT_CHARS, FeedbackStore, export_questions
from assistant.settings import AssistantSettings
from index.errors import WrongUseError
from index.types import Filters
from tests.conftest import Casecite

BMD = "What was the BMD change under romosozumab?"
ROMOSOZUMAB = "doi:10.21037/acr-24-163"
SILENT = "How was dupilumab conjunctivitis treated?"


@pytest.fixture
def store(tmp_path: Path) -> FeedbackStore:
    return FeedbackStore(tmp_path / "kept" / "feedback.sqlite")


@pytest.fixture(scope="module")
def answer(demo_assistant: Assistant) -> Answer:
    given = demo_assistant.ask(BMD)
    assert len(given.citations) > 1
    return given


@pytest.fixture(scope="module")
def refusal(demo_assistant: Assistant) -> Answer:
    return demo_assistant.ask(SILENT)


def test_a_verdict_is_kept_with_what_it_takes_to_ask_again(store: FeedbackStore, answer: Answer) -> None:
    history = [Turn(role="user", content="Tell me of romosozumab"), Turn(role="assistant", content="…")]
    filters = Filters(year_from=2020, journals=("AME case reports",))
    store.add(answer, "down", session="s", history=history, filters=filters, comment="Which site?\n=1+1 <b>\u202e")
    (kept,) = store
    assert (kept.verdict, kept.comment) == ("down", "Which site?\n=1+1 <b>\u202e")
    assert (kept.question, kept.query, list(kept.history), kept.filters) == (BMD, answer.query, history, filters)
    assert (kept.index_id, kept.settings_id, kept.model) == (answer.index_id, answer.settings_id, None)
    assert (kept.answer.text, kept.answer.status, kept.answer.confidence) == (
        answer.text,
        "answered",
        answer.confidence,
    )
    assert [(item.number, item.record_id, item.start, item.end, item.quote) for item in kept.answer.citations] == [
        (item.number, item.record.record_id, item.start, item.end, item.quote) for item in answer.citations
    ]
    assert kept.time.utcoffset().total_seconds() == 0


def test_a_second_verdict_of_the_session_on_the_answer_replaces_the_first(store: FeedbackStore, answer: Answer) -> None:
    store.add(answer, "up", session="one")
    store.add(answer, "up", session="other")
    store.add(answer, "down", session="one", comment="wrong site")
    assert [(kept.verdict, kept.comment) for kept in store] == [("down", "wrong site"), ("up", "")]


def test_two_sentences_of_an_answer_can_be_called_wrong_and_each_only_once(
    store: FeedbackStore, answer: Answer
) -> None:
    for number, comment in ((1, "a"), (2, "b"), (1, "c")):
        store.add(answer, "wrong_evidence", session="s", comment=comment, citation_number=number)
    assert [(kept.citation_number, kept.comment) for kept in store] == [(1, "c"), (2, "b")]


def test_the_same_question_asked_elsewhere_is_another_answer(store: FeedbackStore, answer: Answer) -> None:
    store.add(answer, "up", session="s")
    store.add(answer, "down", session="s", filters=Filters(year_from=2020))
    store.add(answer, "down", session="s", history=[Turn(role="user", content="Hello")])
    store.add(replace(answer, index_id="another"), "down", session="s")
    assert len(list(store)) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"verdict": "down", "comment": "x" * (MAX_COMMENT_CHARS + 1)}, "2,001 characters, at most 2,000", id="long"
        ),
        pytest.param({"verdict": "wrong_evidence"}, "on citation None", id="no citation named"),
        pytest.param({"verdict": "wrong_evidence", "citation_number": 9}, "on citation 9", id="no such citation"),
        pytest.param({"verdict": "up", "citation_number": 1}, "on citation 1", id="thumb on a citation"),
    ],
)
def test_what_cannot_be_kept_is_refused(store: FeedbackStore, answer: Answer, options: dict, message: str) -> None:
    with pytest.raises(WrongUseError, match=message):
        store.add(answer, session="s", **options)
    assert list(store) == []


def test_no_session_is_stored_the_file_is_private_and_half_a_character_does_no_harm(
    store: FeedbackStore, answer: Answer
) -> None:
    store.add(answer, "down", session="10.1.2.3 jane.doe\ud800", comment="bad \ud800 end")
    assert [kept.comment for kept in store] == ["bad ? end"]
    content = b"".join(path.read_bytes() for path in store.path.parent.iterdir())
    assert b"jane" not in content
    assert b"10.1.2.3" not in content
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def _add_from_threads(path: Path, process: int, answer: Answer, start: threading.Barrier) -> None:
    start.wait()
    threads = [
        threading.Thread(
            target=lambda thread=thread: [
                FeedbackStore(path).add(answer, "up", session=f"{process} {thread} {number}") for number in range(10)
            ]
        )
        for thread in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_several_processes_and_threads_lose_nothing_also_where_the_file_is_new(
    store: FeedbackStore, refusal: Answer
) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(3)
    processes = [context.Process(target=_add_from_threads, args=(store.path, n, refusal, start)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert len(list(store)) == 90


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda path: path.write_text("no database, but text" * 100), "not a database", id="other file"),
        pytest.param(lambda path: path.mkdir(), "cannot be kept in .*feedback", id="folder"),
        pytest.param(
            lambda path: sqlite3.connect(path).execute("PRAGMA user_version = 2").connection.close(),
            "has version 2, this casecite reads 1",
            id="newer version",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, answer: Answer, make: object, message: str) -> None:
    path = tmp_path / "feedback.sqlite"
    make(path)
    with pytest.raises(WrongUseError, match=message):
        FeedbackStore(path).add(answer, "up", session="s")
    with pytest.raises(WrongUseError, match=message):
        list(FeedbackStore(path))


def test_where_feedback_is_kept_is_no_matter_of_answers() -> None:
    settings = AssistantSettings()
    elsewhere = AssistantSettings(feedback_path="/elsewhere")
    assert settings.settings_id == elsewhere.settings_id != AssistantSettings(top_k=3).settings_id


def test_after_a_thumbs_up_the_citations_are_gold_but_those_that_the_session_called_wrong(
    store: FeedbackStore, answer: Answer
) -> None:
    store.add(answer, "up", session="s")
    store.add(answer, "up", session="other", comment="just so")
    store.add(answer, "wrong_evidence", session="s", citation_number=2)
    ours, others = export_questions(store)
    assert ours["gold_sentence"] == [citation.quote for citation in answer.citations if citation.number != 2]
    assert others["gold_sentence"] == [citation.quote for citation in answer.citations]
    assert (others["kind"], others["gold_doc_ids"]) == ("feedback", [ROMOSOZUMAB])
    assert [(note["verdict"], note["comment"]) for note in others["notes"]] == [("up", "just so")]


def test_without_a_known_gold_a_question_is_unjudged_and_not_evaluated(
    store: FeedbackStore, answer: Answer, refusal: Answer, tmp_path: Path
) -> None:
    store.add(answer, "down", session="s")
    store.add(refusal, "down", session="s", comment="There is one: PMID 1.")
    for citation in answer.citations:
        store.add(answer, "wrong_evidence", session="t", citation_number=citation.number)
    store.add(answer, "up", session="t")
    assert [(item["kind"], item["gold_doc_ids"], "gold_sentence" in item) for item in export_questions(store)] == [
        ("unjudged", [], False)
    ] * 3
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(item) + "\n" for item in export_questions(store)))
    with pytest.raises(WrongUseError, match=r"no questions in .* but 3 unjudged"):
        read_questions(path)


def test_a_refusal_that_was_right_is_an_unanswerable_question(store: FeedbackStore, refusal: Answer) -> None:
    store.add(refusal, "up", session="s")
    assert [(item["kind"], item["gold_doc_ids"]) for item in export_questions(store)] == [("unanswerable", [])]


def test_the_export_is_asked_again_by_evaluate(
    casecite: Casecite, store: FeedbackStore, demo_assistant: Assistant, demo_index_dir: Path, tmp_path: Path
) -> None:
    first = demo_assistant.ask(BMD)
    history = first.turns
    follow_up = demo_assistant.ask("and did her back pain get better?", history)
    elsewhere = Filters(year_to=2020)
    filtered = demo_assistant.ask("What was the plasma lithium level?", filters=elsewhere)
    store.add(first, "up", session="s", comment="line\nbreak \u2028 and more")
    store.add(follow_up, "up", session="s", history=history)
    store.add(filtered, "up", session="s", filters=elsewhere)
    store.add(demo_assistant.ask(SILENT), "up", session="s")
    store.add(first, "down", session="t")

    environment = {"CASECITE_FEEDBACK_PATH": str(store.path)}
    exported = casecite("feedback", "export", "-o", "questions.jsonl", environment=environment)
    assert (exported.returncode, exported.stdout) == (0, "")
    assert exported.stderr.strip() == "3 feedback, 1 unanswerable, 1 unjudged"

    options = ["--questions", "questions.jsonl", "-o", "report.json"]
    run = casecite("evaluate", *options, index=demo_index_dir)
    assert run.returncode == 0, run.stderr
    assert "questions that nobody has judged yet, which were not asked: 1" in run.stderr
    rows = json.loads((tmp_path / "report.json").read_text("utf-8"))["rows"]
    assert [row["query"] for row in rows] == [first.query, follow_up.query, filtered.query, SILENT]
    for row in rows[:3]:  # the same index and the same question, so the same sentences
        assert (row["measures"]["citation_precision"], row["measures"]["sentence_recall"]) == (1, 1)
    assert rows[3]["measures"] == {"answered_unanswerable": 0}


def test_the_export_goes_to_standard_output_and_an_empty_one_is_an_error(
    casecite: Casecite, store: FeedbackStore, answer: Answer
) -> None:
    environment = {"CASECITE_FEEDBACK_PATH": str(store.path)}
    empty = casecite("feedback", "export", environment=environment)
    assert (empty.returncode, empty.stdout) == (2, "")
    assert f"no feedback in {store.path}" in empty.stderr
    assert not store.path.exists()
    store.add(answer, "down", session="s")
    run = casecite("feedback", "export", environment=environment)
    assert [json.loads(line)["kind"] for line in run.stdout.splitlines()] == ["unjudged"]
    unwritable = casecite("feedback", "export", "-o", "no/such/folder.jsonl", environment=environment)
    assert unwritable.returncode == 2
    assert "cannot write no/such/folder.jsonl" in unwritable.stderr


def test_filters_of_a_question_file_that_are_wrong_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    line = {"id": "1", "question": "What dose?", "gold_doc_ids": [], "filters": {"year_from": 2020, "year_to": 2010}}
    path.write_text(json.dumps(line))
    with pytest.raises(WrongUseError, match="line 1: filters: no year is both 2020 or later and 2010"):
        read_questions(path)
