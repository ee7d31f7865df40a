"""Fuzzes what reads outside data (tests/fuzzing/targets.py), each target for so long: writes docs/results/fuzz.json.

    python -m benchmarks.fuzz --minutes 10 [--target NAME] [--engine hypothesis|atheris]

Each target runs under each engine in a process of its own, an input within 10 s of processor time and every process
below a bound of memory; every hundredth input is also given many times over, which shows time that grows faster than
the input. What fails goes to the target's corpus as `new-...`, made shorter; the run goes on. It may be stopped: what
was fuzzed for the time is not fuzzed again, unless it is named. (A target to fuzz again is taken out of fuzz.json.)
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from filelock import FileLock

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "docs" / "results" / "fuzz.json"
FOUND = ROOT / "tests" / "fuzzing" / "found.tsv"
STATE = Path(tempfile.gettempdir(), "casecite-fuzz")
ENGINES = ("hypothesis", "atheris")
INSTRUMENTED = ["index", "assistant", "bibtexparser", "rispy", "Bio.Medline", "pylatexenc", "nupunkt", "defusedxml"]
MAX_INPUT_BYTES = 4_096
INPUT_SECONDS = 10.0  # of processor time, so that other work on the machine does not count
SILENT_SECONDS = 180.0  # without any input, and the process is ended
MAX_MEGABYTES = {False: 600, True: 2_000}  # of a process: without, and with an index and its models
STRETCHED_EVERY = 100
STRETCHED_BYTES = 50_000
SHRINKING_TRIES = 400
EXAMPLES_A_ROUND = 500


class HangError(BaseException):
    """An input takes too long; no `except Exception` on the way may hide it."""


class Watch:
    """Runs the inputs of one target in this process: bounds them, counts them and keeps those that fail."""

    def __init__(self, target: str, check: Callable[[bytes], None], max_megabytes: int, folder: Path) -> None:
        self._target, self._check, self._max_megabytes, self._folder = target, check, max_megabytes, folder
        self._inputs = 0
        self._written = 0.0
        self._found: dict[str, str] = {}
        self._current = os.open(folder / "current", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        signal.signal(signal.SIGPROF, _interrupt)

    def run(self, data: bytes) -> None:
        """Run an input, and now and then the same many times over."""
        self._run_once(data)
        if data and self._inputs % STRETCHED_EVERY == 0:
            self._run_once(data * max(1, STRETCHED_BYTES // len(data)))
        if time.monotonic() - self._written > 1.0:
            self.write_status()

    def write_status(self) -> None:
        """Leave word of what was done so far."""
        status = {"inputs": self._inputs, "peak_mb": peak_megabytes(), "found": self._found}
        part = self._folder / "status.part"
        part.write_text(json.dumps(status), "utf-8")
        part.replace(self._folder / "status")
        self._written = time.monotonic()

    def _run_once(self, data: bytes) -> None:
        os.pwrite(self._current, data, 0)
        os.ftruncate(self._current, len(data))
        self._inputs += 1
        if failure := self._fail(data):
            self._keep(data, failure)
        if self._inputs % 100 == 0 and peak_megabytes() > self._max_megabytes:
            self._keep(data, "memory")
            self.write_status()
            os._exit(3)  # only a new process starts with little memory again

    def _fail(self, data: bytes) -> str | None:
        """How the input fails: the error and the place, or that it hangs."""
        signal.setitimer(signal.ITIMER_PROF, INPUT_SECONDS)
        try:
            self._check(data)
        except HangError as error:
            return f"hang {_places(error)[-1:]}"
        except Exception as error:
            return f"{type(error).__name__} {_places(error)}"
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        return None

    def _keep(self, data: bytes, failure: str) -> None:
        if failure in self._found:
            return
        small = data if failure.startswith(("hang", "memory")) else self._shrink(data, failure)
        self._found[failure] = save_new(self._target, small)
        print(f"{self._target}: {failure}\n  {small[:300]!r}", file=sys.stderr, flush=True)

    def _shrink(self, data: bytes, failure: str) -> bytes:
        """The input without what it fails without, as far as a few hundred tries come."""
        tries, size = 0, len(data) // 2
        while size and tries < SHRINKING_TRIES:
            start = 0
            while start < len(data) and tries < SHRINKING_TRIES:
                shorter = data[:start] + data[start + size :]
                tries += 1
                if self._fail(shorter) == failure:
                    data = shorter
                else:
                    start += size
            size //= 2
        return data


def _interrupt(*_: object) -> None:
    raise HangError


def _places(error: BaseException) -> list[str]:
    """Where an error comes from, the innermost three calls."""
    return [f"{Path(frame.filename).name}:{frame.name}" for frame in traceback.extract_tb(error.__traceback__)[-3:]]


def save_new(target: str, data: bytes) -> str:
    """Keep an input that fails in the corpus of its target."""
    path = ROOT / "tests" / "fuzzing" / "corpus" / target / f"new-{hashlib.sha256(data).hexdigest()[:8]}"
    path.write_bytes(data)
    return str(path.relative_to(ROOT))


def peak_megabytes() -> int:
    """The most memory that this process has held."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1_000  # type: ignore[index]


def fuzz_here(target: str, engine: str, seconds: float, folder: Path) -> None:
    """Fuzz a target in this process, which ends with it."""
    resource.setrlimit(resource.RLIMIT_DATA, (8_000_000_000, 8_000_000_000))
    if engine == "hypothesis":
        _fuzz_with_hypothesis(target, seconds, folder)
    else:
        _fuzz_with_atheris(target, seconds, folder)


def _watch(target: str, folder: Path) -> Watch:
    from tests.fuzzing.targets import TARGETS, bind, corpus_of

    chosen = TARGETS[target]
    watch = Watch(target, bind(chosen, _open_demo), MAX_MEGABYTES[chosen.needs_index], folder)
    for path in corpus_of(target):
        watch.run(path.read_bytes())
    return watch


def _open_demo() -> Any:
    from assistant import Assistant

    return Assistant.open(STATE / "demo-index")


def _fuzz_with_hypothesis(target: str, seconds: float, folder: Path) -> None:
    from hypothesis import HealthCheck, Phase, given, seed, settings

    from tests.fuzzing.inputs import inputs

    end = time.monotonic() + seconds
    watch, strategy = _watch(target, folder), inputs(target)
    while time.monotonic() < end:

        @seed(time.time_ns())
        @settings(
            max_examples=EXAMPLES_A_ROUND,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def run_round(data: bytes) -> None:
            if time.monotonic() < end:
                watch.run(data)

        run_round()
    watch.write_status()


def _fuzz_with_atheris(target: str, seconds: float, folder: Path) -> None:
    import atheris

    start = time.monotonic()
    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzzing.targets import CORPUS, words_of

        watch = _watch(target, folder)  # what is imported where it is used is so by now
    words = folder / "words"
    words.write_text("".join(map(_dictionary_line, words_of(target))), "ascii")
    grown = STATE / "corpora" / target
    grown.mkdir(parents=True, exist_ok=True)
    options = {
        "dict": words,
        "max_len": MAX_INPUT_BYTES,
        "max_total_time": max(1, round(seconds - (time.monotonic() - start))),
        "rss_limit_mb": 0,
        "timeout": 100_000,
        "verbosity": 0,
    }
    arguments = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup(["fuzz", *arguments, str(grown), str(CORPUS / target)], watch.run)
    atheris.Fuzz()


def _dictionary_line(word: bytes) -> str:
    """A word as libFuzzer's dictionaries write it."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in word[:60]) + '"\n'


def fuzz(target: str, engine: str, minutes: float) -> dict[str, Any]:
    """Fuzz a target for the time in processes of its own: how many inputs were tried, and what failed how often."""
    end = time.monotonic() + 60 * minutes
    outcome: dict[str, Any] = {"inputs": 0, "peak_mb": 0, "found": {}}
    while (left := end - time.monotonic()) > 1:
        with tempfile.TemporaryDirectory() as folder:
            code = _run_child(target, engine, left, Path(folder))
            status_path = Path(folder, "status")
            status = json.loads(status_path.read_text("utf-8")) if status_path.exists() else {}
            if code not in (0, 3):  # libFuzzer ends with 0 when the time is over, a watch that outgrew its bound with 3
                current = Path(folder, "current").read_bytes()
                status.setdefault("found", {})[f"process ended with {code}"] = save_new(target, current)
        outcome["inputs"] += status.get("inputs", 0)
        outcome["peak_mb"] = max(outcome["peak_mb"], status.get("peak_mb", 0))
        outcome["found"] |= status.get("found", {})
    return outcome


def _run_child(target: str, engine: str, seconds: float, folder: Path) -> int:
    command = [sys.executable, "-m", "benchmarks.fuzz", "--target", target, "--engine", engine]
    command += ["--child", f"{seconds:.0f}", "--folder", str(folder)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    status = folder / "status"
    try:
        while child.poll() is None:
            time.sleep(1)
            last = status.stat().st_mtime if status.exists() else folder.stat().st_ctime
            if time.time() - last > SILENT_SECONDS:
                child.kill()
    finally:
        child.kill()
        child.wait()
    return child.returncode


def record(target: str, engine: str, minutes: float, outcome: dict[str, Any]) -> None:
    """Merge what one run found into the result."""
    with FileLock(STATE / "result.lock"):
        result = read_result()
        before = result["targets"].setdefault(target, {}).get(engine, {})
        hangs = sum(name.startswith("hang") or "process ended with -9" in name for name in outcome["found"])
        result["targets"][target][engine] = {
            "seconds": round(60 * minutes),
            "inputs": outcome["inputs"],
            "crashes": len(outcome["found"]) - hangs,
            "hangs": hangs,
            "peak_mb": outcome["peak_mb"],
            "date": date.today().isoformat(),
            "seconds_in_all": before.get("seconds_in_all", 0) + round(60 * minutes),
            "inputs_in_all": before.get("inputs_in_all", 0) + outcome["inputs"],
        }
        lines = FOUND.read_text("utf-8").splitlines()
        result["found_and_mended"] = [line.partition("\t")[2] for line in lines]
        RESULT.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", "utf-8")


def read_result() -> dict[str, Any]:
    """The result so far."""
    if RESULT.exists():
        return json.loads(RESULT.read_text("utf-8"))
    return {"command": "python -m benchmarks.fuzz --minutes 10", "targets": {}, "found_and_mended": []}


def is_done(target: str, engine: str, minutes: float) -> bool:
    """Whether a target was fuzzed for the time, and nothing was found."""
    last = read_result()["targets"].get(target, {}).get(engine, {})
    return last.get("seconds", 0) >= 60 * minutes and not last["crashes"] and not last["hangs"]


def main() -> None:
    """Fuzz what is asked for, one after another."""
    from tests.fuzzing.targets import TARGETS

    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0, help="for each target and engine")
    parser.add_argument("--target", choices=TARGETS)
    parser.add_argument("--engine", choices=ENGINES)
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        fuzz_here(arguments.target, arguments.engine, arguments.child, arguments.folder)
        return
    _build_demo()
    for target in [arguments.target] if arguments.target else TARGETS:
        for engine in [arguments.engine] if arguments.engine else ENGINES:
            if arguments.target or not is_done(target, engine, arguments.minutes):
                outcome = fuzz(target, engine, arguments.minutes)
                record(target, engine, arguments.minutes, outcome)
                print(f"{target} under {engine}: {outcome}", flush=True)


def _build_demo() -> None:
    from index import DEMO_RECORDS, build_index

    STATE.mkdir(exist_ok=True)
    with FileLock(STATE / "demo.lock"):
        if not (STATE / "demo-index" / "CURRENT").exists():
            build_index([DEMO_RECORDS], STATE / "demo-index")


if __name__ == "__main__":
    main()
