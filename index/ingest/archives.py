"""Compressed files as streams, never unpacked to disk; of a bomb no more is read than any file of records holds."""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any, cast

# Exports shrink to a tenth or a twentieth of their size, bombs to a thousandth.
MAX_RATIO = 200
FREE_BYTES = 100_000_000  # that a small file may unpack to as well

GZIP_START = b"\x1f\x8b"
ZIP_START = b"PK\x03\x04"
DAMAGES = (OSError, EOFError, UnicodeError, NotImplementedError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
"""What reading a file, compressed or not, may raise where it is damaged or of a kind that is not known."""

_ENCRYPTED = 0x1


class _Budget:
    """How many bytes a compressed file may still unpack to, all together."""

    def __init__(self, packed_bytes: int) -> None:
        self.left = max(FREE_BYTES, MAX_RATIO * packed_bytes)


class _Unpacked(io.RawIOBase):
    """What a compressed stream holds.

    Raises:
        OSError: it is more than the budget allows.
    """

    def __init__(self, source: IO[bytes], budget: _Budget) -> None:
        self._source = cast(Any, source)
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = int(self._source.readinto(buffer))
        self._budget.left -= count
        if self._budget.left < 0:
            raise OSError(f"it unpacks to more than {MAX_RATIO} times its size, as no file of records does")
        return count


def unpack_gzip(stream: IO[bytes], packed_bytes: int) -> io.RawIOBase:
    """What a gzip file of that size holds. Reading it may raise `DAMAGES`."""
    return _Unpacked(cast("IO[bytes]", gzip.GzipFile(fileobj=stream)), _Budget(packed_bytes))


def unpack_zip(stream: IO[bytes], packed_bytes: int) -> Iterator[tuple[str, io.RawIOBase | Exception]]:
    """The files in a zip file of that size by name, hidden ones left out; or why one, or the rest, cannot be read."""
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
            except DAMAGES as error:
                yield str(name), error
                continue
            with source:
                yield str(name), _Unpacked(source, budget)
            if budget.left < 0:
                return
