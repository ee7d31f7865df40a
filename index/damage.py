"""What the parts of a build raise where their files are damaged, in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from index.errors import CaseciteError, NoIndexError


@contextmanager
def naming_damage(build_dir: Path) -> Iterator[None]:
    """Turn what is raised by a damaged file into an error that names the build and the remedy.

    Raises:
        NoIndexError: a file could not be read, or held what it cannot have been built with.
    """
    try:
        yield
    except CaseciteError:
        raise
    except BaseException as error:
        if not _tells_damage(error):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        remedy = "casecite index verify says which part, casecite index build heals it"
        raise NoIndexError(f"{build_dir} is damaged: {reason}", remedy=remedy) from error


def _tells_damage(error: BaseException) -> bool:
    """Whether an error is one of reading: SQLite's, JSON's, the system's, Chroma's, or a panic of Chroma or tantivy."""
    kind = type(error)
    if kind.__name__ == "PanicException" or kind.__module__ == "chromadb.errors":  # by name: pyo3's cannot be imported
        return True
    return isinstance(error, sqlite3.Error | ValueError | OSError)
