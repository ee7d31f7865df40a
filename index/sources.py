"""Files, folders and standard input to raw records, one at a time, each with the place it came from."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any, cast

from index.errors import WrongUseError
from index.folding import fold_text
from index.markup import read_abstract
from index.types import Rejection

RECORD_SUFFIXES = (".json", ".jsonl", ".ndjson", ".txt")
STDIN = "-"
MAX_RAW_CHARS = 2_000
# Around an abstract that an aggregator repeats as text stand its headings and lines such as a citation count.
MAX_ECHO_EXTRA_CHARS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRecord:
    """What a source says of one record, before it is checked."""

    file: str
    line: int | None
    data: dict[str, Any]

    def reject(self, field: str | None, reason: str) -> Rejection:
        """The rejection of this record, with the beginning of what it holds."""
        raw = json.dumps(self.data, ensure_ascii=False)[:MAX_RAW_CHARS]
        return Rejection(file=self.file, line=self.line, field=field, reason=reason, raw=raw)


def read_sources(paths: Sequence[str | Path]) -> Iterator[RawRecord | Rejection]:
    """Yield the raw records of files, folders (all below, in the order of their names) and `-` (standard input).

    A file holds one JSON record, a JSON list or `{"records": [...]}`, or a record a line; `.gz` of each is read too.

    Raises:
        WrongUseError: a path does not exist. It is raised before anything is read.
    """
    for path in paths:
        if str(path) != STDIN and not Path(path).exists():
            raise WrongUseError(f"no file or folder at {path}", remedy="check the path")
    for path in paths:
        yield from _read_path(path)


def _read_path(path: str | Path) -> Iterator[RawRecord | Rejection]:
    if str(path) == STDIN:
        yield from _read_stream("<stdin>", sys.stdin.buffer)
    elif Path(path).is_dir():
        for file in sorted(file for file in Path(path).rglob("*") if file.is_file() and not file.name.startswith(".")):
            yield from _read_file(file)
    else:
        yield from _read_file(Path(path))


def _read_file(path: Path) -> Iterator[RawRecord | Rejection]:
    suffixes = [suffix for suffix in path.suffixes if suffix != ".gz"]
    if not suffixes or suffixes[-1].lower() not in RECORD_SUFFIXES:
        reason = f"not read: the name ends in none of {', '.join(RECORD_SUFFIXES)} (or these with .gz)"
        yield Rejection(file=str(path), line=None, field=None, reason=reason)
        return
    try:
        with _open_bytes(path) as stream:
            yield from _read_stream(str(path), stream)
    except (OSError, EOFError, zlib.error) as error:
        yield Rejection(file=str(path), line=None, field=None, reason=f"cannot be read: {error}")


@contextmanager
def _open_bytes(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as probe:
        is_gzip = probe.read(2) == b"\x1f\x8b"
    with path.open("rb") as stream:
        yield cast(IO[bytes], gzip.GzipFile(fileobj=stream)) if is_gzip else stream


def _read_stream(name: str, stream: Iterable[bytes]) -> Iterator[RawRecord | Rejection]:
    """Lines of JSON, or one JSON value over several lines, whichever the first line with text turns out to be."""
    lines = ((number, line) for number, line in enumerate(map(_decode, stream), start=1) if line.strip())
    first = next(lines, None)
    if first is None:
        yield Rejection(file=name, line=None, field=None, reason="the file is empty")
    elif isinstance(value := _parse_object(first[1]), dict) and "records" not in value:
        yield from _read_lines(name, first, lines)
    elif first[1].lstrip()[0] in "{[":
        yield from _read_value(name, first[0], first[1] + "".join(line for _, line in lines))
    else:
        yield from _read_lines(name, first, lines)


def _decode(line: bytes) -> str:
    return line.decode("utf-8-sig", errors="replace")


def _parse_object(line: str) -> Any:
    """The JSON value of a line, or None where it holds none (which no record is)."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _read_value(name: str, line: int, text: str) -> Iterator[RawRecord | Rejection]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        if "\n{" in text:  # a record a line, of which the first is broken
            numbered = list(enumerate(text.splitlines(keepends=True), start=line))
            yield from _read_lines(name, numbered[0], iter(numbered[1:]))
            return
        at = line + error.lineno - 1 if isinstance(error, json.JSONDecodeError) else line
        yield Rejection(file=name, line=at, field=None, reason=f"not JSON: {error}", raw=text[:MAX_RAW_CHARS])
        return
    if isinstance(value, dict) and isinstance(value.get("records"), list):
        value = value["records"]
    for item in value if isinstance(value, list) else [value]:
        yield _as_raw_record(name, None if isinstance(value, list) else line, item)


def _as_raw_record(name: str, line: int | None, value: Any) -> RawRecord | Rejection:
    if isinstance(value, dict):
        return RawRecord(file=name, line=line, data=value)
    raw = json.dumps(value, ensure_ascii=False)[:MAX_RAW_CHARS]
    return Rejection(file=name, line=line, field=None, reason=f"not a JSON object: {type(value).__name__}", raw=raw)


def _read_lines(name: str, first: tuple[int, str], rest: Iterator[tuple[int, str]]) -> Iterator[RawRecord | Rejection]:
    """A record a line. Text after a record that only repeats its abstract is left out; other text is rejected."""
    record: dict[str, Any] | None = None
    stray: list[tuple[int, str]] = []
    for number, line in chain([first], rest):
        value = _parse_object(line)
        if value is None:
            stray.append((number, line))
            continue
        yield from _reject_stray(name, stray, record)
        item = _as_raw_record(name, number, value)
        record, stray = (item.data if isinstance(item, RawRecord) else None), []
        yield item
    yield from _reject_stray(name, stray, record)


def _reject_stray(name: str, stray: list[tuple[int, str]], record: dict[str, Any] | None) -> Iterator[Rejection]:
    if record is not None and _is_echo("".join(line for _, line in stray), record):
        return
    for number, line in stray:
        yield Rejection(file=name, line=number, field=None, reason="not JSON", raw=line.strip()[:MAX_RAW_CHARS])


def _is_echo(text: str, record: dict[str, Any]) -> bool:
    """Whether the text is the record's abstract once more, with little around it."""
    abstract = record.get("abstract")
    if not isinstance(abstract, str) or not text:
        return False
    plain = read_abstract(abstract)
    folded = fold_text(text)
    paragraphs = [fold_text(paragraph) for paragraph in plain.text.split("\n") if paragraph.strip()]
    extra = len(folded) - sum(map(len, paragraphs))
    return bool(paragraphs) and all(part in folded for part in paragraphs) and extra <= MAX_ECHO_EXTRA_CHARS
