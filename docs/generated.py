"""The generated parts of the docs: `make docs` writes them, `make lint` fails where they are stale.

A page says in a cog block which table it wants. Cells are f-string templates over a results file (`docs/results`), so
`"{build_s:,.0f}"` is the field `build_s` of a row; a template that a row lacks a value for gives an empty cell.
"""

from __future__ import annotations

import ast
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import fields, replace
from functools import cache
from inspect import getdoc
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pydantic_settings import BaseSettings

import assistant
import index

ROOT = Path(__file__).parent.parent
TYPES = {
    index: ("Record", "Chunk", "Passage", "Filters", "Rejection", "BuildReport"),
    assistant: ("Turn", "Evidence", "Citation", "Claim", "Answer", "AnswerEvent"),
}
# What differs from run to run or from machine to machine in the output of a command, and what is shown in its place.
VARYING = {
    r"\b\d+\.\d s\b": "… s",
    r"\b\d+ files": "… files",
    r"\b\d+\.\d MB\b": "… MB",
    r"\d{8}T\d{6}Z-[0-9a-f]{6}": "BUILD",
    r"\d{4}-\d\d-\d\d \d\d:\d\d UTC": "…",
    r"(?ms)(?<=^built from         ).+?(?=^last input)": "…\n",
}


def table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    lines = [" | ".join(map(str, row)) for row in (head, *rows)]
    rule = "---|" * (len(re.findall(r" \| ", lines[0])) + 1)
    return "\n".join([f"| {lines[0]} |", f"|{rule}", *(f"| {line} |" for line in lines[1:])])


def result_table(name: str, rows: str | Mapping[str, str], columns: Mapping[str, str | tuple[str, ...]]) -> str:
    """A part of a results file as a table: a row for each entry, a column for each template (or the first that fits).

    `rows` is the path of a list or an object in the file, or names each row with its path. Templates see the fields of
    the row, of the file, the row itself as `row` and its key as `key`.
    """
    data = read_result(name)
    entries = _at(data, rows) if isinstance(rows, str) else {key: _at(data, path) for key, path in rows.items()}
    lines = []
    for key, row in entries.items() if isinstance(entries, dict) else enumerate(entries):
        names = data | (row if isinstance(row, dict) else {}) | {"key": key, "row": row}
        lines.append([_fill(templates, names) for templates in columns.values()])
    return table(columns, lines)


def result_facts(name: str, facts: Mapping[str, str | Sequence[str]], head: Sequence[str] = ("what", "figure")) -> str:
    """Single values of a results file as a table: the templates of a row's name and of its cells."""
    data = read_result(name)
    rows = [(label, *([cells] if isinstance(cells, str) else cells)) for label, cells in facts.items()]
    return table(head, [[_fill(cell, data) for cell in row] for row in rows])


def result_text(name: str, template: str) -> str:
    """A sentence with values of a results file."""
    return _fill(" ".join(template.split()), read_result(name))


def made_by(name: str) -> str:
    """The command that wrote a results file, and when it did."""
    return result_text(name, "Made by `{command}` on {date}.")


def read_result(name: str) -> Any:
    """The content of a results file."""
    return json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text("utf-8"))


def _at(data: Any, path: str) -> Any:
    for key in path.split("."):
        data = data[key]
    return data


def _fill(templates: str | tuple[str, ...], names: Mapping[str, Any]) -> str:
    for template in [templates] if isinstance(templates, str) else templates:
        try:
            return str(eval(f"f{template!r}", dict(names)))
        except (KeyError, NameError, TypeError):  # no such value
            continue
    return ""


def fields_table(place: str, places: Mapping[str, Sequence[str]]) -> str:
    """Where a format has each field of a record."""
    return table(("field", place), [(f"`{name}`", ", ".join(f"`{at}`" for at in ats)) for name, ats in places.items()])


def settings_table(*kinds: type[BaseSettings]) -> str:
    """Every setting: its environment variable, what it is, its default."""
    rows = []
    for name, field in ((name, field) for kind in kinds for name, field in kind.model_fields.items()):
        default = field.get_default(call_default_factory=True)
        shown = "in the user's data folder" if isinstance(default, Path) else f"`{default}`" if default else "none"
        rows.append((f"`CASECITE_{name.upper()}`", field.description, shown))
    return table(("variable", "what it sets", "default"), rows)


def command_help(*command: str) -> str:
    """The help of a command."""
    program = [str(Path(sys.executable).with_name("casecite")), *command, "--help"]
    environment = os.environ | {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    run = subprocess.run(program, capture_output=True, text=True, check=True, env=environment)
    return block("text", run.stdout)


@cache
def demo_answer(question: str) -> assistant.Answer:
    """What the demo answers, with a fixed name in place of its build's, which would make the docs stale each day."""
    with tempfile.TemporaryDirectory() as folder:
        index.build_index([index.DEMO_RECORDS], folder)
        with assistant.Assistant.open(folder) as demo:
            return replace(demo.ask(question), index_id="demo")


def data_model() -> str:
    """Every type of the data model: what it is and its fields."""
    parts = []
    for kind in (getattr(module, name) for module, names in TYPES.items() for name in names):
        rows = [(f"`{field.name}`", f"`{field.type}`".replace(" | None", " or None")) for field in fields(kind)]
        parts += [f"## {kind.__name__}", getdoc(kind) or "", table(("field", "type"), rows)]
    return "\n\n".join(parts)


def package_tree(*packages: str) -> str:
    """Every package with the first line of its docstring."""
    paths = [path for package in packages for path in sorted((ROOT / package).rglob("__init__.py"))]
    names = [path.parent.relative_to(ROOT).as_posix() + "/" for path in paths]
    width = max(map(len, names)) + 1
    first_lines = [ast.get_docstring(ast.parse(path.read_text("utf-8"))).partition("\n")[0] for path in paths]
    return block("text", "\n".join(f"{name:{width}} {line}" for name, line in zip(names, first_lines, strict=True)))


def faults() -> list[tuple[str, str, str, str]]:
    """Part, what was tried, what happens and a link to the test, of each test with the marker `fault`."""
    rows = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for call in getattr(node, "decorator_list", []):
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.fault":
                    said = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
                    link = f"[{path.name}](../{path.relative_to(ROOT).as_posix()}): `{node.name}`"
                    rows.append((said["part"], said["tried"], said["happens"], link))
    return sorted(rows, key=lambda row: row[0].casefold())


def count_entries(path: str, *names: str) -> int:
    """How many entries the named tables (tuples or dictionaries) of a module of the tests have together."""
    nodes = [node for node in ast.parse((ROOT / path).read_text("utf-8")).body if isinstance(node, ast.Assign)]
    values = [node.value for node in nodes if ast.unparse(node.targets[0]) in names]
    return sum(len(value.keys if isinstance(value, ast.Dict) else value.elts) for value in values)


@cache
def _library() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def in_library() -> chdir[str]:
    """The folder in which `console` runs its commands, as the working directory."""
    return chdir(_library().name)


def console(command: str) -> str:
    """Run `casecite index COMMAND` in the folder of `in_library`: what is typed, its output, and its exit code."""
    from assistant.cli.main import main

    out, err, ending = io.StringIO(), io.StringIO(), ""
    arguments = patch.object(sys, "argv", ["casecite", "index", *command.split()])
    environment = patch.dict(os.environ, CASECITE_INDEX_DIR="library")
    with in_library(), arguments, environment, redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            ending = f"\n(exit code {ended.code})" if ended.code else ""
        text = (out.getvalue() or err.getvalue().splitlines()[-1]).replace(f"{Path.cwd()}/", "")
    for pattern, shown in VARYING.items():
        text = re.sub(pattern, shown, text)
    return block("console", f"$ casecite index {command}\n{text.strip()}{ending}")


def block(language: str, text: str) -> str:
    """A fenced block."""
    return f"```{language}\n" + "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n```"
