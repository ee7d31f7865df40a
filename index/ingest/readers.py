"""Reads files, folders and standard input to raw records, one at a time, each with its file and line."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

from index.errors import WrongUseError
from index.ingest.archives import GZIP_START, READ_ERRORS, ZIP_START, unpack_gzip, unpack_zip
from index.ingest.formats import RECORD_SUFFIXES, STDIN_NAME, Format, detect_format, formats_with
from index.ingest.formats.raw_record import RawRecord, reject
from index.ingest.formats.table import NO_COLUMN_MAP, ColumnMap
from index.ingest.formats.text import is_binary
from index.types import Rejection

STDIN = "-"
HEAD_BYTES = 65_536  # the beginning of a file, from which its format is detected

_Items = Iterator[RawRecord | Rejection]


def read_sources(paths: Sequence[str | Path], column_map: ColumnMap = NO_COLUMN_MAP) -> _Items:
    """Yield the raw records of files, folders (recursively, sorted by name) and `-` (standard input).

    Formats are detected from content (`index.ingest.formats`), also within `.gz` and `.zip` files. Symbolic links in a
    folder are followed only to files in that folder. `column_map` names the column of a table for each field with an
    unusual name: `{"abstract": "Zusammenfassung"}`.

    Raises:
        WrongUseError: a path is neither a file nor a folder, or the column map has an unknown field. Raised before
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
    raise WrongUseError(f"neither a file nor a folder: {path}", remedy="pass its content on standard input, as -")


def _read_folder(folder: Path, formats: Sequence[Format]) -> _Items:
    root = os.path.realpath(folder)
    errors: list[OSError] = []
    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=errors.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if Path(place, name).is_symlink()]
        found += [Path(place, name) for name in (*names, *links) if not name.startswith(".")]
    yield from (reject(_path_text(error.filename), f"cannot be read: {error.strerror}") for error in errors)
    for path in sorted(found):
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
            yield reject(_path_text(path), "not read: a link out of the folder; give the path that it points to")
        elif not path.is_file():
            yield reject(_path_text(path), "not read: not a regular file, or a link to a folder")
        else:
            yield from _read_file(path, formats)


def _read_file(path: Path, formats: Sequence[Format]) -> _Items:
    name = _path_text(path)
    try:
        with path.open("rb") as stream:
            head, size = stream.peek(4), path.stat().st_size
            if head.startswith(GZIP_START):
                yield from _read_stream(name, unpack_gzip(stream, size), formats)
            elif head.startswith(ZIP_START) and name.lower().endswith(".zip"):
                yield from _reject_if_empty(_read_zip(name, stream, size, formats), name)
            else:
                yield from _read_stream(name, stream, formats)
    except READ_ERRORS as error:
        yield reject(name, f"cannot be read: {error}")


def _read_zip(name: str, stream: io.BufferedReader, size: int, formats: Sequence[Format]) -> _Items:
    for member, content in unpack_zip(stream, size):
        member_name = f"{name}/{_escape_controls(member)}"
        try:
            if isinstance(content, Exception):
                raise content
            yield from _read_stream(member_name, content, formats)
        except READ_ERRORS as error:
            yield reject(member_name, f"cannot be read: {error}")


def _read_stream(name: str, stream: IO[bytes] | io.RawIOBase, formats: Sequence[Format]) -> _Items:
    buffered: io.BufferedReader = io.BufferedReader(cast(Any, stream), HEAD_BYTES)
    try:
        head = buffered.peek()
        if kind := detect_format(head, name, formats):
            yield from _reject_if_empty(kind.read(buffered, name), name)
        elif head.startswith((GZIP_START, ZIP_START)):
            yield reject(name, "not read: compressed within a compressed file, or not named .zip: unpack it first")
        elif is_binary(head):
            yield reject(name, "not read: its content is binary")
        else:
            suffixes = ", ".join(RECORD_SUFFIXES)
            yield reject(name, f"not read: no format in its first line, and its name ends in none of {suffixes}")
    finally:
        buffered.detach()  # otherwise it would close standard input


def _reject_if_empty(items: _Items, name: str) -> _Items:
    """The items, or one rejection if there are none (a file of comments or empty rows, an archive without files)."""
    is_empty = True
    for item in items:
        is_empty = False
        yield item
    if is_empty:
        yield reject(name, "it contains no record")


def _path_text(path: str | Path) -> str:
    """The path as text that can be stored, although file names may contain bytes that are not UTF-8."""
    return _escape_controls(os.fsencode(path).decode("utf-8", errors="replace"))


def _escape_controls(name: str) -> str:
    """A name on one line, with control characters escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)
