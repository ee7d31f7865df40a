"""The files of an index folder, and the changes to it that must be atomic.

<index>/CURRENT             the id of the live build, which answers
<index>/write.lock          held by the one process that builds
<index>/builds/<id>/        records.sqlite, lexical/, abbreviations.sqlite, vectors/, chunk_vectors.sqlite,
                            rejected.jsonl, merged.jsonl, manifest.json, manifest.copy.json
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from index.errors import BuildRunningError, NoIndexError, WrongUseError
from index.storage.manifest import COPY_NAME, FILE_NAME, Manifest
from index.storage.read_errors import explain_read_error

RECORDS_FILE = "records.sqlite"
VECTORS_FILE = "chunk_vectors.sqlite"
REJECTED_FILE = "rejected.jsonl"
MERGED_FILE = "merged.jsonl"
MAX_NAME_CHARS = 80  # of a build's name; the system refuses longer ones


class IndexLayout:
    """The paths of one index folder, which need not exist."""

    def __init__(self, index_dir: Path) -> None:
        self.index_dir = index_dir
        self.builds_dir = index_dir / "builds"
        self.current_file = index_dir / "CURRENT"
        self._lock_file = index_dir / "write.lock"

    def current_build(self) -> Path:
        """The folder of the live build.

        Raises:
            NoIndexError: nothing was built here, or the file that names the build is damaged.
        """
        if (live := self.live_build()) is None:
            raise NoIndexError(f"no index in {self.index_dir}", remedy="casecite index build PATH (or --demo)")
        if not live.is_dir() and live == self.live_build():  # otherwise it was superseded just now
            raise NoIndexError(
                f"{self.current_file} names no build: {live.name!r}", remedy="casecite index build makes it name one"
            )
        return live

    def live_build(self) -> Path | None:
        """The folder of the live build, or None if nothing was built here.

        Raises:
            UnreadableIndexError: the system does not allow reading the file that names it.
        """
        try:
            name = self.current_file.read_text("utf-8", errors="replace").strip()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise explain_read_error(self.current_file, error) from error
        return self.builds_dir / name[:MAX_NAME_CHARS]

    @contextmanager
    def writing(self, *, wait: bool = False) -> Iterator[None]:
        """Hold the folder's write lock; with `wait`, wait until it is free.

        Raises:
            BuildRunningError: another process holds it.
            WrongUseError: the folder cannot be made or written.
        """
        try:
            _make_folder(self.builds_dir)
            lock = FileLock(self._lock_file, timeout=-1 if wait else 0)
            lock.acquire()
        except Timeout as error:
            raise BuildRunningError(
                f"another build is writing {self.index_dir}", remedy="wait until it has finished, or end it"
            ) from error
        except OSError as error:
            raise WrongUseError(
                f"cannot write {self.index_dir}: {error.strerror or error}", remedy="choose another --index folder"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def unfinished_builds(self) -> list[Path]:
        """The folders that killed builds left behind. Hold the lock."""
        live = self.live_build()
        return [path for path in self.builds_dir.iterdir() if path != live and not (path / FILE_NAME).exists()]

    def new_build(self) -> Path:
        """The path of a new build, which is not created yet."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        return self.builds_dir / f"{stamp}-{secrets.token_hex(3)}"

    def finished_builds(self) -> list[Path]:
        """The builds that have a manifest or its copy, the newest first."""
        builds = sorted(self.builds_dir.iterdir(), reverse=True) if self.builds_dir.is_dir() else []
        return [path for path in builds if any((path / name).exists() for name in (FILE_NAME, COPY_NAME))]

    def publish(self, build_dir: Path, manifest: Manifest) -> None:
        """Finish a build and make it the live one. Hold the lock.

        The build is durable before CURRENT names it, so that a power cut leaves the old build or the new one.
        """
        write_manifest(build_dir, manifest)
        _sync_folder(self.builds_dir)
        self.make_live(build_dir)

    def make_live(self, build_dir: Path) -> None:
        """Make a finished build the live one. Hold the lock."""
        _write_durably(self.current_file, build_dir.name)

    def superseded_builds(self, before: Path | None) -> list[Path]:
        """All builds except the live one and the one `before` it, which a running question may still use."""
        kept = (self.live_build(), before)
        return [folder for folder in self.builds_dir.iterdir() if folder not in kept]


def write_manifest(build_dir: Path, manifest: Manifest) -> None:
    """Write the manifest of a build; the copy first, because a build with a manifest is finished."""
    for name in (COPY_NAME, FILE_NAME):
        _write_durably(build_dir / name, manifest.to_text())


def seal_files(build_dir: Path) -> dict[str, str]:
    """Make all files of a build survive a crash; the SHA-256 of each, by its path in the build."""
    paths = sorted(build_dir.rglob("*"))
    for folder in [build_dir, *(path for path in paths if path.is_dir())]:
        _sync_folder(folder)
    return {path.relative_to(build_dir).as_posix(): _sync_file(path) for path in paths if path.is_file()}


def _sync_file(path: Path) -> str:
    """Make a file durable; its SHA-256."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # on Windows a folder cannot be opened, and need not be
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(path: Path) -> None:
    """Create a folder and its parents durably."""
    if not path.is_dir():
        _make_folder(path.parent)
        path.mkdir(exist_ok=True)
        _sync_folder(path.parent)


@contextmanager
def replacing(path: Path) -> Iterator[IO[str]]:
    """Replace a text file atomically: after a crash it has the old text or the new one."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _write_durably(path: Path, text: str) -> None:
    with replacing(path) as stream:
        stream.write(text)
