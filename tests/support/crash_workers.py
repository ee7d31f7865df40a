"""Index builds that are killed, and functions that run in other processes meanwhile."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import numpy as np

from index import BuildReport, build_index, open_index
from index.building.build import Mode
from index.errors import CaseciteError
from index.search.snapshot import Snapshot
from index.storage.layout import IndexLayout
from index.storage.manifest import read_manifest

State = dict[str, str]
"""The records of an index: their ids, and their abstracts."""

# Workers are forked from a server that has imported what they need and run nothing of it: they start in milliseconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "assistant.reading.network",
        "chromadb.api.rust",
        "chromadb.telemetry.product.posthog",
        "index.building.build",
        "index.embedding.packed_bert",
        "nupunkt",
        "sentence_transformers",
        __name__,
    ]
)
NUMBERS = range(1, 25)
QUESTION = "Who had a rash, and when did it go?"


def own_settings() -> dict[str, str]:
    """The settings of this process, for one that it starts."""
    return {name: value for name, value in os.environ.items() if name.startswith("CASECITE_")}


def take_settings(settings: Mapping[str, str]) -> None:
    """Use these settings instead of those of the test that started the workers' server."""
    for name in own_settings():
        del os.environ[name]
    os.environ.update(settings)


def records_of(version: int, numbers: Iterable[int]) -> State:
    """The records of these numbers; each version of a record has another text."""
    return {
        f"pmid:{number}": f"A patient of {number} years had a rash at visit {version}. It went after {number} days."
        for number in numbers
    }


def write_records(path: Path, records: State) -> Path:
    """The records as a file to build from."""
    rows = [{"pmid": name.removeprefix("pmid:"), "abstract": abstract} for name, abstract in records.items()]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


def make_embedder(folder: Path, seed: int) -> Path:
    """A fast model: a text is the mean of one random vector per word."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {"[UNK]", *"0123456789", *" ".join(records_of(0, [0]).values()).replace(".", " ").split()}
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(sorted(words))}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)]
    )
    weights = np.random.default_rng(seed).normal(size=(tokenizer.get_vocab_size(), 16)).astype(np.float32)
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)]).save(str(folder))
    return folder


@dataclass(frozen=True)
class Build:
    """One call of `build_index`."""

    index_dir: Path
    source: Path
    mode: Mode
    embedder: Path
    wait: bool = False

    def run(self, progress: Callable[[str, int, int | None], None] | None = None) -> BuildReport:
        take_settings({"CASECITE_EMBEDDER": str(self.embedder)})
        return build_index([self.source], self.index_dir, self.mode, progress, wait=self.wait)


def in_new_process(function: Callable[..., Any], *arguments: object) -> Any:
    """Call a function in a new process."""
    with ProcessPoolExecutor(1, mp_context=PROCESSES) as pool:
        return pool.submit(plainly, function, *arguments).result()


def plainly(function: Callable[..., Any], *arguments: object) -> Any:
    """Call a function; a `CaseciteError`, which cannot be pickled, is raised as a `RuntimeError`."""
    try:
        return function(*arguments)
    except CaseciteError as error:
        raise RuntimeError(str(error)) from None


def start(function: Callable[..., None], *arguments: object) -> BaseProcess:
    """A process that has begun to run a function, whose last argument is a connection on which it says so."""
    here, there = PROCESSES.Pipe()
    process = PROCESSES.Process(target=function, args=(*arguments, there), daemon=True)
    process.start()
    assert here.recv() == "ready"
    return process


def run_build(build: Build, connection: Connection) -> None:
    connection.send("ready")
    build.run()


def kill_after(seconds: float, build: Build) -> bool:
    """Start a build and kill it after some seconds; whether it was still running."""
    process = start(run_build, build)
    process.join(seconds)
    process.kill()
    return was_killed(process)


def was_killed(process: BaseProcess) -> bool:
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL), "the build failed"
    return process.exitcode != 0


def build_until_call(build: Build, names: tuple[str, ...], last: int, connection: Connection) -> None:
    """Build, and be killed with the whole process group in place of the `last`th call of functions of `os`."""
    os.setpgid(0, 0)
    calls = count(1)

    def replace(name: str) -> None:
        original = getattr(os, name)

        def call_or_die(*args: Any, **kwargs: Any) -> Any:
            if next(calls) == last:
                os.killpg(0, signal.SIGKILL)
            return original(*args, **kwargs)

        setattr(os, name, call_or_die)

    for name in names:
        replace(name)
    run_build(build, connection)


def hold_build(build: Build, release: Path, connection: Connection) -> None:
    """Build, and wait in the middle of it until a file appears."""

    def wait(step: str, done: int, total: int | None) -> None:
        if step == "loading the embedding model":
            connection.send("ready")
            while not release.exists():
                time.sleep(0.01)

    build.run(wait)


def read_state(index_dir: Path, embedder: Path) -> State:
    """The records of the live index; all of its parts must agree and be as they were built."""
    take_settings({"CASECITE_EMBEDDER": str(embedder)})
    build = open_index(index_dir).current()
    assert (changed := changed_files(build.build_dir)) == [], changed
    return ask(build)


def ask(build: Snapshot) -> State:
    """The records of a build; a question finds the same ones."""
    records = {record.record_id: record.abstract for record, _ in build.iter_records()}
    passages = build.search(QUESTION, top_k=len(records) + 1)
    assert {passage.record.record_id: passage.record.abstract for passage in passages} == records
    assert build.manifest.record_count == len(records)
    return records


def ask_until(stop: Path, index_dir: Path, embedder: Path) -> tuple[list[State], int]:
    """Ask an index that stays open, and one opened again each time: the states seen, in order, and how often asked."""
    take_settings({"CASECITE_EMBEDDER": str(embedder)})
    seen: list[State] = []
    index = open_index(index_dir)
    for times in count(1):
        for build in (index.current(), open_index(index_dir).current()):
            state = ask(build)
            if seen[-1:] != [state]:
                seen.append(state)
        if stop.exists():
            return seen, 2 * times
    raise AssertionError


def find_first(stop: Path, index_dir: Path, embedder: Path) -> bool:
    """Open an index and ask it, repeatedly; whether the first record was always found by its own words."""
    take_settings({"CASECITE_EMBEDDER": str(embedder)})
    found = []
    while not (found and stop.exists()):
        build = open_index(index_dir).current()
        (record, _), *_ = build.iter_records()
        (best, *_) = build.search(record.abstract)
        found.append(best.record == record)
    return all(found)


def keep_asking(index_dir: Path, embedder: Path, connection: Connection) -> None:
    """Ask until killed."""
    never = index_dir / "never"
    connection.send("ready")
    find_first(never, index_dir, embedder)


def changed_files(build_dir: Path) -> list[str]:
    """The files of a build that are not as its manifest says."""
    found = {
        path.relative_to(build_dir).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in build_dir.rglob("*")
        if path.is_file() and not path.name.startswith("manifest.")
    }
    listed = read_manifest(build_dir).files
    return sorted(name for name in {*found, *listed} if found.get(name) != listed.get(name))


@dataclass(frozen=True)
class Series:
    """The results of killed builds: how many left the new records, and what was asked and seen meanwhile."""

    kills: int
    new: int
    questions: int
    states: int


class Life:
    """An index, what it holds, and what it held before."""

    def __init__(self, folder: Path, embedder: Path) -> None:
        self.index_dir = folder / "index"
        self.embedder = embedder
        self.history: list[State] = []
        self._source = folder / "records.jsonl"
        self._versions = count(1)

    def next(self, mode: Mode) -> tuple[Build, State]:
        """A build of new versions of all records, or an update of three and a new one; and the records afterwards."""
        version = next(self._versions)
        changed = records_of(version, NUMBERS if mode == "rebuild" else (*NUMBERS[:3], 10_000 + version))
        build = Build(self.index_dir, write_records(self._source, changed), mode, self.embedder)
        return build, changed if mode == "rebuild" else self.history[-1] | changed

    def finish(self, mode: Mode) -> BuildReport:
        """A build that is not killed."""
        build, after = self.next(mode)
        report: BuildReport = in_new_process(build.run)
        self.history.append(after)
        return report

    def look(self, after: State) -> bool:
        """Whether a new process finds the new records; it must find all of them or those before."""
        found = in_new_process(read_state, self.index_dir, self.embedder)
        assert found in (*self.history[-1:], after)
        if found == after:
            self.history.append(after)
        return bool(found == after)

    def survive_kills(self, mode: Mode, kills: int, seed: int) -> Series:
        """Kill builds at random moments while a reader asks; every look at the index finds old records or new ones."""
        random, stop, outcomes, first = Random(seed), self.index_dir.with_name("stop"), [], len(self.history) - 1
        seconds = median(self.finish(mode).seconds for _ in range(3))
        with ProcessPoolExecutor(1, mp_context=PROCESSES) as pool:
            reader = pool.submit(plainly, ask_until, stop, self.index_dir, self.embedder)
            try:
                while len(outcomes) < kills:
                    build, after = self.next(mode)
                    killed = kill_after(random.random() * seconds, build)
                    is_new = self.look(after)
                    outcomes += [is_new] if killed else []
                self.finish(mode)
            finally:
                stop.touch()
            seen, questions = reader.result()
        states = iter(self.history[first:])
        assert all(state in states for state in seen), "the reader sees one state after the other, and none between"
        return Series(kills, sum(outcomes), questions, len(seen))

    def assert_nothing_is_left_behind(self) -> None:
        """The next build succeeds, and removes what killed ones left."""
        before = IndexLayout(self.index_dir).current_build()
        report = self.finish("update")
        assert in_new_process(read_state, self.index_dir, self.embedder) == self.history[-1]
        assert {path.name for path in (self.index_dir / "builds").iterdir()} == {before.name, report.build_id}
        assert {path.name for path in self.index_dir.iterdir()} == {"CURRENT", "builds", "write.lock"}
