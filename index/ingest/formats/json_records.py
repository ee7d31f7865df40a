"""Records in JSON: one, a list, what wraps a list, or a record a line; the file may be broken in places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from itertools import count
from typing import Any

from index.ingest.formats.aggregators import rename_fields
from index.ingest.formats.json_text import JsonText, NotJsonError, load_line
from index.ingest.formats.raw_record import RawRecord, excerpt
from index.ingest.formats.text import MAX_ENTRY_CHARS, TOO_LONG, open_text
from index.ingest.markup import read_abstract
from index.text.normalisation import fold_text
from index.types import Rejection

# Around an abstract that an aggregator repeats as text stand its headings and lines such as a citation count.
MAX_ECHO_EXTRA_CHARS = 400
MAX_STRAY_LINES = 100
MAX_STRAY_CHARS = 200_000
LISTS = ("records", "data", "result")  # what a list of records is called here, by Semantic Scholar, by Europe PMC
WRAPPER = "resultList"  # what Europe PMC's list stands in

_START = re.compile(r'\[\s*(?:[\[{"\]]|$)|\{\s*(?:["}]|$)')


def is_json(head: str) -> bool:
    """Whether a file that begins so holds JSON: a list, or an object."""
    return bool(_START.match(head))


def read_json(stream: BufferedReader, file: str) -> Iterator[RawRecord | Rejection]:
    """Lines of JSON, or values over several lines, whichever the first lines with text turn out to be."""
    with open_text(stream) as source:
        text = JsonText(source)
        if not text.peek():
            yield Rejection(file=file, line=None, field=None, reason="the file is empty")
        objects_line = 0
        while first := text.peek():
            if first == "[":
                yield from _read_list(text, file)
                yield from _reject_rest(text, file)
            elif first == "{" and (text.line == objects_line or not _is_record_a_line(*text.look_lines(2))):
                objects_line = text.line  # of many in one line only the first is looked at
                yield from _read_object(text, file)
            else:
                yield from _read_lines(text, file)


def _is_record_a_line(first: str = "{", second: str = "") -> bool:
    """Whether what begins with these lines goes on line by line, even where the first one is broken."""
    try:
        value = load_line(first)
    except NotJsonError:
        # In one value over several lines the second cannot be an object by itself, unless the first asks for a value.
        return not first.rstrip().endswith(("[", "{", ":", ",")) and _is_object(second)
    wraps = isinstance(value.get(WRAPPER), dict) or any(isinstance(value.get(name), list) for name in LISTS)
    return "abstract" in value or not wraps


def _is_object(line: str) -> bool:
    try:
        return isinstance(load_line(line), dict)
    except NotJsonError:
        return False


def _read_object(text: JsonText, file: str) -> Iterator[RawRecord | Rejection]:
    """One record over several lines, or the records of the list that an object wraps."""
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
        yield Rejection(file=file, line=error.line, field=None, reason=error.reason, raw=excerpt(head))
        text.move_to("\n{")
        return
    if not is_wrapper:
        yield _as_raw_record(file, line, data)


def _iter_names(text: JsonText) -> Iterator[str]:
    """The names of an object's members and of those that wrap a list in it; who asks takes each value."""
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
    """The entries of a list. After a broken one it goes on where the next may start.

    Entries on lines of their own start in the same column, whether by pretty printing or by hand.
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
        yield Rejection(file=file, line=line, field=None, reason="the list is empty")


def _read_entry(text: JsonText, file: str, entry: int, next_entry: str | None) -> RawRecord | Rejection:
    """The entry of a list that comes next; then the text stands behind it, or before what may be the next one."""
    head = text.look()
    try:
        return _as_raw_record(file, None, text.take(), entry)
    except NotJsonError as error:
        reason = f"entry {entry}: {error.reason}"
        line = error.line if error.is_passed else text.line
        if next_entry:
            text.move_to(next_entry)
            head = head.partition(next_entry)[0]
        elif not error.is_passed:
            text.move_to_end()
            reason += "; not read from here on"
        return Rejection(file=file, line=line, field=None, reason=reason, raw=excerpt(head))


def _reject_rest(text: JsonText, file: str) -> Iterator[Rejection]:
    if text.peek():
        reason = "not JSON: text after a list"
        yield Rejection(file=file, line=text.line, field=None, reason=reason, raw=excerpt(text.look()))
        text.move_to_end()


def _as_raw_record(file: str, line: int | None, value: Any, entry: int | None = None) -> RawRecord | Rejection:
    if isinstance(value, dict):
        return RawRecord(file=file, line=line, data=rename_fields(value), entry=entry)
    reason = f"entry {entry}: {_no_object(value)}" if entry else _no_object(value)
    return Rejection(file=file, line=line, field=None, reason=reason, raw=excerpt(value))


def _no_object(value: Any) -> str:
    return f"not a JSON object: {type(value).__name__}"


@dataclass(slots=True)
class _Stray:
    """The lines since the last record that are none: those that are reported one by one, and how many more."""

    lines: list[tuple[int, str, str]] = field(default_factory=list)
    chars: int = 0
    more: int = 0

    def add(self, number: int, line: str, reason: str) -> None:
        """Keep a line, or count it where there are too many (of a binary file, say)."""
        if len(self.lines) >= MAX_STRAY_LINES or self.chars > MAX_STRAY_CHARS:
            self.more += 1
            return
        self.chars += len(line)
        self.lines.append((number, line[:MAX_STRAY_CHARS], reason))

    def reject(self, name: str, record: dict[str, Any] | None) -> Iterator[Rejection]:
        """A rejection for each line, unless together they only repeat the record before them."""
        if record is not None and not self.more and _is_echo("".join(text for _, text, _ in self.lines), record):
            return
        for number, text, reason in self.lines:
            yield Rejection(file=name, line=number, field=None, reason=reason, raw=excerpt(text.strip()))
        if self.more:
            reason = f"no record, and neither are {self.more:,} of the lines after it"
            yield Rejection(file=name, line=self.lines[-1][0], field=None, reason=reason)


def _read_lines(text: JsonText, file: str) -> Iterator[RawRecord | Rejection]:
    """A record a line. Text after a record that only repeats its abstract is left out; other text is rejected."""
    record: dict[str, Any] | None = None
    stray = _Stray()
    while text.peek():
        number, line = text.line, text.take_line()
        try:
            value = load_line(line)
        except NotJsonError as error:
            stray.add(number, line, error.reason)
            continue
        if isinstance(value, dict):
            yield from stray.reject(file, record)
            record, stray = value, _Stray()
            yield _as_raw_record(file, number, value)
        else:
            stray.add(number, line, _no_object(value))
    yield from stray.reject(file, record)


def _is_echo(text: str, record: dict[str, Any]) -> bool:
    """Whether the text is the record's abstract once more, with little around it."""
    abstract = record.get("abstract")
    if not isinstance(abstract, str) or not text or len(abstract) > MAX_STRAY_CHARS:
        return False
    folded = fold_text(text)
    paragraphs = [fold_text(paragraph) for paragraph in read_abstract(abstract).text.split("\n") if paragraph.strip()]
    extra = len(folded) - sum(map(len, paragraphs))
    return bool(paragraphs) and all(part in folded for part in paragraphs) and extra <= MAX_ECHO_EXTRA_CHARS
