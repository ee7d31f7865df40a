"""Stores in SQLite files: created empty or as a copy, and opened read-only."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import ClassVar, Self


class SqliteStore:
    """A store in one SQLite file."""

    schema: ClassVar[str]

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def create(cls, path: Path, copy_of: Path | None = None) -> Self:
        """A new store, empty or a copy of another one."""
        if copy_of:
            shutil.copyfile(copy_of, path)
        connection = sqlite3.connect(path, uri=True)  # without `uri`, it could not attach another file by its URI
        if not copy_of:
            connection.executescript(cls.schema)
        return cls(connection)

    @classmethod
    def open(cls, path: Path) -> Self:
        """An existing store, for reading, from any thread.

        Raises:
            sqlite3.Error: there is none at the path, or it is damaged.
        """
        return cls(sqlite3.connect(read_only_uri(path), uri=True, check_same_thread=False))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def read_only_uri(path: Path) -> str:
    """The URI of a file that no process writes, so that SQLite needs no lock."""
    return f"{path.resolve().as_uri()}?mode=ro&immutable=1"
