"""Text files of records: their encoding, their lines and entries of bounded length, and the names in them."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

# No record comes near it. What is longer is read past, so that memory does not depend on what a file holds.
MAX_ENTRY_CHARS = 16_000_000
TOO_LONG = f"longer than {MAX_ENTRY_CHARS:,} characters, which no record is"
NOT_UTF_8 = "not UTF-8: save the file in UTF-8"
LINE_COST = 200  # bytes that a line takes in memory beside its characters, counted so that empty lines are bounded too

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_HALF_A_CHARACTER = "\udcff"
_UNDECODED = re.compile("[\udc80-\udcff]")


def decode_head(head: bytes) -> str:
    """The beginning of a file as lines of text, without a byte order mark and leading white space."""
    text = head.decode(_encoding(head), errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").lstrip()


def is_binary(head: bytes) -> bool:
    """Whether a file that begins so is no text."""
    return b"\0" in head and not head.startswith(_UTF_16)


@contextmanager
def open_text(stream: io.BufferedReader) -> Iterator[io.TextIOWrapper]:
    """A binary file as lines of text, however they end; it stays open. See `is_decoded` for broken bytes."""
    text = io.TextIOWrapper(stream, encoding=_encoding(stream.peek(2)), errors="surrogateescape")
    try:
        yield text
    finally:
        text.detach()


def is_decoded(text: str) -> bool:
    """Whether text that came from `open_text` was in the encoding of its file."""
    return text.isascii() or not _UNDECODED.search(text)


def read_lines(text: io.TextIOWrapper, max_chars: int = MAX_ENTRY_CHARS) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers; what a line has beyond so many characters and one more is left out.

    A file of UTF-16 that ends in the middle of a character ends in a line that is not decoded.
    """
    number = 0
    try:
        while line := text.readline(max_chars + 1):
            number += 1
            yield number, line
            while len(line) > max_chars and not line.endswith("\n"):
                line = text.readline(max_chars + 1)
    except UnicodeDecodeError:
        yield number + 1, _HALF_A_CHARACTER


@dataclass(slots=True)
class Entry:
    """The lines of one record with their numbers. Of one that is too long the further lines are only counted."""

    lines: list[tuple[int, str]] = field(default_factory=list)
    size: int = 0

    def __bool__(self) -> bool:
        return bool(self.lines)

    def add(self, number: int, line: str) -> None:
        """Take one more line."""
        self.size += len(line) + LINE_COST
        if not self.is_too_long or not self.lines:
            self.lines.append((number, line))

    @property
    def is_too_long(self) -> bool:
        """Whether some of it was left out."""
        return self.size > MAX_ENTRY_CHARS

    @property
    def start(self) -> int:
        """The number of the first line."""
        return self.lines[0][0]

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "".join(line for _, line in self.lines)


def given_name_first(name: str) -> str:
    """The name of "Ek, Bo" as "Bo Ek", of "Orr, Ann, Jr." as "Ann Orr Jr."; any other as it is."""
    family, _, rest = name.partition(",")
    given, _, suffix = rest.partition(",")
    return " ".join(f"{given} {family} {suffix}".split())


def split_names(names: str) -> list[str]:
    """The names of "Ek, Bo; Orr, Ann" or "Bo Ek, Ann Orr", given name first; "Ek, Bo" is one."""
    family, *others = names.split(",")
    is_one = len(others) == 1 and all(word.islower() for word in family.split()[:-1])
    if ";" in names or is_one:
        return [given_name_first(name) for name in names.split(";")]
    return [family, *others]


def _encoding(head: bytes) -> str:
    return "utf-16" if head.startswith(_UTF_16) else "utf-8-sig"
