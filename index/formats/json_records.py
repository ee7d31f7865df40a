"""Records in JSON: one, a list, `{"records": [...]}`, or a record a line; the file may be broken in places."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

from index.folding import fold_text
from index.formats.raw_record import RawRecord, excerpt
from index.markup import read_abstract
from index.types import Rejection

# Around an abstract that an aggregator repeats as text stand its headings and lines such as a citation count.
MAX_ECHO_EXTRA_CHARS = 400
MAX_STRAY_LINES = 100
MAX_STRAY_CHARS = 200_000

_BLANK = b" \t\r\n\v\f\xef\xbb\xbf"  # white space and the byte order mark


def is_json(head: str) -> bool:
    """Whether a file that begins so holds JSON: a list, or an object."""
    return head.startswith(("{", "["))


def read_json(stream: Iterable[bytes], file: str) -> Iterator[RawRecord | Rejection]:
    """Lines of JSON, or one JSON value over several lines, whichever the first lines with text turn out to be."""
    lines = enumerate(stream, start=1)
    head: list[tuple[int, bytes]] = []
    texts: list[bytes] = []
    while len(texts) < 2 and (line := next(lines, None)):
        head.append(line)
        texts += [line[1]] if line[1].strip(_BLANK) else []
    if not texts:
        yield Rejection(file=file, line=None, field=None, reason="the file is empty")
    elif _is_record_a_line(*texts):
        yield from _read_lines(file, chain(head, lines))
    else:
        yield from _read_value(file, [*head, *lines])


def _is_record_a_line(first: bytes, second: bytes = b"") -> bool:
    """Whether the file goes on line by line, even where its first line is broken."""
    value = _load(first)
    if not isinstance(value, _NotJson):
        return isinstance(value, dict) and "records" not in value
    first = first.strip(_BLANK)
    opens_value = first[:1] in (b"{", b"[")
    # In one value over several lines the second cannot be an object by itself, unless the first asks for a value.
    return not opens_value or (not first.endswith((b"[", b"{", b":", b",")) and isinstance(_load(second), dict))


@dataclass(frozen=True, slots=True)
class _NotJson:
    """Why text is no JSON, and where in the text."""

    reason: str
    position: int = 0


def _load(line: bytes) -> Any:
    """The JSON value of a line, or a `_NotJson`."""
    try:
        return json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return _explain(error)


def _explain(error: ValueError | RecursionError) -> _NotJson:
    if isinstance(error, UnicodeDecodeError):
        return _NotJson(f"not UTF-8: {error.reason} at byte {error.start}")
    if isinstance(error, RecursionError):
        return _NotJson("not read: nested too deeply")
    if isinstance(error, json.JSONDecodeError) and not error.pos:
        return _NotJson("not JSON")
    if isinstance(error, json.JSONDecodeError):
        return _NotJson(f"not JSON: {error.msg} at column {error.colno}", error.pos)
    return _NotJson(f"not JSON: {error}")


def _read_value(name: str, lines: list[tuple[int, bytes]]) -> Iterator[RawRecord | Rejection]:
    """One record, a list of them, or `{"records": [...]}`, over all the lines of a file."""
    whole = b"".join(line for _, line in lines)
    value = _load(whole)
    if not isinstance(value, _NotJson):
        wrapped = isinstance(value, dict) and isinstance(value.get("records"), list)
        value = value["records"] if wrapped else value
        line = next(number for number, text in lines if text.strip(_BLANK))
        if isinstance(value, list):
            if not value:
                yield Rejection(file=name, line=line, field=None, reason="the list is empty")
            yield from (_as_raw_record(name, None, item, entry) for entry, item in enumerate(value, start=1))
        else:
            yield _as_raw_record(name, line, value)
    elif whole.lstrip(_BLANK).startswith(b"["):
        yield from _read_broken_list(name, whole.decode("utf-8-sig", errors="replace"))
    elif b"\n{" in whole.strip(_BLANK):  # a record a line, of which the first ones are broken
        yield from _read_lines(name, lines)
    else:
        text = whole.decode("utf-8-sig", errors="replace")
        line = 1 + text.count("\n", 0, value.position)
        yield Rejection(file=name, line=line, field=None, reason=value.reason, raw=excerpt(text))


def _read_broken_list(name: str, text: str) -> Iterator[RawRecord | Rejection]:
    """The entries of a JSON list that is broken somewhere; after a bad one it goes on where the next may start.

    Entries on lines of their own start in the same column, whether by pretty printing or by hand.
    """
    position = _skip(text, text.index("[") + 1)
    indent = text[text.rfind("\n", 0, position) + 1 : position]
    next_entry = None if indent.strip() else f"\n{indent}{{"
    for entry in count(1):
        if text[position : position + 1] in ("", "]"):
            break
        item, position = _read_entry(name, text, position, entry, next_entry)
        yield item
        position = _skip(text, position)
    if rest := text[position + 1 :].strip():
        line = text.count("\n", 0, text.index(rest, position + 1)) + 1
        yield Rejection(file=name, line=line, field=None, reason="not JSON: text after a list", raw=excerpt(rest))


def _read_entry(
    name: str, text: str, position: int, entry: int, next_entry: str | None
) -> tuple[RawRecord | Rejection, int]:
    """The entry of a list at a position, and where to go on after it."""
    try:
        value, end = json.JSONDecoder().raw_decode(text, position)
        return _as_raw_record(name, None, value, entry), end
    except (ValueError, RecursionError) as error:
        line = text.count("\n", 0, position) + 1
        found = text.find(next_entry, position + 1) if next_entry else -1
        end = found if found >= 0 else len(text)
        reason = f"entry {entry}: {_explain(error).reason}"
        return Rejection(file=name, line=line, field=None, reason=reason, raw=excerpt(text[position:end])), end


def _skip(text: str, position: int) -> int:
    """The next position that holds neither white space nor a comma."""
    while position < len(text) and text[position] in " \t\r\n,":
        position += 1
    return position


def _as_raw_record(name: str, line: int | None, value: Any, entry: int | None = None) -> RawRecord | Rejection:
    if isinstance(value, dict):
        return RawRecord(file=name, line=line, data=value, entry=entry)
    reason = f"entry {entry}: {_no_object(value)}" if entry else _no_object(value)
    return Rejection(file=name, line=line, field=None, reason=reason, raw=excerpt(value))


def _no_object(value: Any) -> str:
    return f"not a JSON object: {type(value).__name__}"


@dataclass(slots=True)
class _Stray:
    """The lines since the last record that are none: those that are reported one by one, and how many more."""

    lines: list[tuple[int, str, str]] = field(default_factory=list)
    chars: int = 0
    more: int = 0

    def add(self, number: int, line: bytes, reason: str) -> None:
        """Keep a line, or count it where there are too many (of a binary file, say)."""
        if len(self.lines) >= MAX_STRAY_LINES or self.chars > MAX_STRAY_CHARS:
            self.more += 1
            return
        text = line.decode("utf-8-sig", errors="replace")
        self.chars += len(text)
        self.lines.append((number, text, reason))

    def reject(self, name: str, record: dict[str, Any] | None) -> Iterator[Rejection]:
        """A rejection for each line, unless together they only repeat the record before them."""
        if record is not None and not self.more and _is_echo("".join(text for _, text, _ in self.lines), record):
            return
        for number, text, reason in self.lines:
            yield Rejection(file=name, line=number, field=None, reason=reason, raw=excerpt(text.strip()))
        if self.more:
            reason = f"no record, and neither are {self.more:,} of the lines after it"
            yield Rejection(file=name, line=self.lines[-1][0], field=None, reason=reason)


def _read_lines(name: str, lines: Iterable[tuple[int, bytes]]) -> Iterator[RawRecord | Rejection]:
    """A record a line. Text after a record that only repeats its abstract is left out; other text is rejected."""
    record: dict[str, Any] | None = None
    stray = _Stray()
    for number, line in lines:
        if not line.strip(_BLANK):
            continue
        value = _load(line)
        if isinstance(value, dict):
            yield from stray.reject(name, record)
            record, stray = value, _Stray()
            yield RawRecord(file=name, line=number, data=value)
        else:
            stray.add(number, line, value.reason if isinstance(value, _NotJson) else _no_object(value))
    yield from stray.reject(name, record)


def _is_echo(text: str, record: dict[str, Any]) -> bool:
    """Whether the text is the record's abstract once more, with little around it."""
    abstract = record.get("abstract")
    if not isinstance(abstract, str) or not text or len(abstract) > MAX_STRAY_CHARS:
        return False
    folded = fold_text(text)
    paragraphs = [fold_text(paragraph) for paragraph in read_abstract(abstract).text.split("\n") if paragraph.strip()]
    extra = len(folded) - sum(map(len, paragraphs))
    return bool(paragraphs) and all(part in folded for part in paragraphs) and extra <= MAX_ECHO_EXTRA_CHARS
