"""What `index-upkeep.md` is made of that can be made: the life of a small index, as the commands tell it."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from unittest.mock import patch

from assistant.cli.main import main
from index.storage.integrity import MEANINGS

NEW = [
    {
        "pmid": "1",
        "title": "A baker's rash",
        "abstract": "A baker of 41 years had a rash after quince cider.",
        "year": 2021,
    },
    {
        "pmid": "2",
        "title": "A diver's ear",
        "abstract": "A diver of 29 years lost the hearing of one ear.",
        "year": 2022,
    },
    {"title": "Without an abstract"},
]
# What differs from run to run, or from one machine to the next.
_VARYING = (
    (re.compile(r"\b\d+\.\d s\b"), "… s"),
    (re.compile(r"\b\d+ files"), "… files"),
    (re.compile(r"\b\d+\.\d MB\b"), "… MB"),
    (re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}"), "BUILD"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "…"),
    (re.compile(r"(?<=^built from         ).+?(?=^last input)", re.MULTILINE | re.DOTALL), "…\n"),
)


def told(name: str) -> str:
    """A command of the index's life and what it said."""
    return _live()[name]


@cache
def _live() -> dict[str, str]:
    with _new_folder() as folder:
        lines = [json.dumps(record) for record in NEW]
        (folder / "this-week.jsonl").write_text("\n".join(lines), "utf-8")
        life = {"build": _run("build --demo"), "update": _run("update this-week.jsonl"), "remove": _run("remove 2")}
        life |= {"info": _run("info"), "verify": _run("verify")}
        (records,) = (Path("library") / "builds" / Path("library/CURRENT").read_text("ascii")).glob("records.sqlite")
        content = bytearray(records.read_bytes())
        content[len(content) // 2] ^= 1
        records.write_bytes(content)
        life |= {"damaged": _run("verify"), "heal": _run("build"), "healed": _run("verify")}
        return life | {"gc": _run("gc"), "export": _run("export -o all.jsonl")}


@contextmanager
def _new_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder, chdir(folder), patch.dict(os.environ, CASECITE_INDEX_DIR="library"):
        yield Path(folder)


def _run(command: str) -> str:
    """What is typed and what comes, on stdout or else on stderr, and an exit code other than 0."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with patch.object(sys, "argv", ["casecite", "index", *command.split()]), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as ending:
            code = ending.code
    text = (out.getvalue() or err.getvalue().splitlines()[-1]).replace(f"{Path.cwd()}/", "")
    for pattern, shown in _VARYING:
        text = pattern.sub(shown, text)
    ending = f"\n(exit code {code})" if code else ""
    return f"```console\n$ casecite index {command}\n{text.strip()}{ending}\n```"


def parts_table() -> str:
    """Every part of a build and what damage to it means."""
    names = {"lexical": "lexical/", "vectors": "vectors/"}
    rows = [f"| `{names.get(part, part)}` | {meaning} |" for part, meaning in MEANINGS.items()]
    return "\n".join(["| file | if it differs from what was built |", "|---|---|", *rows])
