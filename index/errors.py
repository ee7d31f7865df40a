"""Errors a user can act on: what is wrong, and what to do about it."""

from __future__ import annotations

from functools import partial
from typing import Any


class CaseciteError(Exception):
    """Something the user can put right.

    Attributes:
        remedy: one sentence that says what to do.
        exit_code: what the command line exits with.
    """

    exit_code = 1

    def __init__(self, message: str, *, remedy: str) -> None:
        """Take what is wrong, naming the thing, and what to do about it."""
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
    """The system does not let the index be read now: no file handle is left, or this user has not the right."""


class IndexMismatchError(NoIndexError):
    """The index was built by another embedding model or in another format."""


class BuildRunningError(CaseciteError):
    """Another process is writing this index."""


class BuildFailedError(CaseciteError):
    """A build could not be finished; the index in use is unchanged."""
