"""Files, folders and standard input to raw records, one at a time, each with the place it came from."""

from __future__ import annotations

import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from index.errors import WrongUseError
from index.formats import RECORD_SUFFIXES, Format, detect_format, formats_with
from index.formats.raw_record import RawRecord
from index.formats.table import NO_COLUMN_MAP, ColumnMap
from index.types import Rejection

STDIN = "-"
HEAD_BYTES = 65_536  # what a format is told from


def read_sources(paths: Sequence[str | Path], column_map: ColumnMap = NO_COLUMN_MAP) -> Iterator[RawRecord | Rejection]:
    """Yield the raw records of files, folders (all below, in the order of their names) and `-` (standard input).

    The format of each is found by its content (`index.formats`); `.gz` of each is read too. `column_map` says which
    column of a table gives a field, where that is not one of the usual names: `{"abstract": "Zusammenfassung"}`.

    Raises:
        WrongUseError: a path does not exist, or a field of the column map. It is raised before anything is read.
    """
    formats = formats_with(column_map)
    for path in paths:
        if str(path) != STDIN and not Path(path).exists():
            raise WrongUseError(f"no file or folder at {path}", remedy="check the path")
    for path in paths:
        yield from _read_path(path, formats)


def _read_path(path: str | Path, formats: Sequence[Format]) -> Iterator[RawRecord | Rejection]:
    if str(path) == STDIN:
        yield from _read_stream("<stdin>", sys.stdin.buffer, formats)
    elif Path(path).is_dir():
        files = sorted(file for file in Path(path).rglob("*") if file.is_file() and not _is_hidden(file, Path(path)))
        for file in files:
            yield from _read_file(file, formats)
    else:
        yield from _read_file(Path(path), formats)


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _name(path: Path) -> str:
    """The path as text that can be stored: a file name may hold bytes that are no UTF-8."""
    return os.fsencode(path).decode("utf-8", errors="replace")


def _read_file(path: Path, formats: Sequence[Format]) -> Iterator[RawRecord | Rejection]:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    if not suffixes or suffixes[-1] not in RECORD_SUFFIXES:
        reason = f"not read: the name ends in none of {', '.join(RECORD_SUFFIXES)} (or these with .gz)"
        yield Rejection(file=_name(path), line=None, field=None, reason=reason)
        return
    try:
        with _open_bytes(path) as stream:
            yield from _read_stream(_name(path), stream, formats)
    except (OSError, EOFError, UnicodeError, zlib.error) as error:
        yield Rejection(file=_name(path), line=None, field=None, reason=f"cannot be read: {error}")


@contextmanager
def _open_bytes(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as probe:
        is_gzip = probe.read(2) == b"\x1f\x8b"
    with path.open("rb") as stream:
        yield cast("IO[bytes]", gzip.GzipFile(fileobj=stream)) if is_gzip else stream


def _read_stream(name: str, stream: IO[bytes], formats: Sequence[Format]) -> Iterator[RawRecord | Rejection]:
    buffered: io.BufferedReader = io.BufferedReader(cast(Any, stream), HEAD_BYTES)
    try:
        yield from detect_format(buffered.peek(), name, formats).read(buffered, name)
    finally:
        buffered.detach()  # or it would close standard input
