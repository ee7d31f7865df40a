"""The SQLite files of a build: made anew or as copies, and opened for reading as what never changes."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path


def create_database(path: Path, schema: str, copy_of: Path | None) -> sqlite3.Connection:
    """A new file with the tables of `schema`, or a copy of another one that has them."""
    if copy_of:
        shutil.copyfile(copy_of, path)
    connection = sqlite3.connect(path, uri=True)  # or else it could not attach by URI
    if not copy_of:
        connection.executescript(schema)
    return connection


def open_database(path: Path) -> sqlite3.Connection:
    """An existing file, for reading, from any thread.

    Raises:
        sqlite3.Error: there is none at the path, or it is damaged.
    """
    return sqlite3.connect(read_only_uri(path), uri=True, check_same_thread=False)


def read_only_uri(path: Path) -> str:
    """The name of a file that is not written and that no process writes, so that SQLite needs no lock."""
    return f"{path.resolve().as_uri()}?mode=ro&immutable=1"
