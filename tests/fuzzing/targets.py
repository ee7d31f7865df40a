"""The fuzz targets, for hypothesis, atheris and the corpus."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from assistant import Assistant

from .files import check_bibtex, check_files, check_json, check_table, check_tagged, check_xml
from .questions import check_query
from .texts import check_draft, check_text

CORPUS = Path(__file__).parent / "corpus"
WORDS = Path(__file__).parent / "words"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`check` gets bytes, and an assistant on the demo index if it `needs_index`; it raises an error on failure."""

    check: Callable[..., None]
    needs_index: bool = False


TARGETS = {
    "tagged": Target(check=check_tagged),
    "bibtex": Target(check=check_bibtex),
    "json": Target(check=check_json),
    "xml": Target(check=check_xml),
    "table": Target(check=check_table),
    "files": Target(check=check_files),
    "text": Target(check=check_text),
    "draft": Target(check=check_draft),
    "query": Target(check=check_query, needs_index=True),
}


def bind(target: Target, assistant: Callable[[], Assistant]) -> Callable[[bytes], None]:
    """The check of a target as a function of bytes only."""
    return partial(target.check, assistant=assistant()) if target.needs_index else target.check


def corpus_of(name: str) -> list[Path]:
    """The corpus of a target: seeds, and inputs that once failed."""
    return sorted(path for path in (CORPUS / name).iterdir() if path.is_file())


def words_of(name: str) -> list[bytes]:
    """The tokens of a target and of prose; the files have a JSON string per line."""
    lines = [
        *(WORDS / f"{name}.txt").read_text("utf-8").splitlines(),
        *(WORDS / "prose.txt").read_text("utf-8").splitlines(),
    ]
    return [json.loads(line).encode("utf-8", "surrogatepass") for line in lines]
