"""Progress of long steps on stderr: a bar in a terminal, a line a step elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from index.build import Progress as ProgressCallback


@contextmanager
def show_progress() -> Iterator[ProgressCallback]:
    """A progress callback for `build_index`."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _print_steps()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def show(step: str, done: int, total: int | None) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield show


def _print_steps() -> ProgressCallback:
    seen: set[str] = set()

    def show(step: str, done: int, total: int | None) -> None:
        if step not in seen:
            seen.add(step)
            print(f"{step} ...", file=sys.stderr, flush=True)  # noqa: T201 - this is the terminal's module

    return show
