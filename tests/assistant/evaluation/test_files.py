"""Question files, queries and qrels: what is read, and what is said of what cannot be."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from assistant.evaluation import read_judged_queries, read_questions
from assistant.evaluation.provenance import find_commit
from index.errors import WrongUseError

GOOD = {"id": "q1", "kind": "quantity", "question": "how much?", "gold_doc_ids": ["pmid:1"], "answers": ["5 mg"]}


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines), "utf-8")
    return path


def test_a_question_keeps_what_is_known_of_its_answer(tmp_path: Path) -> None:
    line = GOOD | {"gold_sentence": "5 mg was given.", "must_include": ["5 mg", " "], "note": None}
    (question,) = read_questions(write(tmp_path / "q.jsonl", "", line))
    assert (question.question_id, question.kind, question.turn) == ("q1", "quantity", 1)
    assert question.gold == {"pmid:1": 1}
    assert (question.gold_sentences, question.must_include) == (("5 mg was given.",), ("5 mg",))


def test_a_line_ends_at_a_line_feed_and_nowhere_else(tmp_path: Path) -> None:
    lines = [json.dumps(GOOD | {"question": "how\u2028much\x85?"}, ensure_ascii=False) + "\r", "{"]
    with pytest.raises(WrongUseError, match="line 2: not JSON"):
        read_questions(write(tmp_path / "q.jsonl", *lines))


def test_turns_are_a_conversation_of_first_and_later_questions(tmp_path: Path) -> None:
    turn = {"question": "and then?", "gold_doc_ids": ["pmid:1"]}
    questions = read_questions(write(tmp_path / "q.jsonl", {"id": 7, "kind": "follow_up", "turns": [turn, turn, turn]}))
    assert [len(turns) for turns in questions.conversations] == [3]
    assert [(item.question_id, item.turn, item.kind) for item in questions] == [
        ("7", 1, "follow_up first"),
        ("7", 2, "follow_up later"),
        ("7", 3, "follow_up later"),
    ]


def test_a_question_without_gold_records_is_unanswerable(tmp_path: Path) -> None:
    (question,) = read_questions(write(tmp_path / "q.jsonl", GOOD | {"kind": "unanswerable", "gold_doc_ids": []}))
    assert not question.is_answerable


def test_the_digest_is_of_the_text_whether_packed_or_not(tmp_path: Path) -> None:
    plain = write(tmp_path / "q.jsonl", GOOD)
    packed = tmp_path / "q.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    digests = {read_questions(path).source.sha256 for path in (plain, packed)}
    assert digests == {hashlib.sha256(plain.read_bytes()).hexdigest()}
    assert read_questions(packed).source.name == "q.jsonl.gz"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        pytest.param([GOOD, "{"], "line 2: not JSON: ", id="no JSON"),
        pytest.param(["[1]"], "line 1: not a JSON object", id="a list"),
        pytest.param([GOOD, GOOD], "line 2: the id q1 is repeated", id="id twice"),
        pytest.param([{"id": "q", "question": "x?"}], "line 1: gold_doc_ids: Field required", id="no gold"),
        pytest.param([GOOD | {"question": " "}], "line 1: question: ", id="empty question"),
        pytest.param([GOOD | {"answers": [1]}], "line 1: answers.0: Input should be a valid string", id="number"),
        pytest.param([GOOD | {"answers": {"a": 1}}], "line 1: answers: ", id="object for a list"),
        pytest.param([GOOD | {"kind": "unanswerable"}], "line 1: gold_doc_ids: the kind is unan", id="contradiction"),
        pytest.param([{"id": "q", "turns": []}], "line 1: turns: ", id="no turns"),
        pytest.param([{"id": "q", "turns": [{"question": "x"}]}], "turns.0.gold_doc_ids: ", id="turn without gold"),
        pytest.param([{"_id": "q", "text": "x"}], "line 1: this is a BEIR query; .* --qrels", id="BEIR"),
        pytest.param([""], "no questions in", id="empty file"),
    ],
)
def test_a_malformed_line_is_named_with_its_reason(tmp_path: Path, lines: list[Any], message: str) -> None:
    with pytest.raises(WrongUseError, match=message):
        read_questions(write(tmp_path / "q.jsonl", *lines))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("q.jsonl", None, "no file at", id="missing"),
        pytest.param("q.jsonl", b'{"id": 1}\n\xff', "line 2: not UTF-8 text", id="not text"),
        pytest.param("q.jsonl.gz", b"plain", "cannot be read: Not a gzipped file", id="not packed"),
        pytest.param("q.jsonl.gz", gzip.compress(b"{}" * 99)[:-9], "cannot be read: ", id="packed but cut off"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(WrongUseError, match=message):
        read_questions(tmp_path / name)


BEIR = ['{"_id": "1", "text": "one"}', '{"_id": "2", "text": "two"}', '{"_id": "3", "text": "not judged"}']


@pytest.mark.parametrize(
    ("queries", "qrels"),
    [
        pytest.param(BEIR, ["query-id\tcorpus-id\tscore", "1\tA\t2", "1\tB\t0", "2\tC\t1"], id="BEIR"),
        pytest.param(["1\tone", "2\ttwo", "3\tnot judged"], ["1 0 A 2", "1 0 B -1", "2 0 C 1"], id="TREC"),
        pytest.param(BEIR, ["1\tA\t2", "2\tC\t1", "3\tD\t0"], id="BEIR without header, one query without gold"),
    ],
)
def test_queries_are_read_with_what_is_relevant(tmp_path: Path, queries: list[str], qrels: list[str]) -> None:
    judged = read_judged_queries(write(tmp_path / "queries", *queries), write(tmp_path / "qrels", *qrels))
    assert {query.text: query.gold for query in judged} == {"one": {"A": 2}, "two": {"C": 1}}
    assert judged.qrels is not None
    assert judged.qrels.name == "qrels"


@pytest.mark.parametrize(
    ("queries", "qrels", "message"),
    [
        pytest.param(BEIR, ["1 A"], "qrels, line 1: neither query, record", id="two columns"),
        pytest.param(BEIR, ["1 A 1", "1 B high"], "qrels, line 2: neither", id="relevance is no number"),
        pytest.param(BEIR, ["9 A 1"], "judges 1 queries that .* does not have: 9", id="unknown query"),
        pytest.param(BEIR, ["1 A 0"], "no relevant record in", id="nothing relevant"),
        pytest.param(['{"_id": "1"}'], ["1 A 1"], "queries, line 1: neither", id="query without text"),
        pytest.param(["1 no tab"], ["1 A 1"], "queries, line 1: neither", id="topic without tab"),
    ],
)
def test_malformed_queries_and_qrels_are_named(
    tmp_path: Path, queries: list[str], qrels: list[str], message: str
) -> None:
    with pytest.raises(WrongUseError, match=message):
        read_judged_queries(write(tmp_path / "queries", *queries), write(tmp_path / "qrels", *qrels))


def test_files_outside_a_checkout_have_no_commit(tmp_path: Path) -> None:
    assert find_commit(write(tmp_path / "source.py", "")) is None


def test_the_shared_questions_are_read(shared_data: Path) -> None:
    assert len(read_questions(shared_data / "cases" / "questions.dev.jsonl").conversations) == 170
    scifact = shared_data / "scifact"
    assert len(read_judged_queries(scifact / "queries.test.jsonl", scifact / "qrels.test.tsv").conversations) == 300
