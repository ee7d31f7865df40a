"""Text files of records: encoding, lines and entries of bounded length, and the names of persons."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

MAX_ENTRY_CHARS = 16_000_000  # far longer than any record; the rest of a longer entry is skipped, to bound memory
TOO_LONG = f"longer than {MAX_ENTRY_CHARS:,} characters, the limit"
NOT_UTF_8 = "not UTF-8: save the file in UTF-8"
LINE_COST = 200  # bytes of memory that a line takes in addition to its characters, so that empty lines are bounded too

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_HALF_A_CHARACTER = "\udcff"
_UNDECODED = re.compile("[\udc80-\udcff]")


def decode_head(head: bytes) -> str:
    """The first text of a file with line feeds as line ends, without a byte order mark and leading white space."""
    text = head.decode(_encoding(head), errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").lstrip()


def is_binary(head: bytes) -> bool:
    """Whether a file that starts with these bytes is binary."""
    return b"\0" in head and not head.startswith(_UTF_16)


@contextmanager
def open_text(stream: io.BufferedReader) -> Iterator[io.TextIOWrapper]:
    """A binary file as text with universal newlines; the file stays open. Undecodable bytes: see `is_decoded`."""
    text = io.TextIOWrapper(stream, encoding=_encoding(stream.peek(2)), errors="surrogateescape")
    try:
        yield text
    finally:
        text.detach()


def is_decoded(text: str) -> bool:
    """Whether text from `open_text` contains no undecodable bytes."""
    return text.isascii() or not _UNDECODED.search(text)


def read_lines(text: io.TextIOWrapper, max_chars: int = MAX_ENTRY_CHARS) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers, cut after `max_chars` + 1 characters.

    If a UTF-16 file ends within a character, its last line is one that `is_decoded` refuses.
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
    """The lines of one record with their numbers; lines beyond `MAX_ENTRY_CHARS` are counted, but not kept."""

    lines: list[tuple[int, str]] = field(default_factory=list)
    size: int = 0

    def __bool__(self) -> bool:
        return bool(self.lines)

    def add(self, number: int, line: str) -> None:
        """Add one line."""
        self.size += len(line) + LINE_COST
        if not self.is_too_long or not self.lines:
            self.lines.append((number, line))

    @property
    def is_too_long(self) -> bool:
        """Whether lines were left out."""
        return self.size > MAX_ENTRY_CHARS

    @property
    def start(self) -> int:
        """The number of the first line."""
        return self.lines[0][0]

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "".join(line for _, line in self.lines)

    @property
    def problem(self) -> str | None:
        """Why the entry cannot be read in any format: it is too long or undecodable."""
        if self.is_too_long:
            return TOO_LONG
        return None if is_decoded(self.text) else NOT_UTF_8


def given_name_first(name: str) -> str:
    """Convert "Ek, Bo" to "Bo Ek" and "Orr, Ann, Jr." to "Ann Orr Jr."; other names are unchanged."""
    family, _, rest = name.partition(",")
    given, _, suffix = rest.partition(",")
    return " ".join(f"{given} {family} {suffix}".split())


def split_names(names: str) -> list[str]:
    """Split "Ek, Bo; Orr, Ann" or "Bo Ek, Ann Orr" into names with the given name first; "Ek, Bo" is one name."""
    family, *others = names.split(",")
    is_one = len(others) == 1 and all(word.islower() for word in family.split()[:-1])
    if ";" in names or is_one:
        return [given_name_first(name) for name in names.split(";")]
    return [family, *others]


def _encoding(head: bytes) -> str:
    return "utf-16" if head.startswith(_UTF_16) else "utf-8-sig"
