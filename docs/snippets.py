"""What the docs are made of that can be made: settings, commands, the tree. `make docs` writes it into them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import fields
from inspect import getdoc
from pathlib import Path
from typing import Any

from pydantic_settings import BaseSettings

import assistant
import index
from assistant.api.settings import PageSettings
from assistant.settings import AssistantSettings
from index.fetch.settings import FetchSettings
from index.settings import IndexSettings

ROOT = Path(__file__).parent.parent
PACKAGES = ("assistant", "index", "prompts")


def settings_table() -> str:
    """Every setting: its environment variable, what it is, its default."""
    lines = ["| variable | what it sets | default |", "|---|---|---|"]
    for settings in (IndexSettings, FetchSettings, AssistantSettings, PageSettings):
        lines += [_setting_row(settings, name) for name in settings.model_fields]
    return "\n".join(lines)


def _setting_row(settings: type[BaseSettings], name: str) -> str:
    field = settings.model_fields[name]
    default = field.get_default(call_default_factory=True)
    shown = "in the user's data folder" if isinstance(default, Path) else f"`{default}`" if default else "none"
    return f"| `CASECITE_{name.upper()}` | {field.description} | {shown} |"


def command_help(*command: str) -> str:
    """What a command says of itself."""
    program = [str(Path(sys.executable).with_name("casecite")), *command, "--help"]
    environment = os.environ | {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    text = subprocess.run(program, capture_output=True, text=True, check=True, env=environment).stdout
    return "```text\n" + "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n```"


def example_answer() -> str:
    """What the demo answers to the first question of the README."""
    from assistant import Assistant
    from index import DEMO_RECORDS, build_index

    with tempfile.TemporaryDirectory() as folder:
        build_index([DEMO_RECORDS], folder)
        with Assistant.open(folder) as assistant:
            text = assistant.ask("What was the BMD change under romosozumab?").to_text()
    return f"```text\n{text}\n```"


def data_model() -> str:
    """Every type of the data model: what it is and its fields."""
    parts = []
    for name in ("Record", "Chunk", "Passage", "Filters", "Rejection", "BuildReport"):
        parts.append(_describe_type(getattr(index, name)))
    for name in ("Turn", "Evidence", "Citation", "Claim", "Answer", "AnswerEvent"):
        parts.append(_describe_type(getattr(assistant, name)))
    return "\n\n".join(parts)


def _describe_type(kind: type) -> str:
    rows = [f"| `{field.name}` | `{field.type}` |".replace(" | None", " or None") for field in fields(kind)]
    return "\n".join([f"## {kind.__name__}", "", getdoc(kind) or "", "", "| field | type |", "|---|---|", *rows])


def module_tree() -> str:
    """Every module with the first line of its docstring."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return _tree([*paths, ROOT / "app.py"])


def package_tree() -> str:
    """Every package with the first line of its docstring."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("__init__.py"))]
    return _tree([*paths, ROOT / "app.py"])


def _tree(paths: list[Path]) -> str:
    names = [path.relative_to(ROOT).as_posix().replace("/__init__.py", "/") for path in paths]
    width = max(map(len, names)) + 1
    lines = [f"{name:{width}} {_first_line(path)}" for name, path in zip(names, paths, strict=True)]
    return "```text\n" + "\n".join(lines) + "\n```"


def page_table() -> str:
    """How long the page lets people wait."""
    data = _read_result("page")
    lines = [
        "| what | p50 | p95 | longest |",
        "|---|---|---|---|",
        f"| page open and ready for a question, s | {data['usable_s']} | | {data['usable_worst_s']} |",
    ]
    for key, name in (("one_user", "one user"), ("eight_users", "eight users who ask at once")):
        row = data[key]
        asked = f"first text of an answer, {name}, ms ({row['questions']} questions)"
        lines.append(f"| {asked} | {row['p50_ms']:,} | {row['p95_ms']:,} | {row['max_ms']:,} |")
    return "\n".join(
        [*lines, "", f"Made by `{data['command']}` on {data['date']}, {data['records']:,} records, 2 cores."]
    )


def _first_line(path: Path) -> str:
    return path.read_text("utf-8").removeprefix('"""').splitlines()[0].removesuffix('"""')


def result_table(name: str) -> str:
    """A results file of `docs/results` as a table: one row a measure."""
    data = _read_result(name)
    rows = [f"| {measure} | {value} |" for measure, value in data["measures"].items()]
    head = ["| measure | value |", "|---|---|"]
    return "\n".join([*head, *rows, "", f"Made by `{data['command']}` on {data['date']}."])


def quality_table() -> str:
    """What the assistant is judged by, with intervals, beside a plain vector search."""
    data = _read_result("quality")
    lines = ["| measure | value | 95 % interval | questions | vector search alone |", "|---|---|---|---|---|"]
    for row in data["table"]:
        if "p50" in row:
            lines.append(f"| {row['measure']} | {row['p50']:.0f} / {row['p95']:.0f} | | | |")
            continue
        interval = "" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}"
        dense = "" if row["dense"] is None else f"{row['dense']:.2f}"
        lines.append(f"| {row['measure']} | {row['value']:.2f} | {interval} | {row['questions']} | {dense} |")
    return "\n".join([*lines, "", f"Made by `{data['command']}` on {data['date']}."])


def kinds_table(key: str) -> str:
    """The measures kind by kind."""
    names = {
        "hit@1": "record first",
        "hit@10": "record in ten",
        "answer_at_1": "answer in first quote",
        "answer_in_text": "answer shown",
        "citation_precision": "cited P",
        "citation_recall": "cited R",
        "abstained_answerable": "refused",
    }
    lines = [f"| kind | questions | {' | '.join(names.values())} |", "|---|---|" + "---|" * len(names)]
    for group in _read_result("quality")[key]:
        measures = group["measures"]
        cells = [f"{measures[name]['value']:.2f}" if name in measures else "" for name in names]
        lines.append(f"| {group['kind']} | {group['questions']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def planted_table() -> str:
    """What the claim check catches of planted faults, and what it lets through of sound statements."""
    data = _read_result("claims")
    lines = ["| drafts | number | caught | passed | share |", "|---|---|---|---|---|"]
    for group, name in (("fault", "faults"), ("sound", "sound statements")):
        own = [row for row in data["planted"] if row["group"] == group]
        lines += [_planted_row(row) for row in [*own, {"group": group, "kind": f"**all {name}**"} | _sums(own)]]
    lines += [_planted_row(row) for row in data["planted"] if row["group"] in ("paraphrase", "harder")]
    check, first, text = data["check_ms"], data["model"]["first_piece_ms"], data["model"]["first_text_ms"]
    times = (
        f"The check takes {check['p50']:.0f} ms a statement at p50, {check['p95']:.0f} ms at p95. With the small model "
        f"below, its first word comes {first['p50'] / 1000:.1f} s after the question and the first checked statement "
        f"after {text['p50'] / 1000:.1f} s (medians of {text['count']} answers)."
    )
    return "\n".join([*lines, "", times, "", f"Made by `{data['command']}` on {data['date']}."])


def _planted_row(row: dict[str, Any]) -> str:
    is_fault = row["group"] in ("fault", "harder")
    count = row["caught"] if is_fault else row["shown"]
    cells = f"{count} | " if is_fault else f" | {count}"
    name = {"paraphrase": "sound, in other words", "harder": f"harder: {row['kind']}"}.get(row["group"], row["kind"])
    return f"| {name} | {row['drafts']} | {cells} | {count / row['drafts']:.3f} |"


def _sums(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {key: sum(row[key] for row in rows) for key in ("drafts", "caught", "shown")}


def small_model_table() -> str:
    """Answers of the small chat model with the check and without it."""
    model = _read_result("claims")["model"]
    names = {
        "numbers": "numbers shown",
        "foreign_numbers": "of them, in no sentence that is cited for them",
        "answers_with_foreign_numbers": "answers with such a number",
        "right": f"right answers, gold record cited (of {model['answerable']} answerable)",
        "answered_unanswerable": f"unanswerable questions answered (of {model['questions'] - model['answerable']})",
    }
    lines = ["| what | checked | draft as it was | quotes alone |", "|---|---|---|---|"]
    quotes = {"right": model["right_by_quotes_alone"]}
    lines += [
        f"| {name} | {model['on'][key]} | {model['off'][key]} | {quotes.get(key, '')} |" for key, name in names.items()
    ]
    lines += ["", "| what became of a question | questions | share |", "|---|---|---|"]
    for outcome, count in model["outcomes"].items():
        lines.append(f"| {outcome} | {count} | {count / model['questions']:.2f} |")
    off = model["off"]
    note = (
        f"Of the {off['claims']} statements in {model['drafts']} drafts, {off['uncited']} had no key that was offered."
    )
    return "\n".join([*lines, "", note])


def reader_facts() -> str:
    """What the packaged reader was made from."""
    facts = json.loads((ROOT / "assistant" / "reading" / "reader.json").read_text("utf-8"))
    rows = [
        ("weights", f"{facts['bytes']:,} bytes, bfloat16, SHA-256 `{facts['sha256']}`"),
        ("snapshots averaged", ", ".join(f"`{name}`" for name in facts["snapshots"])),
        ("configuration", ", ".join(f"{key} {value}" for key, value in facts["config"].items())),
    ]
    last = _read_result("training")["validations"][-1]
    rows.append(("last validation", ", ".join(f"{key} {value}" for key, value in last.items())))
    return "\n".join(["| what | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])


def _read_result(name: str) -> Any:
    return json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text("utf-8"))
