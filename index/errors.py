"""Errors that a user can act on: each says what is wrong and what to do about it."""

from __future__ import annotations

from functools import partial
from typing import Any


class CaseciteError(Exception):
    """An error that the user can fix.

    Attributes:
        remedy: one sentence that says what to do.
        exit_code: what the command line exits with.
    """

    exit_code = 1

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.args[0]} ({self.remedy})"

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), remedy=self.remedy), self.args


class WrongUseError(CaseciteError):
    """An argument, a path or a setting that cannot be used."""

    exit_code = 2


class NoIndexError(CaseciteError):
    """There is no index here, or it cannot be read."""

    exit_code = 4


class UnreadableIndexError(NoIndexError):
    """The system does not allow reading the index now: no file handle is left, or this user lacks the permission."""


class IndexMismatchError(NoIndexError):
    """The index was built by another embedding model or in another format."""


class BuildRunningError(CaseciteError):
    """Another process is writing this index."""


class BuildFailedError(CaseciteError):
    """A build could not be finished; the index in use is unchanged."""


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, or its type if it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
