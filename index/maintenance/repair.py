"""The live index made again: from its own records where they are sound, else from what they were read from."""

from __future__ import annotations

import time
import weakref
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from index.building.build import run_build
from index.building.deduplication import identity_keys
from index.building.merging import Intake
from index.building.provenance import Origin
from index.building.run import BuildRun
from index.embedding.embedder import Embedder
from index.errors import IndexMismatchError, NoIndexError, WrongUseError
from index.ingest.chunking import chunk_record
from index.ingest.readers import STDIN, read_sources
from index.progress import Progress, no_progress
from index.search.snapshot import OpenFiles, Snapshot
from index.settings import IndexSettings, index_settings
from index.storage.chunk_vectors import ChunkVectors
from index.storage.integrity import BuildState, examine_build, read_either_manifest
from index.storage.layout import RECORDS_FILE, VECTORS_FILE, IndexLayout, write_manifest
from index.storage.manifest import COPY_NAME, FILE_NAME, Manifest
from index.storage.record_store import RecordStore
from index.types import BuildReport

FROM_ELSEWHERE = "casecite index build PATH, with the same records from elsewhere"


def heal_index(
    index_dir: str | Path | None = None, progress: Progress | None = None, *, wait: bool = False
) -> BuildReport:
    """Rebuild the live index, whatever of it is damaged.

    Its records are taken from itself if they are sound, and their vectors too; else the files that it was built from
    are read again, but for what was removed since. Where nothing tells which build is live, it is the newest sound one.

    Raises:
        NoIndexError: nothing was built here; or the records are damaged, and what they were read from is gone.
        IndexMismatchError: the build is of another format.
        BuildRunningError, BuildFailedError: as `build_index`.
    """
    settings, show = index_settings(index_dir), progress or no_progress
    layout = IndexLayout(settings.index_dir)
    if not layout.finished_builds():
        layout.current_build()  # says that there is none
    started = time.monotonic()
    with layout.writing(wait=wait):
        state = find_build(layout, show)
        _restore_names(layout, state)
        plan = _plan_copy(layout, state)
        run, manifest = _make_again(layout, settings, plan, show)
    return run.report(manifest, time.monotonic() - started)


def find_build(layout: IndexLayout, progress: Progress) -> BuildState:
    """The build that is live; where nothing tells which, the newest sound one, or the newest if none is sound.

    Raises:
        NoIndexError: there is no build at all.
        IndexMismatchError: it is of another format.
    """
    finished, live = layout.finished_builds(), layout.live_build()
    is_named = live is not None and live.is_dir() and live != layout.builds_dir
    if is_named or not finished:
        return examine_build(layout.current_build(), progress)
    states, mismatch = [], None
    for build_dir in finished:
        try:
            states.append(examine_build(build_dir, progress))
        except IndexMismatchError as error:
            mismatch = error
    if not states and mismatch:
        raise mismatch
    return next((state for state in states if not state.findings), states[0])


def _restore_names(layout: IndexLayout, state: BuildState) -> None:
    """Write again what tells of the build: its manifest from the copy, and that it is the live one."""
    try:
        if state.manifest and not (state.is_sound(FILE_NAME) and state.is_sound(COPY_NAME)):
            write_manifest(state.build_dir, state.manifest)
        if layout.live_build() != state.build_dir:
            layout.make_live(state.build_dir)
    except OSError as error:
        reason, name = error.strerror or str(error), error.filename2 or error.filename or layout.index_dir
        raise WrongUseError(f"cannot write {name}: {reason}", remedy="make room for it, and build again") from error


def plan_healing(layout: IndexLayout, state: BuildState) -> Origin:
    """What a build has to be made from again, if its own records will not do.

    Raises:
        NoIndexError: its records are damaged, and what they were read from is gone.
    """
    before = (read_either_manifest(path)[0] for path in layout.finished_builds() if path != state.build_dir)
    manifest = state.manifest or next(filter(None, before), None)
    gone = _find_gone(manifest.sources) if manifest else "the list of them"
    if manifest is None or (gone and not state.is_sound(RECORDS_FILE)):
        raise NoIndexError(
            f"the records of {state.build_dir} are damaged, and of what they were read from is gone: {gone}",
            remedy=FROM_ELSEWHERE,
        )
    return Origin(manifest.sources, manifest.columns, manifest.removed)


def _find_gone(sources: Sequence[str]) -> str:
    """The sources that cannot be read again."""
    gone = (name for name in sources if name == STDIN or not Path(name).exists())
    return ", ".join("standard input" if name == STDIN else name for name in gone)


class _Plan(NamedTuple):
    """How an index is made again: from a file of records as they are and what vectors there are, or from its origin."""

    origin: Origin
    records_path: Path | None = None
    parts: _SoundParts | None = None


def _plan_copy(layout: IndexLayout, state: BuildState) -> _Plan:
    origin = plan_healing(layout, state)
    if not (state.manifest and state.is_sound(RECORDS_FILE)):
        return _Plan(origin)
    parts = _SoundParts(state.build_dir, state.manifest) if state.is_sound(VECTORS_FILE) else None
    return _Plan(origin, state.build_dir / RECORDS_FILE, parts)


def _make_again(
    layout: IndexLayout, settings: IndexSettings, plan: _Plan, progress: Progress
) -> tuple[BuildRun, Manifest]:
    origin = plan.origin

    def make(build_dir: Path) -> tuple[BuildRun, Manifest]:
        if plan.records_path:
            copy = _CopyRun(build_dir, settings, plan.records_path, progress)
            if plan.parts:
                copy.carry_over(plan.parts)
            return copy, copy.build(copy.take_records, origin.sources)
        run = BuildRun(build_dir, settings, None, progress)
        return run, run.build(lambda intake: _read_again(intake, origin, progress), origin.sources)

    return run_build(layout, settings, make, origin, None)


class _SoundParts(Snapshot):
    """The records and vectors of a build whose other parts may be damaged."""

    def __init__(self, build_dir: Path, manifest: Manifest) -> None:
        self.build_dir = build_dir
        self.manifest = manifest
        records, vectors = RecordStore.open(build_dir / RECORDS_FILE), ChunkVectors.open(build_dir / VECTORS_FILE)
        self._files = OpenFiles(records, None, None, vectors, None)  # type: ignore[arg-type]
        for part in (records, vectors):
            weakref.finalize(self, part.close)


class _CopyRun(BuildRun):
    """A build of the records of another one as they are; all else is made anew, but for vectors that are sound."""

    def __init__(self, build_dir: Path, settings: IndexSettings, records_path: Path, progress: Progress) -> None:
        super().__init__(build_dir, settings, None, progress)
        self._records_path = records_path

    def carry_over(self, parts: _SoundParts) -> None:
        """Take the vectors from these parts."""
        self._previous = parts

    def take_records(self, intake: Intake) -> None:
        """Take the records in their order, and not as input, which may be merged."""
        with closing(RecordStore.open(self._records_path)) as records:
            total = len(records)
            for count, (record, _) in enumerate(records, start=1):
                self._records.put(record, chunk_record(record), identity_keys(record))
                self._progress("copying records", count, total)
        intake.tally.unchanged = total

    def _differs(self, previous: Snapshot) -> bool:
        return True

    def _reusable_build(self, embedder: Embedder) -> None:
        return None


def _read_again(intake: Intake, origin: Origin, progress: Progress) -> None:
    count = 0
    for source in origin.sources:
        for item in read_sources([source], origin.columns.get(source, {})):
            intake.take(item)
            progress("reading records", count := count + 1, None)
    for name in origin.removed:
        with suppress(WrongUseError):  # it is in none of the sources any more
            intake.remove([name])
    if not intake.record_count:
        names = ", ".join(origin.sources)
        raise NoIndexError(f"there is no record left in {names}", remedy="casecite index build PATH")
