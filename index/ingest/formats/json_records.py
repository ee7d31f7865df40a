"""Reads JSON, even if it is broken in places: one record, a list, an object that wraps a list, or one per line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import BufferedReader
from itertools import count
from typing import Any

from index.ingest.formats.aggregators import rename_fields
from index.ingest.formats.json_text import JsonText, NotJsonError, load_object
from index.ingest.formats.raw_record import RawRecord, reject
from index.ingest.formats.text import MAX_ENTRY_CHARS, TOO_LONG, open_text
from index.ingest.markup import read_abstract
from index.text.normalisation import fold_text
from index.types import Rejection

MAX_ECHO_EXTRA_CHARS = 400  # headings, a citation count etc. around an abstract that an aggregator repeats as text
MAX_STRAY_LINES = 100
MAX_STRAY_CHARS = 200_000
LISTS = ("records", "data", "result")  # names of lists of records: ours, Semantic Scholar's, Europe PMC's
WRAPPER = "resultList"  # contains the list of Europe PMC

_START = re.compile(r'\[\s*(?:[\[{"\]]|$)|\{\s*(?:["}]|$)')


def is_json(head: str) -> bool:
    """Whether the first text of a file is JSON: a list or an object."""
    return bool(_START.match(head))


def read_json(stream: BufferedReader, file: str) -> Iterator[RawRecord | Rejection]:
    """The records of a file of JSON lines, or of values over several lines; the first non-blank lines decide."""
    with open_text(stream) as source:
        text = JsonText(source)
        if not text.peek():
            yield reject(file, "the file is empty")
        objects_line = 0
        while first := text.peek():
            if first == "[":
                yield from _read_list(text, file)
                if text.peek():
                    yield reject(file, "not JSON: text after a list", text.line, text.look())
                    text.move_to_end()
            elif first == "{" and (text.line == objects_line or not _is_record_a_line(*text.look_lines(2))):
                objects_line = text.line  # of several objects on one line only the first is checked
                yield from _read_object(text, file)
            else:
                yield from _read_lines(text, file)


def _is_record_a_line(first: str = "{", second: str = "") -> bool:
    """Whether text that starts with these lines is JSON lines, even if the first line is broken."""
    try:
        value = load_object(first)
    except NotJsonError:
        with suppress(NotJsonError):
            load_object(second)  # within a value over several lines, only after a line that ends before a value
            return not first.rstrip().endswith(("[", "{", ":", ","))
        return False
    wraps = isinstance(value.get(WRAPPER), dict) or any(isinstance(value.get(name), list) for name in LISTS)
    return "abstract" in value or not wraps


def _read_object(text: JsonText, file: str) -> Iterator[RawRecord | Rejection]:
    """One record over several lines, or the records of the list in an object."""
    line, start, head = text.line, text.offset, text.look()
    data: dict[str, Any] = {}
    is_wrapper = False
    try:
        for name in _iter_names(text):
            if text.peek() == "[" and name in LISTS and "abstract" not in data:
                is_wrapper = True
                yield from _read_list(text, file)
                continue
            value = text.take()
            if text.offset - start > MAX_ENTRY_CHARS and not is_wrapper:
                raise NotJsonError(TOO_LONG, line)
            data |= {} if is_wrapper else {name: value}
    except NotJsonError as error:
        yield reject(file, error.reason, error.line, head)
        text.move_to("\n{")
        return
    if not is_wrapper:
        yield RawRecord(file=file, line=line, data=rename_fields(data))


def _iter_names(text: JsonText) -> Iterator[str]:
    """The names of an object's members, including those within `WRAPPER`; the caller takes each value."""
    text.skip()
    depth = 1
    while depth:
        if text.peek(",") == "}":
            text.skip()
            depth -= 1
            continue
        name = text.take_name()
        if name == WRAPPER and text.peek() == "{":
            text.skip()
            depth += 1
        else:
            yield name


def _read_list(text: JsonText, file: str) -> Iterator[RawRecord | Rejection]:
    """The entries of a list. After a broken one, reading continues at the next line that may start an entry.

    It is found by its indent, as entries on separate lines start in the same column.
    """
    line = text.line
    text.skip()
    text.peek(",")
    indent = text.indent()
    for entry in count(1):
        if text.peek(",") in ("", "]"):
            break
        yield _read_entry(text, file, entry, None if indent is None else f"\n{indent}{{")
    text.skip()
    if entry == 1:
        yield reject(file, "the list is empty", line)


def _read_entry(text: JsonText, file: str, entry: int, next_entry: str | None) -> RawRecord | Rejection:
    """The next entry of a list; moves past it or, if it is broken, to what may be the start of the next one."""
    head = text.look()
    try:
        value = text.take()
    except NotJsonError as error:
        reason = f"entry {entry}: {error.reason}"
        line = error.line if error.is_passed else text.line
        if next_entry:
            text.move_to(next_entry)
            head = head.partition(next_entry)[0]
        elif not error.is_passed:
            text.move_to_end()
            reason += "; not read from here on"
        return reject(file, reason, line, head)
    if not isinstance(value, dict):
        return reject(file, f"entry {entry}: not a JSON object: {type(value).__name__}", content=value)
    return RawRecord(file=file, line=None, data=rename_fields(value), entry=entry)


@dataclass(slots=True)
class _Stray:
    """The lines since the last record that are not records: those to be rejected, and the number of further ones."""

    lines: list[tuple[int, str, str]] = field(default_factory=list)
    chars: int = 0
    more: int = 0

    def add(self, number: int, line: str, reason: str) -> None:
        """Keep a line, or only count it if there are too many (of a binary file, for example)."""
        if len(self.lines) >= MAX_STRAY_LINES or self.chars > MAX_STRAY_CHARS:
            self.more += 1
            return
        self.chars += len(line)
        self.lines.append((number, line[:MAX_STRAY_CHARS], reason))

    def reject_all(self, file: str, record: dict[str, Any] | None) -> Iterator[Rejection]:
        """A rejection for each line, unless together they only repeat the abstract of the record before them."""
        if record is not None and not self.more and _is_echo("".join(text for _, text, _ in self.lines), record):
            return
        for number, text, reason in self.lines:
            yield reject(file, reason, number, text.strip())
        if self.more:
            yield reject(file, f"no record, like {self.more:,} of the lines after it", self.lines[-1][0])


def _read_lines(text: JsonText, file: str) -> Iterator[RawRecord | Rejection]:
    """One record per line. Text after a record that repeats its abstract is ignored; other text is rejected."""
    record: dict[str, Any] | None = None
    stray = _Stray()
    while text.peek():
        number, line = text.line, text.take_line()
        try:
            value = load_object(line)
        except NotJsonError as error:
            stray.add(number, line, error.reason)
            continue
        yield from stray.reject_all(file, record)
        record, stray = value, _Stray()
        yield RawRecord(file=file, line=number, data=rename_fields(value))
    yield from stray.reject_all(file, record)


def _is_echo(text: str, record: dict[str, Any]) -> bool:
    """Whether the text repeats the abstract of the record, with few other characters."""
    abstract = record.get("abstract")
    if not isinstance(abstract, str) or not text or len(abstract) > MAX_STRAY_CHARS:
        return False
    folded = fold_text(text)
    paragraphs = [fold_text(paragraph) for paragraph in read_abstract(abstract).text.split("\n") if paragraph.strip()]
    extra = len(folded) - sum(map(len, paragraphs))
    return bool(paragraphs) and all(part in folded for part in paragraphs) and extra <= MAX_ECHO_EXTRA_CHARS
