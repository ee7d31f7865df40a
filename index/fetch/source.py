"""The interface of a source of records, such as PubMed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from index.ingest.formats.raw_record import RawRecord
from index.ingest.records import parse_record
from index.types import Record, Rejection


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The result of a search: the number of records, the first position (None: no records), and warnings."""

    count: int
    position: str | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The next records of a search, perhaps none, and the position after them (None: no more records)."""

    items: tuple[Record | Rejection, ...]
    position: str | None


class Source(Protocol):
    """A service that is searched once and then read page by page. Its methods raise `ServiceFault`.

    A position is text that only its source understands. It suffices to continue the fetch in another process, hours
    later, and contains no secret.
    """

    name: str

    def search(self, query: str, max_records: int | None) -> Found:
        """Search; at most `max_records` will be read (None: all)."""

    def next_page(self, query: str, position: str, max_records: int) -> Page:
        """At most `max_records` records from a position on."""

    def close(self) -> None:
        """Close the connections to the service."""


def parse_item(raw: RawRecord, name: str) -> Record | Rejection:
    """The record of a raw record, or its rejection with the name that the source gives it."""
    item = parse_record(raw)
    return item if isinstance(item, Record) else replace(item, reason=f"{name}: {item.reason}")
