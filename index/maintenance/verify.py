"""Whether an index is what was built: every file, the counts, and a sample of the vectors that finds itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from index.building.run import MIN_SELF_RECALL, SELF_RECALL_SAMPLE, count_self_recall
from index.errors import IndexMismatchError, NoIndexError
from index.maintenance.repair import find_build, plan_healing
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
    """What was found out about an index.

    `findings` say what is wrong with it; there are none if it is sound, or else `remedy` says what to do. `notes` say
    what is wrong with other builds that are kept, on which no answer depends. `file_count`, `record_count` and
    `chunk_count` are what the build should hold, None where nothing tells that any more.
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
    """Whether the file that says which build is live says so."""
    if layout.live_build() == state.build_dir:
        return []
    problem = "names no build" if layout.current_file.exists() else "is missing"
    return [Damage(part=layout.current_file.name, problem=problem, meaning="the index cannot be opened")]


def _check_contents(build_dir: Path, manifest: Manifest, damage: Sequence[Damage]) -> Iterator[Damage]:
    """What is wrong with the parts whose files are as they were built."""
    damaged = {finding.part.partition("/")[0] for finding in damage}
    for part, count, expected in _list_counts(build_dir, manifest):
        if part not in damaged and (problem := _compare_count(build_dir, count, expected)):
            damaged.add(part)
            yield damage_of(part, problem)
    if not damaged & {"vectors", RECORDS_FILE} and (problem := _check_self_recall(build_dir, manifest)):
        yield damage_of("vectors", problem)


def _list_counts(build_dir: Path, manifest: Manifest) -> Iterator[tuple[str, Callable[[], int], int]]:
    """The parts, how many entries each has, and how many it should have."""

    def count_vectors() -> int:
        with closing(_open_vectors(build_dir, manifest)) as vectors:
            return len(vectors)

    def count_chunks() -> int:
        with closing(RecordStore.open(build_dir / RECORDS_FILE)) as records:
            return records.count_chunks()

    def count_rows(kind: type[RecordStore | ChunkVectors], name: str) -> int:
        with closing(kind.open(build_dir / name)) as rows:
            return len(rows)

    yield RECORDS_FILE, lambda: count_rows(RecordStore, RECORDS_FILE), manifest.record_count
    yield RECORDS_FILE, count_chunks, manifest.chunk_count
    yield VECTORS_FILE, lambda: count_rows(ChunkVectors, VECTORS_FILE), manifest.record_count
    yield "lexical", lambda: len(LexicalIndex.open(build_dir / "lexical")), manifest.record_count
    yield "vectors", count_vectors, manifest.chunk_count


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


def _check_self_recall(build_dir: Path, manifest: Manifest) -> str | None:
    """What is wrong with the search for a sample of chunks by their own vectors, if anything."""
    with closing(RecordStore.open(build_dir / RECORDS_FILE)) as records:
        sample = [chunks[0].chunk_id for _, chunks in records.sample(SELF_RECALL_SAMPLE)]
    with closing(_open_vectors(build_dir, manifest)) as vectors:
        found = count_self_recall(vectors, sample)
    return None if found >= MIN_SELF_RECALL * len(sample) else f"of {len(sample)} chunks {found} find themselves"


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
        plan_healing(layout, state)
    except NoIndexError as error:
        return f"{error.args[0]}; {error.remedy}"
    if not state.is_sound(RECORDS_FILE):
        return "casecite index build reads again what the index was built from"
    url = state.manifest.chroma_url if state.manifest else None
    start = f"start the Chroma server at {url} if it does not run; else " if url else ""
    return f"{start}casecite index build makes the index again from its own records"
