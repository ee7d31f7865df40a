"""Rebuild the live index from its own records if they are sound, else from the files that it was built from."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from index.building.build import new_build
from index.building.indexing import EarlierBuild
from index.building.merging import Intake
from index.building.provenance import Origin
from index.errors import IndexMismatchError, NoIndexError, WrongUseError
from index.ingest.readers import STDIN, read_sources
from index.progress import Progress, no_progress
from index.settings import index_settings
from index.storage.integrity import BuildState, examine_build, read_either_manifest
from index.storage.layout import RECORDS_FILE, VECTORS_FILE, IndexLayout, write_manifest
from index.storage.manifest import COPY_NAME, FILE_NAME, read_manifest
from index.storage.record_store import RecordStore
from index.types import BuildReport

FROM_ELSEWHERE = "casecite index build PATH, with the same records from elsewhere"


def heal_index(
    index_dir: str | Path | None = None, progress: Progress | None = None, *, wait: bool = False
) -> BuildReport:
    """Rebuild the live index, whatever of it is damaged.

    Its records, and their vectors, are copied if they are sound; else the files that it was built from are read again,
    without the records that were removed since. If nothing says which build is live, the newest sound one is used.

    Raises:
        NoIndexError: nothing was built here; or the records are damaged, and a file that they were read from is gone.
        IndexMismatchError: the build is of another format.
        BuildRunningError, BuildFailedError: as `build_index`.
    """
    settings, show, started = index_settings(index_dir), progress or no_progress, time.monotonic()
    layout = IndexLayout(settings.index_dir)
    if not layout.finished_builds():
        layout.current_build()  # raises NoIndexError
    with layout.writing(wait=wait):
        state = find_build(layout, show)
        _restore_names(layout, state)
        origin = plan_repair(layout, state)
        with new_build(layout, settings, show, vectors_of=_open_sound_vectors(state)) as build:
            if state.is_sound(RECORDS_FILE):
                _copy_records(build.intake, state.build_dir, show)
            else:
                _read_again(build.intake, origin, show)
            build.embed_and_write()
            build.verify()
            build.publish(origin)
        return build.report(read_manifest(layout.current_build()), time.monotonic() - started)


def find_build(layout: IndexLayout, progress: Progress) -> BuildState:
    """The live build; if nothing says which that is, the newest sound one, or the newest if none is sound.

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
    """Write the manifest again from its copy (or the reverse), and the file that names the live build."""
    try:
        if state.manifest and not (state.is_sound(FILE_NAME) and state.is_sound(COPY_NAME)):
            write_manifest(state.build_dir, state.manifest)
        if layout.live_build() != state.build_dir:
            layout.make_live(state.build_dir)
    except OSError as error:
        reason, name = error.strerror or str(error), error.filename2 or error.filename or layout.index_dir
        raise WrongUseError(f"cannot write {name}: {reason}", remedy="make room for it, and build again") from error


def plan_repair(layout: IndexLayout, state: BuildState) -> Origin:
    """What to read again if the build's own records are damaged.

    Raises:
        NoIndexError: its records are damaged, and a file that they were read from is gone.
    """
    others = (read_either_manifest(path)[0] for path in layout.finished_builds() if path != state.build_dir)
    manifest = state.manifest or next(filter(None, others), None)
    gone = _list_gone(manifest.sources) if manifest else "the list of them"
    if manifest is None or (gone and not state.is_sound(RECORDS_FILE)):
        raise NoIndexError(
            f"the records of {state.build_dir} are damaged, and of what they were read from is gone: {gone}",
            remedy=FROM_ELSEWHERE,
        )
    return Origin(manifest.sources, manifest.columns, manifest.removed)


def _list_gone(sources: Sequence[str]) -> str:
    """The sources that cannot be read again."""
    gone = (name for name in sources if name == STDIN or not Path(name).exists())
    return ", ".join("standard input" if name == STDIN else name for name in gone)


def _open_sound_vectors(state: BuildState) -> EarlierBuild | None:
    """The records and vectors of a build, if both are sound."""
    if state.manifest and state.is_sound(RECORDS_FILE) and state.is_sound(VECTORS_FILE):
        return EarlierBuild(state.build_dir, state.manifest)
    return None


def _copy_records(intake: Intake, build_dir: Path, progress: Progress) -> None:
    """Copy the records in their order, without merging them again."""
    with closing(RecordStore.open(build_dir / RECORDS_FILE)) as records:
        total = len(records)
        for count, (record, _) in enumerate(records, start=1):
            intake.copy(record)
            progress("copying records", count, total)


def _read_again(intake: Intake, origin: Origin, progress: Progress) -> None:
    count = 0
    for source in origin.sources:
        for item in read_sources([source], origin.columns.get(source, {})):
            intake.take(item)
            progress("reading records", count := count + 1, None)
    for name in origin.removed:
        with suppress(WrongUseError):  # none of the sources has it now
            intake.remove([name])
    if not intake.record_count:
        names = ", ".join(origin.sources)
        raise NoIndexError(f"there is no record left in {names}", remedy="casecite index build PATH")
