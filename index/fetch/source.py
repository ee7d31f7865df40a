"""What a fetch asks of a source of records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from index.ingest.formats.raw_record import RawRecord
from index.ingest.records import parse_record
from index.types import Record, Rejection


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The answer to a search: how many records, where to begin (None: nowhere), and what was odd in the query."""

    count: int
    position: str | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The next records of a search, perhaps none, and where the ones after them begin (None: there are no more)."""

    items: tuple[Record | Rejection, ...]
    position: str | None


class Source(Protocol):
    """A service that is searched once and then read page by page.

    A position is text that only its source understands. It holds all that is needed to go on, in another process and
    hours later, and no secret.
    """

    name: str

    def search(self, query: str, max_records: int | None) -> Found:
        """Search; no more than `max_records` will be read.

        Raises:
            ServiceFault: the service does not answer as it should, for all patience.
        """

    def next_page(self, query: str, position: str, max_records: int) -> Page:
        """Read on from a position, at most `max_records`.

        Raises:
            ServiceFault: the service does not answer as it should, for all patience.
        """

    def close(self) -> None:
        """Close the connections."""


def read_item(raw: RawRecord, name: str) -> Record | Rejection:
    """A raw record as a record, or its rejection under a name by which the source knows it."""
    item = parse_record(raw)
    return item if isinstance(item, Record) else replace(item, reason=f"{name}: {item.reason}")
