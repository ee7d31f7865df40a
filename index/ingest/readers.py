"""Files, folders and standard input to raw records, one at a time, each with the place it came from."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

from index.errors import WrongUseError
from index.ingest.archives import DAMAGES, GZIP_START, ZIP_START, unpack_gzip, unpack_zip
from index.ingest.formats import RECORD_SUFFIXES, STDIN_NAME, Format, detect_format, formats_with
from index.ingest.formats.raw_record import RawRecord
from index.ingest.formats.table import NO_COLUMN_MAP, ColumnMap
from index.ingest.formats.text import is_binary
from index.types import Rejection

STDIN = "-"
HEAD_BYTES = 65_536  # what a format is told from


def read_sources(paths: Sequence[str | Path], column_map: ColumnMap = NO_COLUMN_MAP) -> Iterator[RawRecord | Rejection]:
    """Yield the raw records of files, folders (all below, in the order of their names) and `-` (standard input).

    Formats are detected from content (`index.ingest.formats`); `.gz` and `.zip` of each are read too. In folders
    links are followed to files within the same folder only. `column_map` says which column of a table gives a field,
    where that is not one of the usual names: `{"abstract": "Zusammenfassung"}`.

    Raises:
        WrongUseError: a path is no file and no folder, or a field of the column map is none. It is raised before
            anything is read.
    """
    formats = formats_with(column_map)
    for path in paths:
        _check_path(path)
    for path in paths:
        if str(path) == STDIN:
            yield from _read_stream(STDIN_NAME, sys.stdin.buffer, formats)
        elif Path(path).is_dir():
            yield from _read_folder(Path(path), formats)
        else:
            yield from _read_file(Path(path), formats)


def _check_path(path: str | Path) -> None:
    if str(path) == STDIN or Path(path).is_file() or Path(path).is_dir():
        return
    if not Path(path).exists():
        raise WrongUseError(f"no file or folder at {path}", remedy="check the path")
    raise WrongUseError(f"neither a file nor a folder: {path}", remedy="give - and what it holds as standard input")


def _read_folder(folder: Path, formats: Sequence[Format]) -> Iterator[RawRecord | Rejection]:
    root = os.path.realpath(folder)
    unread: list[OSError] = []
    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=unread.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if Path(place, name).is_symlink()]
        found += [Path(place, name) for name in (*names, *links) if not name.startswith(".")]
    yield from (_reject(Path(error.filename), f"cannot be read: {error.strerror}") for error in unread)
    for path in sorted(found):
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
            yield _reject(path, "not read: a link out of the folder; give the path that it leads to")
        elif not path.is_file():
            yield _reject(path, "not read: no file, or a link to a folder")
        else:
            yield from _read_file(path, formats)


def _read_file(path: Path, formats: Sequence[Format]) -> Iterator[RawRecord | Rejection]:
    try:
        with path.open("rb") as stream:
            yield from _read_packed(_name(path), stream, path.stat().st_size, formats)
    except DAMAGES as error:
        yield _reject(path, f"cannot be read: {error}")


def _read_packed(
    name: str, stream: io.BufferedReader, size: int, formats: Sequence[Format]
) -> Iterator[RawRecord | Rejection]:
    head = stream.peek(4)
    if head.startswith(GZIP_START):
        yield from _read_stream(name, unpack_gzip(stream, size), formats)
    elif head.startswith(ZIP_START) and name.lower().endswith(".zip"):
        yield from _never_silent(_read_zip(name, stream, size, formats), name)
    else:
        yield from _read_stream(name, stream, formats)


def _read_zip(
    name: str, stream: io.BufferedReader, size: int, formats: Sequence[Format]
) -> Iterator[RawRecord | Rejection]:
    for member, content in unpack_zip(stream, size):
        yield from _read_member(f"{name}/{_printable(member)}", content, formats)


def _read_member(
    name: str, content: io.RawIOBase | Exception, formats: Sequence[Format]
) -> Iterator[RawRecord | Rejection]:
    try:
        if isinstance(content, Exception):
            raise content
        yield from _read_stream(name, content, formats)
    except DAMAGES as error:
        yield Rejection(file=name, line=None, field=None, reason=f"cannot be read: {error}")


def _read_stream(
    name: str, stream: IO[bytes] | io.RawIOBase, formats: Sequence[Format]
) -> Iterator[RawRecord | Rejection]:
    buffered: io.BufferedReader = io.BufferedReader(cast(Any, stream), HEAD_BYTES)
    try:
        head = buffered.peek()
        if kind := detect_format(head, name, formats):
            yield from _never_silent(kind.read(buffered, name), name)
        else:
            yield Rejection(file=name, line=None, field=None, reason=_explain_unknown(head))
    finally:
        buffered.detach()  # or it would close standard input


def _never_silent(items: Iterator[RawRecord | Rejection], name: str) -> Iterator[RawRecord | Rejection]:
    """The items, or a rejection where there is none: comments only, or empty rows, or a packed file without files."""
    is_empty = True
    for item in items:
        is_empty = False
        yield item
    if is_empty:
        yield Rejection(file=name, line=None, field=None, reason="there is no record in it")


def _explain_unknown(head: bytes) -> str:
    """Why a file is not read in whose content no format shows."""
    if head.startswith((GZIP_START, ZIP_START)):
        return "not read: compressed within a compressed file, or not named .zip: unpack it first"
    if is_binary(head):
        return "not read: its content is binary"
    return f"not read: no format shows in its first line, and its name ends in none of {', '.join(RECORD_SUFFIXES)}"


def _reject(path: Path, reason: str) -> Rejection:
    return Rejection(file=_name(path), line=None, field=None, reason=reason)


def _name(path: Path) -> str:
    """The path as text that can be stored: a file name may hold bytes that are no UTF-8."""
    return _printable(os.fsencode(path).decode("utf-8", errors="replace"))


def _printable(name: str) -> str:
    """A name on one line: line ends and other characters that steer a terminal are escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)
