"""The command as a stranger runs it, in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from index import DEMO_RECORDS
from tests.conftest import Casecite

BMD = "what was the BMD change under romosozumab?"


def test_ask_prints_the_answer_and_its_reference(casecite: Casecite, demo_index_dir: Path) -> None:
    run = casecite("ask", BMD, index=demo_index_dir)
    assert run.returncode == 0
    assert "22.1%" in run.stdout
    assert "https://doi.org/10.21037/acr-24-163" in run.stdout
    assert run.stderr == ""


def test_ask_json_writes_one_object_and_nothing_else(casecite: Casecite, demo_index_dir: Path) -> None:
    run = casecite("ask", BMD, "--json", "--index", str(demo_index_dir), "--top-k", "3")
    data = json.loads(run.stdout)
    assert data["citations"][0]["record"]["doi"] == "10.21037/acr-24-163"
    assert run.stdout.count("\n") == 1
    assert run.stderr == ""


def test_what_the_records_do_not_say_exits_with_3(casecite: Casecite, demo_index_dir: Path) -> None:
    run = casecite("ask", "how was dupilumab conjunctivitis treated?", index=demo_index_dir)
    assert run.returncode == 3
    assert run.stdout.strip() == "These reports don't say."


def test_year_and_journal_options_filter(casecite: Casecite, demo_index_dir: Path) -> None:
    options = ["--year-from", "2020", "--year-to", "2030", "--journal", "ame case reports"]
    data = json.loads(casecite("ask", BMD, "--json", *options, index=demo_index_dir).stdout)
    assert {item["record"]["doi"] for item in data["evidence"]} == {"10.21037/acr-24-163"}


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        pytest.param(["ask", ""], 2, "the question is empty", id="empty question"),
        pytest.param(["ask"], 2, "Missing argument", id="no question"),
        pytest.param(["ask", BMD, "--top-k", "0"], 2, "setting top_k", id="setting out of range"),
        pytest.param(["ask", BMD, "--llm", "gpt"], 2, "name it as provider:model", id="chat model without provider"),
        pytest.param(["index", "update"], 2, "no records to add", id="nothing to add"),
        pytest.param(["index", "build", "nowhere.jsonl"], 2, "no file or folder at nowhere.jsonl", id="missing file"),
        pytest.param(["frobnicate"], 2, "No such command", id="unknown command"),
    ],
)
def test_wrong_use_exits_with_2_and_one_line(
    casecite: Casecite, demo_index_dir: Path, arguments: list[str], exit_code: int, message: str
) -> None:
    run = casecite(*arguments, index=demo_index_dir)
    assert run.returncode == exit_code
    assert message in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("arguments", [["ask", BMD], ["chat"], ["serve"], ["index", "info"], ["index", "update", "-"]])
def test_without_an_index_every_command_exits_with_4_and_says_what_to_do(
    casecite: Casecite, tmp_path: Path, arguments: list[str]
) -> None:
    run = casecite(*arguments, index=tmp_path / "none")
    assert run.returncode == 4
    assert run.stderr.strip() == f"casecite: no index in {tmp_path / 'none'} (casecite index build PATH (or --demo))"


def test_build_reports_what_it_did_and_names_what_it_rejected(casecite: Casecite, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(DEMO_RECORDS.read_text("utf-8") + '{"title": "without text"}\n', "utf-8")
    run = casecite("index", "build", "in.jsonl", "--index", "made")
    assert run.returncode == 0
    assert "40 records in" in run.stdout
    assert "rejected: in.jsonl, line 41: abstract: no text" in run.stdout
    assert "reading records: 41 in " in run.stderr
    assert "all rejected input: made/builds/" in run.stdout
    info = json.loads(casecite("index", "info", "--json", "--index", "made").stdout)
    assert (info["record_count"], info["rejected_count"]) == (40, 1)
    assert "all-MiniLM-L6-v2 (384 dimensions" in casecite("index", "info", "--index", "made").stdout


def test_records_come_from_standard_input(casecite: Casecite) -> None:
    record = {"pmid": "5", "abstract": "A clown of 33 years lost his sense of smell after a fall."}
    run = casecite("index", "build", "-", "--json", "--index", "made", stdin=json.dumps(record))
    assert json.loads(run.stdout)["record_count"] == 1


def test_chat_answers_line_by_line_and_keeps_the_case(casecite: Casecite, demo_index_dir: Path) -> None:
    run = casecite("chat", index=demo_index_dir, stdin=f"{BMD}\nand did she have further fractures?\n\n")
    assert run.returncode == 0
    assert run.stdout.count("https://doi.org/10.21037/acr-24-163") == 2
    assert "40 records" in run.stderr
    assert f"for “{BMD} and did she have further fractures?”" in run.stderr  # what was searched


def test_doctor_says_what_is_in_use_and_what_to_fix(casecite: Casecite, demo_index_dir: Path, tmp_path: Path) -> None:
    healthy = casecite("doctor", index=demo_index_dir)
    assert healthy.returncode == 0
    for part in ("chromadb", "all-MiniLM-L6-v2", "40 records", "answers are made of quotes"):
        assert part in healthy.stdout
    ill = casecite("doctor", "--llm", "nowhere:model", index=tmp_path / "none")
    assert ill.returncode == 1
    assert "FIX  index" in ill.stdout
    assert "FIX  chat model" in ill.stdout
