"""The command line: the installed command in a process of its own, and errors and reports by `main` in this one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.cli.main import main
from index import DEMO_RECORDS
from tests.conftest import Casecite

BMD = "what was the BMD change under romosozumab?"

Run = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process; its exit code, stdout and stderr."""

    def run(*arguments: str, index: Path) -> tuple[int, str, str]:
        monkeypatch.setenv("CASECITE_INDEX_DIR", str(index))
        monkeypatch.setattr("sys.argv", ["casecite", *arguments])
        with pytest.raises(SystemExit) as ending:
            main()
        return (ending.value.code or 0, *capsys.readouterr())

    return run


def test_ask_prints_the_answer_and_its_reference(casecite: Casecite, demo_index_dir: Path) -> None:
    run = casecite("ask", BMD, index=demo_index_dir)
    assert run.returncode == 0
    assert "22.1%" in run.stdout
    assert "https://doi.org/10.21037/acr-24-163" in run.stdout
    assert run.stderr == ""


def test_ask_json_writes_one_object_and_options_filter(casecite: Casecite, demo_index_dir: Path) -> None:
    options = ["--top-k", "3", "--year-from", "2020", "--year-to", "2030", "--journal", "ame case reports"]
    run = casecite("ask", BMD, "--json", "--index", str(demo_index_dir), *options)
    data = json.loads(run.stdout)
    assert data["citations"][0]["record"]["doi"] == "10.21037/acr-24-163"
    assert {item["record"]["doi"] for item in data["evidence"]} == {"10.21037/acr-24-163"}
    assert (run.stdout.count("\n"), run.stderr) == (1, "")


def test_a_question_without_an_answer_exits_with_3(run: Run, demo_index_dir: Path) -> None:
    code, out, _ = run("ask", "how was dupilumab conjunctivitis treated?", index=demo_index_dir)
    assert (code, out.strip()) == (3, "These reports don't say.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["ask", ""], "the question is empty", id="empty question"),
        pytest.param(["ask"], "Missing argument", id="no question"),
        pytest.param(["ask", BMD, "--top-k", "0"], "setting top_k", id="setting out of range"),
        pytest.param(["ask", BMD, "--llm", "gpt"], "name it as provider:model", id="chat model without provider"),
        pytest.param(["index", "update"], "no records to add", id="nothing to add"),
        pytest.param(["index", "build", "nowhere.jsonl"], "no file or folder at nowhere.jsonl", id="missing file"),
        pytest.param(["frobnicate"], "No such command", id="unknown command"),
    ],
)
def test_wrong_use_exits_with_2_and_a_message(
    run: Run, demo_index_dir: Path, arguments: list[str], message: str
) -> None:
    code, _, err = run(*arguments, index=demo_index_dir)
    assert code == 2
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [["ask", BMD], ["chat"], ["serve"], ["index", "info"], ["index", "update", "-"]])
def test_without_an_index_every_command_exits_with_4_and_names_the_remedy(
    run: Run, tmp_path: Path, arguments: list[str]
) -> None:
    code, _, err = run(*arguments, index=tmp_path / "none")
    message = f"casecite: no index in {tmp_path / 'none'} (casecite index build PATH (or --demo))"
    assert (code, err.strip()) == (4, message)


def test_build_reports_counts_and_rejected_input(casecite: Casecite, run: Run, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(DEMO_RECORDS.read_text("utf-8") + '{"title": "without text"}\n', "utf-8")
    built = casecite("index", "build", "in.jsonl", "--index", "made")
    assert built.returncode == 0
    assert "40 records in" in built.stdout
    assert "rejected: in.jsonl, line 41: abstract: no text" in built.stdout
    assert "reading records: 41 in " in built.stderr
    assert "all rejected input: made/builds/" in built.stdout
    info = json.loads(run("index", "info", "--json", index=tmp_path / "made")[1])
    assert (info["record_count"], info["rejected_count"]) == (40, 1)
    assert "all-MiniLM-L6-v2 (384 dimensions" in run("index", "info", index=tmp_path / "made")[1]


def test_records_come_from_standard_input(casecite: Casecite) -> None:
    record = {"pmid": "5", "abstract": "A clown of 33 years lost his sense of smell after a fall."}
    run = casecite("index", "build", "-", "--json", "--index", "made", stdin=json.dumps(record))
    assert json.loads(run.stdout)["record_count"] == 1


def test_chat_answers_line_by_line_and_keeps_the_case(casecite: Casecite, demo_index_dir: Path) -> None:
    run = casecite("chat", index=demo_index_dir, stdin=f"{BMD}\nand did she have further fractures?\n\n")
    assert run.returncode == 0
    assert run.stdout.count("https://doi.org/10.21037/acr-24-163") == 2
    assert "40 records" in run.stderr
    assert f"for “{BMD} and did she have further fractures?”" in run.stderr  # the query


def test_doctor_reports_the_state_and_what_to_fix(
    casecite: Casecite, run: Run, demo_index_dir: Path, tmp_path: Path
) -> None:
    healthy = casecite("doctor", index=demo_index_dir)
    assert healthy.returncode == 0
    for part in ("chromadb", "all-MiniLM-L6-v2", "40 records", "answers are made of quotes"):
        assert part in healthy.stdout
    code, out, _ = run("doctor", "--llm", "nowhere:model", index=tmp_path / "none")
    assert code == 1
    assert "FIX  index" in out
    assert "FIX  chat model" in out
