"""The records of a build with the spans of their chunks and their identity keys, in one SQLite file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from index.ingest.identifiers import hash_content
from index.storage.database import SqliteStore, read_only_uri
from index.types import Chunk, Record

MAX_HOLDERS = 20
_COMPARISON = """
CREATE TEMP TABLE outdated AS SELECT record_id FROM before.records AS own
    LEFT JOIN main.records AS other USING (record_id) WHERE other.record IS NOT own.record;
CREATE TEMP TABLE written AS SELECT record_id FROM main.records AS own
    LEFT JOIN before.records AS other USING (record_id) WHERE other.record IS NOT own.record;
"""


class RecordStore(SqliteStore):
    """Records by id, in insertion order. Threads may share it for reading."""

    schema = """
        CREATE TABLE records (record_id TEXT PRIMARY KEY, record TEXT NOT NULL, chunks TEXT NOT NULL);
        CREATE TABLE keys (key TEXT, record_id TEXT, PRIMARY KEY (key, record_id)) WITHOUT ROWID;
        CREATE INDEX keys_of_record ON keys (record_id);
    """

    @classmethod
    def create(cls, path: Path, copy_of: Path | None = None) -> Self:
        """A new store, empty or a copy of another one. It becomes durable with `commit`."""
        store = super().create(path, copy_of)
        store._connection.execute("CREATE TEMP TABLE arrived (record_id TEXT PRIMARY KEY)")
        return store

    def put(self, record: Record, chunks: Sequence[Chunk], keys: Iterable[str]) -> None:
        """Add a record and its identity keys; a record of the same id is replaced, and moves to the end."""
        self.delete(record.record_id)
        spans = json.dumps([[chunk.section, chunk.start, chunk.end] for chunk in chunks])
        row = (record.record_id, json.dumps(record.to_dict(), ensure_ascii=False), spans)
        self._connection.execute("INSERT INTO records VALUES (?, ?, ?)", row)
        self._connection.executemany("INSERT INTO keys VALUES (?, ?)", [(key, record.record_id) for key in keys])
        self.mark_arrived(record.record_id)

    def mark_arrived(self, record_id: str) -> None:
        """Note, until the store is closed, that the input contained this record."""
        self._connection.execute("INSERT OR IGNORE INTO arrived VALUES (?)", (record_id,))

    def has_arrived(self, record_id: str) -> bool:
        """Whether the record was put or marked since the store was created."""
        found = self._connection.execute("SELECT 1 FROM arrived WHERE record_id = ?", (record_id,))
        return found.fetchone() is not None

    def delete(self, record_id: str) -> None:
        """Remove a record, if it is here."""
        for table in ("records", "keys"):
            self._connection.execute(f"DELETE FROM {table} WHERE record_id = ?", (record_id,))  # noqa: S608 - our tables

    def get(self, record_id: str) -> tuple[Record, list[Chunk]] | None:
        """A record and its chunks, or None where there is no such id."""
        row = self._connection.execute(
            "SELECT record, chunks FROM records WHERE record_id = ?", (record_id,)
        ).fetchone()
        return _read_row(row) if row else None

    def find(self, keys: Iterable[str]) -> list[tuple[Record, list[Chunk]]]:
        """The records with any of the keys, with their chunks. Keys of more than MAX_HOLDERS records are ignored."""
        names: dict[str, None] = {}
        for key in keys:
            query = "SELECT record_id FROM keys WHERE key = ? LIMIT ?"
            holders = self._connection.execute(query, (key, MAX_HOLDERS + 1)).fetchall()
            if len(holders) <= MAX_HOLDERS:
                names |= dict.fromkeys(name for (name,) in holders)
        return [found for name in names if (found := self.get(name))]

    def compare(self, before: Path) -> tuple[int, int]:
        """Compare with the store of an earlier build: the number of records `outdated` there and `written` here."""
        self.commit()
        self._connection.execute("ATTACH ? AS before", (read_only_uri(before),))
        self._connection.executescript(_COMPARISON)
        return self._count("outdated"), self._count("written")

    def outdated(self) -> Iterator[str]:
        """The ids of records that differ in the store compared with, or are only in that one."""
        return (name for (name,) in self._connection.execute("SELECT record_id FROM outdated"))

    def written(self) -> Iterator[tuple[Record, list[Chunk]]]:
        """The records that differ in the store compared with, or are not in it, with their chunks."""
        rows: Iterable[tuple[str, str]] = self._connection.execute(
            "SELECT record, chunks FROM written JOIN main.records AS records USING (record_id) ORDER BY records.rowid"
        )
        return map(_read_row, rows)

    def __iter__(self) -> Iterator[tuple[Record, list[Chunk]]]:
        rows: Iterable[tuple[str, str]] = self._connection.execute("SELECT record, chunks FROM records ORDER BY rowid")
        return map(_read_row, rows)

    def iter_fields(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """The id of every record with those fields as JSON types; the rest of the record is not parsed."""
        paths = ["$.record_id", *(f"$.{name}" for name in names)]
        marks = ", ".join("?" * len(paths))
        query = f"SELECT json_extract(record, {marks}) FROM records ORDER BY rowid"  # noqa: S608 - only placeholders
        return (tuple(json.loads(values)) for (values,) in self._connection.execute(query, paths))

    def __len__(self) -> int:
        return self._count("main.records")

    def _count(self, table: str) -> int:
        return int(self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - our tables

    def count_chunks(self, *, only_written: bool = False) -> int:
        """The number of chunks of all records, or of the `written` ones."""
        source = "written JOIN main.records USING (record_id)" if only_written else "main.records"
        query = f"SELECT sum(json_array_length(chunks)) FROM {source}"  # noqa: S608 - our tables
        return int(self._connection.execute(query).fetchone()[0] or 0)

    def count_digests(self) -> int:
        """The number of records that are summaries instead of abstracts."""
        query = "SELECT count(*) FROM records WHERE json_extract(record, '$.is_digest')"
        return int(self._connection.execute(query).fetchone()[0])

    def sample(self, count: int) -> Iterator[tuple[Record, list[Chunk]]]:
        """`count` records (or all, if there are fewer) at even distances in the store, with their chunks."""
        (last,) = self._connection.execute("SELECT max(rowid) FROM records").fetchone()
        places = sorted({last * part // count for part in range(count)})
        query = "SELECT rowid, record, chunks FROM records WHERE rowid > ? ORDER BY rowid LIMIT 1"
        rows = {row[0]: row[1:] for place in places for row in self._connection.execute(query, (place,))}
        return map(_read_row, rows.values())

    def commit(self) -> None:
        """Make all changes durable."""
        self._connection.commit()


def _read_row(row: tuple[str, str]) -> tuple[Record, list[Chunk]]:
    """A record and its chunks. SQLite does not detect a flipped bit, which could change a quoted figure."""
    try:
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
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("a record differs from what was built") from error
    if record.content_hash != hash_content(record.title, record.abstract, record.sections):
        raise ValueError(f"the text of {record.record_id} differs from what was built")
    return record, chunks
