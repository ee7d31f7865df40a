"""Progress of long operations: the callback, and one that does nothing."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Called with the step, how much of it is done, and of how much (None where that is not known)."""


def no_progress(step: str, done: int, total: int | None) -> None:
    """Show nothing."""
