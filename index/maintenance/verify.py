"""Check that an index is as it was built: the digest of every file, counts, and search for a sample of vectors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from index.building.run import check_self_recall
from index.errors import IndexMismatchError, NoIndexError
from index.maintenance.repair import find_build, plan_repair
from index.progress import Progress, no_progress
from index.settings import index_settings
from index.storage.chunk_vectors import ChunkVectors
from index.storage.integrity import BuildState, Damage, damage_of, examine_build
from index.storage.layout import RECORDS_FILE, VECTORS_FILE, IndexLayout
from index.storage.lexical_index import LexicalIndex
from index.storage.manifest import Manifest
from index.storage.read_errors import explaining_read_errors
from index.storage.record_store import RecordStore
from index.storage.vector_store import VectorStore


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """The result of a verification.

    `findings` are the problems of the live build, and `remedy` says what to do about them; a sound build has neither.
    `notes` are problems of other builds, on which no answer depends. `file_count`, `record_count` and `chunk_count` are
    what the build should hold, None if its manifest and the copy are lost.
    """

    index_dir: str
    build_id: str
    file_count: int | None
    record_count: int | None
    chunk_count: int | None
    findings: tuple[Damage, ...]
    notes: tuple[str, ...]
    remedy: str | None
    seconds: float

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON types."""
        return asdict(self) | {"is_sound": self.is_sound}


def verify_index(index_dir: str | Path | None = None, progress: Progress | None = None) -> VerifyReport:
    """Compare the live build with what was built: the digest of every file, the counts, and a sample of the vectors.

    Raises:
        NoIndexError: nothing was built here.
        IndexMismatchError: the build is of another format.
    """
    started = time.monotonic()
    layout, show = IndexLayout(index_settings(index_dir).index_dir), progress or no_progress
    state = find_build(layout, show)
    manifest = state.manifest
    findings = [*_check_name(layout, state), *state.findings]
    if manifest:
        findings += _check_contents(state.build_dir, manifest, state.findings)
    return VerifyReport(
        index_dir=str(layout.index_dir),
        build_id=state.build_dir.name,
        file_count=len(manifest.files) if manifest else None,
        record_count=manifest.record_count if manifest else None,
        chunk_count=manifest.chunk_count if manifest else None,
        findings=tuple(findings),
        notes=tuple(_check_others(layout, state.build_dir, show)),
        remedy=_find_remedy(layout, state) if findings else None,
        seconds=round(time.monotonic() - started, 3),
    )


def _check_name(layout: IndexLayout, state: BuildState) -> list[Damage]:
    """Whether CURRENT names the build."""
    if layout.live_build() == state.build_dir:
        return []
    problem = "names no build" if layout.current_file.exists() else "is missing"
    return [Damage(part=layout.current_file.name, problem=problem, meaning="the index cannot be opened")]


def _check_contents(build_dir: Path, manifest: Manifest, damage: Sequence[Damage]) -> Iterator[Damage]:
    """What is wrong with the content of parts whose files are unchanged."""
    damaged = {finding.part.partition("/")[0] for finding in damage}
    for part, count, expected in _list_counts(build_dir, manifest):
        if part not in damaged and (problem := _compare_count(build_dir, count, expected)):
            damaged.add(part)
            yield damage_of(part, problem)
    if damaged & {"vectors", RECORDS_FILE}:
        return
    with (
        closing(RecordStore.open(build_dir / RECORDS_FILE)) as records,
        closing(_open_vectors(build_dir, manifest)) as vectors,
    ):
        if problem := check_self_recall(records, vectors):
            yield damage_of("vectors", problem)


def _list_counts(build_dir: Path, manifest: Manifest) -> Iterator[tuple[str, Callable[[], int], int]]:
    """The parts, a function that counts the entries of each, and how many it should have."""

    def count_chunks() -> int:
        with closing(RecordStore.open(build_dir / RECORDS_FILE)) as records:
            return records.count_chunks()

    def count_rows(part: RecordStore | ChunkVectors | VectorStore) -> int:
        with closing(part):
            return len(part)

    records, chunks = manifest.record_count, manifest.chunk_count
    yield RECORDS_FILE, lambda: count_rows(RecordStore.open(build_dir / RECORDS_FILE)), records
    yield RECORDS_FILE, count_chunks, chunks
    yield VECTORS_FILE, lambda: count_rows(ChunkVectors.open(build_dir / VECTORS_FILE)), records
    yield "lexical", lambda: len(LexicalIndex.open(build_dir / "lexical")), records
    yield "vectors", lambda: count_rows(_open_vectors(build_dir, manifest)), chunks


def _open_vectors(build_dir: Path, manifest: Manifest) -> VectorStore:
    return VectorStore.open(build_dir / "vectors", manifest.collection, manifest.chroma_url)


def _compare_count(build_dir: Path, count: Callable[[], int], expected: int) -> str | None:
    """What is wrong with the number of a part's entries, if anything."""
    try:
        with explaining_read_errors(build_dir):
            found = count()
    except NoIndexError as error:
        return str(error.args[0])
    return None if found == expected else f"has {found} entries where {expected} were built"


def _check_others(layout: IndexLayout, live: Path, progress: Progress) -> Iterator[str]:
    """What is wrong with the builds that are not live."""
    for build_dir in layout.finished_builds():
        if build_dir == live:
            continue
        try:
            findings = examine_build(build_dir, progress).findings
        except IndexMismatchError as error:
            yield str(error.args[0])
        else:
            yield from (f"in the earlier build {build_dir.name}, {finding}" for finding in findings)


def _find_remedy(layout: IndexLayout, state: BuildState) -> str:
    try:
        plan_repair(layout, state)
    except NoIndexError as error:
        return f"{error.args[0]}; {error.remedy}"
    if not state.is_sound(RECORDS_FILE):
        return "casecite index build reads again what the index was built from"
    url = state.manifest.chroma_url if state.manifest else None
    start = f"start the Chroma server at {url} if it does not run; else " if url else ""
    return f"{start}casecite index build makes the index again from its own records"
