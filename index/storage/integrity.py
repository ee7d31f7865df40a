"""Checks which files of a build differ from what was built, and what that means for a user."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from index.errors import IndexMismatchError, NoIndexError
from index.progress import Progress, no_progress
from index.storage.layout import MERGED_FILE, RECORDS_FILE, REJECTED_FILE, VECTORS_FILE
from index.storage.manifest import COPY_NAME, FILE_NAME, Manifest, read_manifest

BLOCK_BYTES = 1_048_576
DIFFERS = "differs from what was built"
MISSING = "is missing"
HEAL = "casecite index build repairs it"

MEANINGS = {
    RECORDS_FILE: "the records are damaged",
    "lexical": "keyword search is damaged",
    "vectors": "vector search is damaged",
    VECTORS_FILE: "the vectors that passages are scored by are damaged",
    "abbreviations.sqlite": "abbreviations in questions may be misread",
    REJECTED_FILE: "the list of rejected input is damaged, answers are not",
    MERGED_FILE: "the list of merged input is damaged, answers are not",
    FILE_NAME: "the index cannot be opened",
    COPY_NAME: "answers are not damaged, but the manifest has no copy",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A part of a build that differs from what was built: its path, what is wrong with it, and what that means."""

    part: str
    problem: str
    meaning: str

    def __str__(self) -> str:
        return f"{self.part}: {self.problem}: {self.meaning}"

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON types."""
        return asdict(self)


def damage_of(name: str, problem: str) -> Damage:
    """The damage of a part, by its path in the build, with what that means."""
    meanings = (meaning for known, meaning in MEANINGS.items() if name.startswith(known))
    return Damage(part=name, problem=problem, meaning=next(meanings, "the index is damaged"))


def read_either_manifest(build_dir: Path) -> tuple[Manifest | None, list[Damage]]:
    """The manifest of a build, or else its copy, and what is wrong with them; None if both are lost.

    Raises:
        IndexMismatchError: the build is of another format.
    """
    sound, damage = [], []
    for name in (FILE_NAME, COPY_NAME):
        try:
            sound.append(read_manifest(build_dir, name))
        except IndexMismatchError:
            raise
        except NoIndexError:
            damage.append(damage_of(name, DIFFERS if (build_dir / name).exists() else MISSING))
    return (sound[0] if sound else None), damage


class BuildState(NamedTuple):
    """A build, its manifest, or None if that and its copy are lost, and what is damaged."""

    build_dir: Path
    manifest: Manifest | None
    findings: list[Damage]

    def is_sound(self, part: str) -> bool:
        """Whether a file of the build is as it was built."""
        return self.manifest is not None and part not in {finding.part for finding in self.findings}


def examine_build(build_dir: Path, progress: Progress) -> BuildState:
    """Compare all files of a build with what was built.

    Raises:
        IndexMismatchError: the build is of another format.
    """
    manifest, findings = read_either_manifest(build_dir)
    return BuildState(build_dir, manifest, findings + (check_files(build_dir, manifest, progress) if manifest else []))


def require_sound(build_dir: Path, manifest: Manifest, progress: Progress) -> None:
    """Check all files of a build.

    Raises:
        NoIndexError: one of them is not what was built.
    """
    if damage := check_files(build_dir, manifest, progress):
        raise NoIndexError(f"{build_dir} is damaged: {damage[0]}", remedy=HEAL)


def require_sound_graph(build_dir: Path, manifest: Manifest) -> None:
    """Check Chroma's files: it does not, and one wrong bit in its nearest-neighbour graph ends the whole process.

    Raises:
        NoIndexError: one of its files is not what was built.
    """
    if damage := check_files(build_dir, manifest, no_progress, "vectors/"):
        raise NoIndexError(f"{build_dir} is damaged: {damage[0]}", remedy=HEAL)


def check_files(build_dir: Path, manifest: Manifest, progress: Progress, prefix: str = "") -> list[Damage]:
    """The files that are missing, differ from what was built, or do not belong to the build, in order of their names.

    Only files whose path in the build starts with `prefix` are checked.
    """
    paths = (path for path in (build_dir / prefix).rglob("*") if path.is_file())
    found = {path.relative_to(build_dir).as_posix(): path for path in paths}
    built = {name: digest for name, digest in manifest.files.items() if name.startswith(prefix)}
    count_bytes = _count_megabytes(sum(found[name].stat().st_size for name in built if name in found), progress)
    damage = []
    for name in sorted({*built, *found} - {FILE_NAME, COPY_NAME}):
        if name not in found:
            damage.append(damage_of(name, MISSING))
        elif name not in built:
            meaning = "something else has written here"
            damage.append(Damage(part=name, problem="is not of this build", meaning=meaning))
        elif problem := _compare(found[name], built[name], count_bytes):
            damage.append(damage_of(name, problem))
    return damage


def _compare(path: Path, digest: str, count_bytes: Callable[[int], None]) -> str | None:
    """What is wrong with a file, if anything."""
    found = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                found.update(block)
                count_bytes(len(block))
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if found.hexdigest() == digest else DIFFERS


def _count_megabytes(total_bytes: int, progress: Progress) -> Callable[[int], None]:
    """A function that is called with the number of bytes of each read, and reports the progress of reading all."""
    read_bytes = 0

    def count_bytes(count: int) -> None:
        nonlocal read_bytes
        read_bytes += count
        progress("checking files, in MB", read_bytes // 1_000_000, total_bytes // 1_000_000)

    count_bytes(0)
    return count_bytes
