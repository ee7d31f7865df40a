"""What the tests of crashes run in processes of their own: builds that are killed, readers, and a disk that forgets."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any

from index import BuildReport, build_index, open_index
from index.build import Mode
from index.errors import BuildRunningError
from index.manifest import Manifest, read_manifest
from index.search import OpenBuild

# Forks of a process that has imported all, and runs no thread: a build in one begins within milliseconds.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "chromadb.api.rust",
        "chromadb.telemetry.product.posthog",
        "index.bert",
        "index.build",
        "nupunkt",
        "pytest",
        "sentence_transformers",
        __name__,
    ]
)

State = dict[str, str]
"""The records of an index: their ids, and their abstracts."""

QUESTION = "Who had a rash, and when did it go?"


def records_of(version: int, numbers: Iterable[int]) -> State:
    """What an index holds after records of these numbers were built; each version of a record says something else."""
    return {
        f"pmid:{number}": f"A patient of {number} years had a rash at visit {version}. It went after {number} days."
        for number in numbers
    }


def write_records(path: Path, records: State) -> Path:
    """The records as a file to build from."""
    rows = [{"pmid": name.removeprefix("pmid:"), "abstract": abstract} for name, abstract in records.items()]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


@dataclass(frozen=True)
class Build:
    """One call of `build_index`."""

    index_dir: Path
    source: Path
    mode: Mode
    embedder: Path
    wait: bool = False

    def run(self, progress: Callable[[str, int, int | None], None] | None = None) -> BuildReport:
        os.environ["CASECITE_EMBEDDER"] = str(self.embedder)
        return build_index([self.source], self.index_dir, self.mode, progress, wait=self.wait)


def in_new_process(function: Callable[..., Any], *arguments: object) -> Any:
    """What a function returns, or raises, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=CONTEXT) as pool:
        return pool.submit(function, *arguments).result()


def start(function: Callable[..., None], *arguments: object) -> BaseProcess:
    """A process that has begun to run a function, whose last argument is a connection on which it says so."""
    here, there = CONTEXT.Pipe()
    process = CONTEXT.Process(target=function, args=(*arguments, there), daemon=True)
    process.start()
    assert here.recv() == "ready"
    return process


def refusal(build: Build) -> str:
    """Why a build is refused (an error of ours cannot be sent from one process to another)."""
    try:
        build.run()
    except BuildRunningError as error:
        return str(error)
    raise AssertionError("the build was not refused")


def run_build(build: Build, connection: Connection) -> None:
    connection.send("ready")
    build.run()


def kill_after(seconds: float, build: Build) -> bool:
    """Start a build and kill it after so long; whether it was still running."""
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
    """The records of the live index, all parts of which agree and are as they were built."""
    os.environ["CASECITE_EMBEDDER"] = str(embedder)
    build = open_index(index_dir).current()
    assert (changed := changed_files(build.build_dir)) == [], changed
    return ask(build)


def ask(build: OpenBuild) -> State:
    """The records of a build; a question finds the same ones."""
    records = {record.record_id: record.abstract for record, _ in build.iter_records()}
    passages = build.search(QUESTION, top_k=len(records) + 1)
    assert {passage.record.record_id: passage.record.abstract for passage in passages} == records
    assert build.manifest.record_count == len(records)
    return records


def ask_until(stop: Path, index_dir: Path, embedder: Path) -> tuple[list[State], int]:
    """Ask an index that stays open, and one opened anew each time: the states seen, in order, and how often asked."""
    os.environ["CASECITE_EMBEDDER"] = str(embedder)
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
    """Open an index anew and ask it, again and again; whether the first record was always found by its own words."""
    os.environ["CASECITE_EMBEDDER"] = str(embedder)
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


Image = dict[str, bytes]
"""Files by their path."""

STRICT = "all that is not synced is lost"


class ForgetfulDisk:
    """What a power cut could leave of a folder: what was synced by `os.fsync`, and of the rest what chance lets pass.

    It is harsher than any file system: a file's name is safe only when its folder was synced after it got it, its
    content only when the file itself was; and what Chroma, tantivy and SQLite sync by themselves does not count.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contents: dict[int, bytes] = {}
        self._entries: dict[int, dict[str, int]] = {}
        self._held: list[int] = []  # open files, so that no number of a file is used again for another
        for path in (folder, *folder.rglob("*")):
            self.sync(path)

    def sync(self, path: Path) -> None:
        """Note that a file or a folder is safe as it is now."""
        descriptor = os.open(path, os.O_RDONLY)
        self._held.append(descriptor)
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            self._entries[status.st_ino] = {entry.name: entry.inode() for entry in os.scandir(descriptor)}
        else:
            self._contents[status.st_ino] = os.pread(descriptor, status.st_size, 0)

    def image(self, keeps_name: Callable[[], bool], keeps_data: Callable[[], float]) -> Image:
        """The files after a power cut now.

        `keeps_name` tells whether a name that was given or taken since the last sync is so after the cut as well,
        `keeps_data` what share of a file that was written since is there.
        """
        inode = self._folder.stat().st_ino
        return dict(self._files(inode, self._folder, "", keeps_name, keeps_data))

    def _files(
        self,
        folder: int,
        path: Path | None,
        prefix: str,
        keeps_name: Callable[[], bool],
        keeps_data: Callable[[], float],
    ) -> Iterator[tuple[str, bytes]]:
        now = {entry.name: entry for entry in os.scandir(path)} if path else {}
        safe = self._entries.get(folder, {})
        for name in sorted({*now, *safe}):
            entry, inode = now.get(name), safe.get(name)
            if entry and entry.inode() != inode and keeps_name():
                inode = entry.inode()
            elif entry is None and keeps_name():
                continue
            if inode is None:
                continue
            current = Path(entry.path) if entry and entry.inode() == inode else None
            if inode in self._entries or (current and current.is_dir()):
                yield from self._files(inode, current, f"{prefix}{name}/", keeps_name, keeps_data)
            else:
                yield prefix + name, self._content(inode, current, keeps_data)

    def _content(self, inode: int, path: Path | None, keeps_data: Callable[[], float]) -> bytes:
        safe = self._contents.get(inode, b"")
        current = path.read_bytes() if path else safe
        return safe if current == safe else current[: int(len(current) * keeps_data())] or safe


def cut_power_at_every_sync(build: Build, saved: Path, seed: int) -> tuple[list[tuple[str, str | None]], str]:
    """Build, and look at each call of `os.fsync` what a power cut would leave; some of that is saved to folders.

    Returns the policy by which the disk forgot and the id of the build that answers then (None where there is none),
    once for each call and policy, and the id of the new build.
    """
    disk, random, fsync = ForgetfulDisk(build.index_dir.parent), Random(seed), os.fsync
    policies: list[tuple[str, Callable[[], bool], Callable[[], float]]] = [
        (STRICT, lambda: False, lambda: 0.0),
        ("names are there, data is not", lambda: True, lambda: 0.0),
        ("data is there, names are not", lambda: False, lambda: 1.0),
        *[("by chance", lambda: random.random() < 0.5, random.random)] * 8,
    ]
    seen: list[tuple[str, str | None]] = []

    def look() -> None:
        for policy, keeps_name, keeps_data in policies:
            image = disk.image(keeps_name, keeps_data)
            seen.append((policy, live_build(image, build.index_dir.name)))
            if len(seen) % 97 == 0:
                save(image, saved / f"{len(seen)}")

    def look_and_sync(descriptor: int) -> None:
        look()
        fsync(descriptor)
        disk.sync(Path(f"/proc/self/fd/{descriptor}"))

    os.fsync = look_and_sync  # type: ignore[assignment]
    report = build.run()
    look()
    return seen, report.build_id


def live_build(image: Image, index_name: str) -> str | None:
    """The id of the build that answers, or what is wrong with it."""
    if f"{index_name}/CURRENT" not in image:
        return None
    build_id = image[f"{index_name}/CURRENT"].decode().strip()
    folder = f"{index_name}/builds/{build_id}/"
    files = {name.removeprefix(folder): content for name, content in image.items() if name.startswith(folder)}
    if not files.get("manifest.json"):
        return f"CURRENT names {build_id!r}, which has no manifest"
    listed = Manifest.model_validate_json(files["manifest.json"]).files
    found = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    wrong = sorted(name for name in listed if found.get(name) != listed[name])
    return f"{build_id} has other files than were built: {wrong}" if wrong else build_id


def save(image: Image, folder: Path) -> None:
    for name, content in image.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
