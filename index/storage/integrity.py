"""Which files of a build are not what was built, and what that means."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from index.errors import IndexMismatchError, NoIndexError
from index.storage.layout import MERGED_FILE, RECORDS_FILE, REJECTED_FILE, VECTORS_FILE
from index.storage.manifest import COPY_NAME, FILE_NAME, Manifest, read_manifest

if TYPE_CHECKING:
    from index.progress import Progress

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
    COPY_NAME: "answers are not damaged, but nothing would replace the manifest",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A part of a build that is not as it was built: which, what is wrong with it, and what that means."""

    part: str
    problem: str
    meaning: str

    def __str__(self) -> str:
        return f"{self.part}: {self.problem}: {self.meaning}"

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON types."""
        return asdict(self)


def damage_of(name: str, problem: str) -> Damage:
    """What is wrong with a part, by its path in the build, and what that means."""
    meanings = (meaning for known, meaning in MEANINGS.items() if name.startswith(known))
    return Damage(part=name, problem=problem, meaning=next(meanings, "the index is damaged"))


def read_either_manifest(build_dir: Path) -> tuple[Manifest | None, list[Damage]]:
    """The manifest of a build, or else its copy, and what is wrong with them; None where both are lost.

    Raises:
        IndexMismatchError: the build is of another format.
    """
    whole, findings = [], []
    for name in (FILE_NAME, COPY_NAME):
        try:
            whole.append(read_manifest(build_dir, name))
        except IndexMismatchError:
            raise
        except NoIndexError:
            findings.append(damage_of(name, DIFFERS if (build_dir / name).exists() else MISSING))
    return (whole[0] if whole else None), findings


class BuildState(NamedTuple):
    """A build as it is found: its manifest, or None where that and its copy are lost, and what is damaged."""

    build_dir: Path
    manifest: Manifest | None
    findings: list[Damage]

    def is_sound(self, part: str) -> bool:
        """Whether a file of the build is known to be what was built."""
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
    """Check what Chroma reads as it is: one wrong bit in its graph of neighbours ends the whole process.

    Raises:
        NoIndexError: one of its files is not what was built.
    """
    if damage := _check_part(build_dir, manifest.files, "vectors/", lambda _: None):
        raise NoIndexError(f"{build_dir} is damaged: {damage[0]}", remedy=HEAL)


def check_files(build_dir: Path, manifest: Manifest, progress: Progress) -> list[Damage]:
    """Which files are missing, differ from what was built, or are of no use, in the order of their names."""
    known = (build_dir / name for name in manifest.files)
    tell = _count_megabytes(sum(path.stat().st_size for path in known if path.is_file()), progress)
    return _check_part(build_dir, manifest.files, "", tell)


def _check_part(build_dir: Path, files: Mapping[str, str], under: str, tell: Callable[[int], None]) -> list[Damage]:
    """`check_files` of those whose path in the build begins in this way."""
    paths = (path for path in (build_dir / under).rglob("*") if path.is_file())
    there = {path.relative_to(build_dir).as_posix(): path for path in paths}
    built = {name: digest for name, digest in files.items() if name.startswith(under)}
    findings = []
    for name in sorted({*built, *there} - {FILE_NAME, COPY_NAME}):
        if name not in there:
            findings.append(damage_of(name, MISSING))
        elif name not in built:
            findings.append(_find_extra(name))
        elif (problem := _compare(there[name], built[name], tell)) is not None:
            findings.append(damage_of(name, problem))
    return findings


def _find_extra(name: str) -> Damage:
    return Damage(part=name, problem="is not of this build", meaning="something else has written here")


def _compare(path: Path, digest: str, tell: Callable[[int], None]) -> str | None:
    """What is wrong with a file, if anything."""
    found = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                found.update(block)
                tell(len(block))
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if found.hexdigest() == digest else DIFFERS


def _count_megabytes(total_bytes: int, progress: Progress) -> Callable[[int], None]:
    """What is to be told of every bytes that were read, to show how far the reading is."""
    read_bytes = 0

    def tell(count: int) -> None:
        nonlocal read_bytes
        read_bytes += count
        progress("checking files, in MB", read_bytes // 1_000_000, total_bytes // 1_000_000)

    tell(0)
    return tell
