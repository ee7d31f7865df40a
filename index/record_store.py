"""The records of a build with the spans of their chunks, in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from index.types import Chunk, Record

_SCHEMA = "CREATE TABLE records (record_id TEXT PRIMARY KEY, record TEXT NOT NULL, chunks TEXT NOT NULL)"


class RecordStore:
    """Records by id, in the order in which they came. Safe to share between threads for reading."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take an open database; `create` and `open` make one from a path."""
        self._connection = connection

    @classmethod
    def create(cls, path: Path) -> RecordStore:
        """A new, empty store. It becomes durable with `commit`."""
        connection = sqlite3.connect(path)
        connection.execute(_SCHEMA)
        return cls(connection)

    @classmethod
    def open(cls, path: Path) -> RecordStore:
        """An existing store, for reading.

        Raises:
            sqlite3.Error: there is none at the path, or it is damaged.
        """
        uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        return cls(sqlite3.connect(uri, uri=True, check_same_thread=False))

    def put(self, record: Record, chunks: Sequence[Chunk]) -> None:
        """Add a record; one of the same id is replaced, and moves to the end."""
        spans = json.dumps([[chunk.section, chunk.start, chunk.end] for chunk in chunks])
        row = (record.record_id, json.dumps(record.to_dict(), ensure_ascii=False), spans)
        self._connection.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", row)

    def get(self, record_id: str) -> tuple[Record, list[Chunk]] | None:
        """A record and its chunks, or None where there is no such id."""
        row = self._connection.execute(
            "SELECT record, chunks FROM records WHERE record_id = ?", (record_id,)
        ).fetchone()
        return _read_row(row) if row else None

    def __iter__(self) -> Iterator[tuple[Record, list[Chunk]]]:
        rows: Iterable[tuple[str, str]] = self._connection.execute("SELECT record, chunks FROM records ORDER BY rowid")
        return map(_read_row, rows)

    def iter_fields(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """The id of every record with those fields as JSON types, without reading the rest of it."""
        paths = ["$.record_id", *(f"$.{name}" for name in names)]
        marks = ", ".join("?" * len(paths))
        query = f"SELECT json_extract(record, {marks}) FROM records ORDER BY rowid"  # noqa: S608 - nothing but marks
        return (tuple(json.loads(values)) for (values,) in self._connection.execute(query, paths))

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM records").fetchone()[0])

    def chunk_counts(self, record_ids: Sequence[str]) -> dict[str, int]:
        """How many chunks each of those records has that are here."""
        rows = self._connection.execute(
            "SELECT record_id, json_array_length(chunks) FROM records "
            "WHERE record_id IN (SELECT value FROM json_each(?))",
            (json.dumps(record_ids),),
        )
        return dict(rows.fetchall())

    def count_chunks(self) -> int:
        """How many chunks all records have together."""
        return int(self._connection.execute("SELECT sum(json_array_length(chunks)) FROM records").fetchone()[0] or 0)

    def commit(self) -> None:
        """Write what was put so that it survives a crash."""
        self._connection.commit()

    def close(self) -> None:
        """Release the file."""
        self._connection.close()


def _read_row(row: tuple[str, str]) -> tuple[Record, list[Chunk]]:
    record = Record.from_dict(json.loads(row[0]))
    chunks = [
        Chunk(
            record_id=record.record_id,
            ordinal=ordinal,
            section=section,
            start=start,
            end=end,
            text=record.abstract[start:end],
        )
        for ordinal, (section, start, end) in enumerate(json.loads(row[1]))
    ]
    return record, chunks
