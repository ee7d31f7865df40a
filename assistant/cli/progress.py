"""Progress of long steps on stderr, with rate and time left: bars in a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.text import Text

from index.progress import Progress as ProgressCallback

LINE_EVERY_S = 10.0
MIN_RATED_S = 1.0  # shorter steps show no rate


@contextmanager
def show_progress() -> Iterator[ProgressCallback]:
    """A progress callback for `build_index` and other long work: called with the step, the items done, and the total.

    A step ends when the next one begins, or when the block ends without an error.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        lines = _Lines()
        yield lines.show
        lines.end_step()
        return
    columns = (SpinnerColumn(finished_text=" "), TextColumn("{task.description}"), BarColumn(), _Amount())
    with Progress(*columns, console=console) as progress:
        bars = _Bars(progress)
        yield bars.show
        bars.end_step()


@dataclass
class Step:
    """A running step: the items done at its start and now, their total, and the start time."""

    name: str
    first: int
    done: int
    total: int | None
    started: float

    def describe(self) -> str:
        """Items done, rate and time left."""
        rate = self._rate(time.monotonic() - self.started)
        of_all = f" of {self.total:,}" if self.total else ""
        amount = f"{self.done:,}{of_all}" if self.done or self.total else ""
        left = f"{_clock((self.total - self.done) / rate)} left" if self.total and rate else ""
        return ", ".join(filter(None, (amount, _per_second(rate), left)))

    def sum_up(self) -> str:
        """Items done, duration and rate."""
        seconds = time.monotonic() - self.started
        rate = self._rate(seconds)
        amount = f"{self.done:,} in {seconds:.1f} s" if self.done else f"{seconds:.1f} s"
        return ", ".join(filter(None, (amount, _per_second(rate))))

    def _rate(self, seconds: float) -> float:
        return (self.done - self.first) / seconds if seconds >= MIN_RATED_S else 0.0


def _per_second(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s" if rate else ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class _Lines:
    """A line when a step begins, one every LINE_EVERY_S seconds, and one when it ends."""

    def __init__(self) -> None:
        self._step: Step | None = None
        self._last_line = 0.0

    def show(self, name: str, done: int, total: int | None) -> None:
        if self._step is None or self._step.name != name:
            self.end_step()
            self._step = Step(name, done, done, total, time.monotonic())
            self._print(f"{name} ...")
        self._step.done, self._step.total = done, total
        if time.monotonic() - self._last_line >= LINE_EVERY_S:
            self._print(f"{name}: {self._step.describe()}")

    def end_step(self) -> None:
        if self._step:
            self._print(f"{self._step.name}: {self._step.sum_up()}")

    def _print(self, line: str) -> None:
        self._last_line = time.monotonic()
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - this is the terminal's module


class _Bars:
    """A bar for each step; finished steps stay, with their duration."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._step: Step | None = None
        self._bar = TaskID(0)

    def show(self, name: str, done: int, total: int | None) -> None:
        if self._step is None or self._step.name != name:
            self.end_step()
            self._step = Step(name, done, done, total, time.monotonic())
            self._bar = self._progress.add_task(name, total=total, step=self._step)
        self._step.done, self._step.total = done, total
        self._progress.update(self._bar, completed=done, total=total)

    def end_step(self) -> None:
        if self._step:
            whole = max(self._step.done, 1)
            self._progress.update(self._bar, completed=whole, total=whole, took=self._step.sum_up())


class _Amount(ProgressColumn):
    """Items done, rate and time left; for a finished step its duration."""

    def render(self, task: Task) -> Text:
        step: Step = task.fields["step"]
        return Text(task.fields.get("took") or step.describe())
