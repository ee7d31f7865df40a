"""Simulated power cuts: a disk that loses what was not synced."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from index.storage.manifest import Manifest
from tests.support.crash_workers import Build

Image = dict[str, bytes]
"""Files by their path."""

STRICT = "all that is not synced is lost"


class ForgetfulDisk:
    """What a power cut could leave of a folder: what was synced by `os.fsync`, and a random part of the rest.

    It is harsher than any file system: a name is safe only if its folder was synced afterwards, content only if the
    file itself was synced; what Chroma, tantivy and SQLite sync by themselves does not count.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contents: dict[int, bytes] = {}
        self._entries: dict[int, dict[str, int]] = {}
        self._held: list[int] = []  # open files, so that no inode number is reused
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

        `keeps_name` decides whether a name that was added or removed since the last sync stays so, `keeps_data` what
        share of a file that was written since is kept.
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
    """Build, and examine at each call of `os.fsync` what a power cut would leave; some images are saved to folders.

    Returns, for each call and policy, the policy and the id of the live build then (None if there is none); and the id
    of the new build.
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
    """The id of the live build, or what is wrong with it."""
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
