"""Text files of records: their encoding, and the names in them."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UNDECODED = re.compile("[\udc80-\udcff]")
NOT_UTF_8 = "not UTF-8: save the file in UTF-8"


def decode_head(head: bytes) -> str:
    """The beginning of a file as lines of text, without a byte order mark and leading white space."""
    text = head.decode(_encoding(head), errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n").lstrip()


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
    return not _UNDECODED.search(text)


def given_name_first(name: str) -> str:
    """The name of "Ek, Bo" as "Bo Ek", of "Orr, Ann, Jr." as "Ann Orr Jr."; any other as it is."""
    family, _, rest = name.partition(",")
    given, _, suffix = rest.partition(",")
    return " ".join(f"{given} {family} {suffix}".split())


def _encoding(head: bytes) -> str:
    return "utf-16" if head.startswith(_UTF_16) else "utf-8-sig"
