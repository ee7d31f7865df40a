"""Errors of reading a build's files, explained: which folder, what is wrong, and the remedy."""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from index.errors import CaseciteError, NoIndexError, UnreadableIndexError, first_line

_NO_HANDLE = "Too many open files"
_NO_PERMISSION = "Permission denied"
_Class = TypeVar("_Class", bound=type)


@contextmanager
def explaining_read_errors(build_dir: Path) -> Iterator[None]:
    """Raise errors of reading a build's files as errors that name the build and the remedy.

    Raises:
        NoIndexError: a file could not be read, or contains what was never written to it.
        UnreadableIndexError: the operating system does not let it be read.
    """
    try:
        yield
    except CaseciteError:
        raise
    except BaseException as error:
        if not is_read_error(error):
            raise
        raise explain_read_error(build_dir, error) from error


def explains_read_errors(kind: _Class) -> _Class:
    """A class decorator: `explaining_read_errors` around every public method, for a class with a `build_dir`.

    Iterators raise after their method has returned, so they explain errors themselves.
    """

    def explained(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(self: Any, *arguments: Any, **options: Any) -> Any:
            with explaining_read_errors(self.build_dir):
                return method(self, *arguments, **options)

        return call

    for name, method in inspect.getmembers(kind, inspect.isfunction):
        if not name.startswith("_"):
            setattr(kind, name, explained(method))
    return kind


def explain_read_error(path: Path, error: BaseException) -> NoIndexError:
    """The error that says what is wrong with a file or a folder of an index, and the remedy."""
    reason = first_line(error)
    if _NO_HANDLE in reason or not _has_file_handle():
        return UnreadableIndexError(
            f"{path} cannot be read: {_NO_HANDLE.lower()}", remedy="raise the limit, such as by ulimit -n 4096"
        )
    if _NO_PERMISSION in reason:
        return UnreadableIndexError(
            f"{path} cannot be read: {_NO_PERMISSION.lower()}", remedy="let this user read all files in it"
        )
    remedy = "casecite index verify says which part, casecite index build repairs it"
    return NoIndexError(f"{path} is damaged: {reason}", remedy=remedy)


def is_read_error(error: BaseException) -> bool:
    """Whether an error comes from reading: SQLite, JSON, the system, Chroma, or a panic of Chroma or tantivy."""
    kind = type(error)
    if kind.__name__ == "PanicException" or kind.__module__ == "chromadb.errors":  # by name: pyo3's cannot be imported
        return True
    return isinstance(error, sqlite3.Error | ValueError | OSError)


def _has_file_handle() -> bool:
    """Whether a file can be opened: SQLite and Chroma do not say why they could not."""
    try:
        with Path(__file__).open("rb"):
            return True
    except OSError:
        return False
