"""What the parts of a build raise where their files are damaged or cannot be read, in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from index.errors import CaseciteError, NoIndexError, UnreadableIndexError

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

_NO_HANDLE = "Too many open files"
_NO_RIGHT = "Permission denied"


class _InBuild(Protocol):
    """What is of a build, and knows its folder."""

    build_dir: Path


_Part = TypeVar("_Part", bound=_InBuild)


@contextmanager
def naming_damage(build_dir: Path) -> Iterator[None]:
    """Turn what is raised by a damaged file into an error that names the build and the remedy.

    Raises:
        NoIndexError: a file could not be read, or held what it cannot have been built with.
        UnreadableIndexError: the system does not let it be read.
    """
    try:
        yield
    except CaseciteError:
        raise
    except BaseException as error:
        if not tells_damage(error):
            raise
        raise name_fault(build_dir, error) from error


def names_damage(
    method: Callable[Concatenate[_Part, _Arguments], _Result],
) -> Callable[Concatenate[_Part, _Arguments], _Result]:
    """A method of what knows its `build_dir`, with `naming_damage` around it."""

    @wraps(method)
    def call(part: _Part, /, *arguments: _Arguments.args, **options: _Arguments.kwargs) -> _Result:
        with naming_damage(part.build_dir):
            return method(part, *arguments, **options)

    return call


def name_fault(path: Path, error: BaseException) -> NoIndexError:
    """The error that says what is wrong with a file or a folder of an index, and the remedy."""
    reason = first_line(error)
    if _NO_HANDLE in reason or not _has_file_handle():
        return UnreadableIndexError(
            f"{path} cannot be read: {_NO_HANDLE.lower()}", remedy="raise the limit, such as by ulimit -n 4096"
        )
    if _NO_RIGHT in reason:
        return UnreadableIndexError(
            f"{path} cannot be read: {_NO_RIGHT.lower()}", remedy="give this user the right to read all files in it"
        )
    remedy = "casecite index verify says which part, casecite index build heals it"
    return NoIndexError(f"{path} is damaged: {reason}", remedy=remedy)


def first_line(error: BaseException) -> str:
    """The first line of what an exception says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def tells_damage(error: BaseException) -> bool:
    """Whether an error is one of reading: SQLite's, JSON's, the system's, Chroma's, or a panic of Chroma or tantivy."""
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
