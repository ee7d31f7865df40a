"""How far long work is, in a log and in a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from assistant.cli import progress
from assistant.cli.progress import show_progress

WORK = """
import time
from assistant.cli.progress import show_progress

with show_progress() as show:
    show("loading the model", 0, None)
    for done in range(0, 1201, 100):
        show("embedding chunks", done, 1200)
        time.sleep(0.12)
"""
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Clock:
    """Time that passes when it is told to."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_log_gets_a_line_when_a_step_begins_every_ten_seconds_and_when_it_is_over(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with show_progress() as show:
        for clock.now in range(25):
            show("reading records", 5_000 * int(clock.now), None)
        show("loading the model", 0, None)
        for clock.now in range(26, 38):
            show("embedding chunks", 50 * (int(clock.now) - 26), 9_000)
    assert capsys.readouterr().err.splitlines() == [
        "reading records ...",
        "reading records: 50,000, 5,000/s",
        "reading records: 100,000, 5,000/s",
        "reading records: 120,000 in 24.0 s, 5,000/s",
        "loading the model ...",
        "loading the model: 2.0 s",
        "embedding chunks ...",
        "embedding chunks: 500 of 9,000, 50/s, 2:50 left",
        "embedding chunks: 550 in 11.0 s, 50/s",
    ]


def test_work_that_goes_on_where_it_stopped_is_as_fast_as_it_is_now(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with show_progress() as show:
        show("fetching", 90_000, 100_000)
        clock.now = 100.0
        show("fetching", 90_200, 100_000)
    assert "fetching: 90,200 of 100,000, 2.0/s, 1:21:40 left" in capsys.readouterr().err


def test_a_step_that_fails_is_not_said_to_be_over(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with show_progress() as show:
            show("embedding chunks", 1, 2)
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        fail()
    assert capsys.readouterr().err == "embedding chunks ...\n"


def test_a_terminal_shows_bars_with_rate_and_time_left_and_keeps_what_each_step_took() -> None:
    lines = run_in_terminal(WORK)
    assert any(re.search(r"embedding chunks +[━╸╺]+ \d+ of 1,200, \d+/s, 0:0\d left$", line) for line in lines)
    loading, embedding = lines[-2:]
    assert re.search(r"^loading the model +━+ \d\.\d s$", loading)
    assert re.search(r"^embedding chunks +━+ 1,200 in \d\.\d s, \d+/s$", embedding)


def run_in_terminal(program: str) -> list[str]:
    """What a program writes to a terminal of 100 columns, line by line."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": "100", "TERM": "xterm"}
    process = subprocess.Popen([sys.executable, "-c", program], stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    written = b""
    while part := _read(ours):
        written += part
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return [line.strip() for line in re.split(r"[\r\n]+", CONTROL.sub("", written.decode())) if line.strip()]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # the other end was closed
        return b""
