"""Reads compressed files as streams, without unpacking to disk, up to a limit that stops decompression bombs."""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any, cast

MAX_RATIO = 200  # unpacked to packed size: 10 to 20 in exports of records, 1,000 in bombs
FREE_BYTES = 100_000_000  # small files may unpack to this size at any ratio

GZIP_START = b"\x1f\x8b"
ZIP_START = b"PK\x03\x04"
READ_ERRORS = (OSError, EOFError, UnicodeError, NotImplementedError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""Raised when reading a file, compressed or not, that is damaged or of an unsupported kind."""

_ENCRYPTED = 0x1


class _Budget:
    """The number of bytes that a compressed file, with all its members, may still unpack to."""

    def __init__(self, packed_bytes: int) -> None:
        self.left = max(FREE_BYTES, MAX_RATIO * packed_bytes)


class _Unpacked(io.RawIOBase):
    """The unpacked content of a compressed stream. Reading beyond the budget raises OSError."""

    def __init__(self, source: IO[bytes], budget: _Budget) -> None:
        self._source = cast(Any, source)
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = int(self._source.readinto(buffer))
        self._budget.left -= count
        if self._budget.left < 0:
            raise OSError(f"it unpacks to more than {MAX_RATIO} times its size, the limit")
        return count


def unpack_gzip(stream: IO[bytes], packed_bytes: int) -> io.RawIOBase:
    """The content of a gzip file. Reading it may raise `READ_ERRORS`."""
    return _Unpacked(cast("IO[bytes]", gzip.GzipFile(fileobj=stream)), _Budget(packed_bytes))


def unpack_zip(stream: IO[bytes], packed_bytes: int) -> Iterator[tuple[str, io.RawIOBase | Exception]]:
    """The names and contents of the files in a zip file, except hidden ones; errors in place of unreadable content."""
    budget = _Budget(packed_bytes)
    with zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            name = PurePosixPath(member.filename)
            if member.filename.endswith("/") or any(
                part.startswith((".", "__MACOSX")) and part != ".." for part in name.parts
            ):
                continue
            if member.flag_bits & _ENCRYPTED:
                yield str(name), OSError("it is encrypted: unpack it first")
                continue
            try:
                source = archive.open(member)
            except READ_ERRORS as error:
                yield str(name), error
                continue
            with source:
                yield str(name), _Unpacked(source, budget)
            if budget.left < 0:
                return
