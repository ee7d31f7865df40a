"""The vectors of each record's chunks in one SQLite file: Chroma finds the nearest chunks, these score them exactly."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from index.embedding.embedder import Vectors
from index.storage.database import SqliteStore

MAX_SQUARED_LENGTH = 1.01  # unit length; 0 for a text without a word that the model knows


class ChunkVectors(SqliteStore):
    """Vectors by record. Several hundred are read in a millisecond, where Chroma needs ten."""

    schema = "CREATE TABLE vectors (record_id TEXT PRIMARY KEY, dimension INTEGER NOT NULL, vectors BLOB NOT NULL)"

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
            ValueError: one is not of unit length, as after a flipped bit, which SQLite does not detect.
        """
        rows = self._connection.execute(
            "SELECT record_id, dimension, vectors FROM vectors WHERE record_id IN (SELECT value FROM json_each(?))",
            (json.dumps(record_ids),),
        )
        return {name: _read_vectors(name, dimension, blob) for name, dimension, blob in rows}

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM vectors").fetchone()[0])


def _read_vectors(record_id: str, dimension: int, blob: bytes) -> Vectors:
    try:
        vectors = np.frombuffer(blob, dtype="<f4").reshape(-1, dimension)
    except TypeError as error:  # SQLite gives a value of another type for a damaged row
        raise ValueError(f"the vectors of {record_id} cannot be read") from error
    lengths = np.einsum("ij,ij->i", vectors, vectors)
    if not (lengths < MAX_SQUARED_LENGTH).all():  # False for NaN too
        raise ValueError(f"the vectors of {record_id} differ from what was built")
    return vectors
