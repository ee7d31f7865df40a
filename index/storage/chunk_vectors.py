"""The vectors of each record's chunks in one SQLite file: Chroma finds what is near, these score it exactly."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from index.embedding.embedder import Vectors
from index.storage.database import create_database, open_database

MAX_SQUARED_LENGTH = 1.01  # all are of unit length, but those of texts that the model knows no word of

_SCHEMA = "CREATE TABLE vectors (record_id TEXT PRIMARY KEY, dimension INTEGER NOT NULL, vectors BLOB NOT NULL)"


class ChunkVectors:
    """Vectors by record. Several hundred are read in a millisecond, where Chroma needs ten."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take an open database; `create` and `open` make one from a path."""
        self._connection = connection

    @classmethod
    def create(cls, path: Path, copy_of: Path | None = None) -> ChunkVectors:
        """A new file, empty or a copy of another one."""
        return cls(create_database(path, _SCHEMA, copy_of))

    @classmethod
    def open(cls, path: Path) -> ChunkVectors:
        """An existing file, for reading.

        Raises:
            sqlite3.Error: there is none at the path, or it is damaged.
        """
        return cls(open_database(path))

    def add(self, vectors: Mapping[str, Vectors]) -> None:
        """Add the vectors of records (float32, shape (chunks, dimension), in the order of the chunks) durably."""
        rows = ((record_id, rows.shape[1], rows.astype("<f4").tobytes()) for record_id, rows in vectors.items())
        self._connection.executemany("INSERT INTO vectors VALUES (?, ?, ?)", rows)
        self._connection.commit()

    def delete(self, record_ids: Iterable[str]) -> None:
        """Remove those records' vectors that are here, durably."""
        ids = ((record_id,) for record_id in record_ids)
        self._connection.executemany("DELETE FROM vectors WHERE record_id = ?", ids)
        self._connection.commit()

    def get(self, record_ids: Sequence[str]) -> dict[str, Vectors]:
        """The vectors of those records that are here: float32, shape (chunks, dimension).

        Raises:
            ValueError: one is longer than it was built, which SQLite does not notice.
        """
        rows = self._connection.execute(
            "SELECT record_id, dimension, vectors FROM vectors WHERE record_id IN (SELECT value FROM json_each(?))",
            (json.dumps(record_ids),),
        )
        return {name: _read_vectors(name, dimension, blob) for name, dimension, blob in rows}

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM vectors").fetchone()[0])

    def close(self) -> None:
        """Release the file."""
        self._connection.close()


def _read_vectors(record_id: str, dimension: int, blob: bytes) -> Vectors:
    try:
        vectors = np.frombuffer(blob, dtype="<f4").reshape(-1, dimension)
    except TypeError as error:  # of a damaged row, SQLite gives a value of another type
        raise ValueError(f"the vectors of {record_id} are none") from error
    lengths = np.einsum("ij,ij->i", vectors, vectors)
    if not (lengths < MAX_SQUARED_LENGTH).all():  # nor is it, where one is not a number
        raise ValueError(f"the vectors of {record_id} differ from what was built")
    return vectors
