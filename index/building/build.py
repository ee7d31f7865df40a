"""Records to a finished build: read, index, embed, verify, publish."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from errno import EDQUOT, ENOSPC
from functools import partial
from pathlib import Path
from typing import Literal

from index.building.merging import Intake
from index.building.provenance import Origin, remember_origin
from index.building.run import BuildRun
from index.errors import BuildFailedError, CaseciteError, NoIndexError, WrongUseError, first_line
from index.ingest.formats import FORMAT_NAMES
from index.ingest.readers import STDIN, read_sources
from index.progress import Progress, no_progress
from index.search.snapshot import Snapshot, open_build
from index.settings import IndexSettings, index_settings
from index.storage.integrity import require_sound
from index.storage.layout import RECORDS_FILE, IndexLayout
from index.storage.manifest import Manifest, read_manifest
from index.storage.vector_store import collection_name, drop_collection
from index.types import BuildReport, Rejection

__all__ = ["Mode", "Progress", "build_index", "remove_records"]

Mode = Literal["rebuild", "update"]

FULL_DISK_BYTES = 2_000_000


def build_index(
    paths: Sequence[str | Path],
    index_dir: str | Path | None = None,
    mode: Mode = "rebuild",
    progress: Progress | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    wait: bool = False,
) -> BuildReport:
    """Build an index from files, folders and `-` (standard input), and make it the one that answers.

    `rebuild` holds the records of `paths` alone; `update` adds them to those of the live index, and embeds only text
    that is new. Records of the same report become one (`index.building.deduplication`). The old build answers until
    the new one is complete and verified, and goes on answering if anything fails. `columns` says which column of a
    table gives a field, where its name does not tell. With `wait`, a build that is running is waited for.

    Raises:
        WrongUseError: a path does not exist, nothing in them is a record, or the folder cannot be written.
        NoIndexError: `update` without an index.
        BuildRunningError: another process is writing the index.
        BuildFailedError: the disk is full, or the finished build did not verify.
    """
    if mode not in ("rebuild", "update"):
        raise WrongUseError(f"no build mode {mode!r}", remedy="use 'rebuild' or 'update'")
    show = progress or no_progress
    fill = partial(_read, paths=paths, columns=columns or {}, progress=show)
    sources = _absolute(paths)
    origin = Origin(sources, {source: dict(columns) for source in sources} if columns else {})
    return _build(fill, origin, index_settings(index_dir), mode, show, wait=wait)


def remove_records(
    names: Sequence[str],
    index_dir: str | Path | None = None,
    progress: Progress | None = None,
    *,
    wait: bool = False,
) -> BuildReport:
    """Make an index without some records the one that answers; they are named by any id they go by, a DOI or a PMID.

    Raises:
        WrongUseError: no record goes by one of the names, or several do; then none is removed.
        NoIndexError: there is no index.
        BuildRunningError, BuildFailedError: as `build_index`.
    """
    fill, origin = partial(_remove, names=names), Origin(removed=names)
    return _build(fill, origin, index_settings(index_dir), "update", progress or no_progress, wait=wait)


def _read(intake: Intake, *, paths: Sequence[str | Path], columns: Mapping[str, str], progress: Progress) -> None:
    for count, item in enumerate(read_sources(paths, columns), start=1):
        intake.take(item)
        progress("reading records", count, None)
    if not intake.record_count:
        raise _nothing_to_build(paths, intake.tally.rejected_count, intake.tally.rejected[:1])


def _remove(intake: Intake, *, names: Sequence[str]) -> None:
    intake.remove(names)
    if not intake.record_count:
        raise WrongUseError("an index without a record cannot be asked", remedy="keep one, or delete its folder")


def _build(
    fill: Callable[[Intake], None],
    origin: Origin,
    settings: IndexSettings,
    mode: Mode,
    progress: Progress,
    *,
    wait: bool,
) -> BuildReport:
    """One build from lock to publication; `fill` gives it its records."""
    layout = IndexLayout(settings.index_dir)
    started = time.monotonic()
    if mode == "update":
        layout.current_build()  # or else the folder would be made
    with layout.writing(wait=wait):
        previous = _open_sound(layout, settings, progress) if mode == "update" else None

        def make(build_dir: Path) -> tuple[BuildRun, Manifest]:
            run = BuildRun(build_dir, settings, previous, progress)
            return run, run.build(fill, origin.sources)

        run, manifest = run_build(layout, settings, make, origin, previous.manifest if previous else None)
    return run.report(manifest, time.monotonic() - started)


def _open_sound(layout: IndexLayout, settings: IndexSettings, progress: Progress) -> Snapshot:
    """The live build. A damaged one is refused: an update copies its files, and would take them for sound."""
    build = open_build(layout.current_build(), settings)
    require_sound(build.build_dir, build.manifest, progress)
    return build


def run_build(
    layout: IndexLayout,
    settings: IndexSettings,
    make: Callable[[Path], tuple[BuildRun, Manifest]],
    origin: Origin,
    before: Manifest | None,
) -> tuple[BuildRun, Manifest]:
    """Make a build, publish it and remove what is superseded; the live build's manifest comes back. Hold the lock.

    `make` fills an empty folder; `before` is the manifest of the build that it goes on from.
    """
    live = layout.live_build()
    for folder in layout.unfinished_builds():
        remove_build(folder, settings.chroma_url)
    with _new_build(layout, settings.chroma_url) as build_dir:
        run, manifest = make(build_dir)
        if manifest.build_id == build_dir.name:
            manifest = remember_origin(origin, manifest, before, build_dir / RECORDS_FILE)
            layout.publish(build_dir, manifest)
    unwanted = [build_dir] if manifest.build_id != build_dir.name else layout.superseded_builds(live)
    for folder in unwanted:
        remove_build(folder, settings.chroma_url)
    return run, manifest


@contextmanager
def _new_build(layout: IndexLayout, chroma_url: str | None) -> Iterator[Path]:
    """A new build's folder. If the build fails or is interrupted it is removed, and why is said in words."""
    build_dir = layout.new_build()
    try:
        build_dir.mkdir()
        yield build_dir
    except BaseException as error:
        if layout.live_build() == build_dir:  # what failed came after the build was published
            raise
        free_bytes = shutil.disk_usage(layout.index_dir).free
        remove_build(build_dir, chroma_url)
        if isinstance(error, CaseciteError) or not isinstance(error, Exception):
            raise
        raise _build_failed(error, layout, free_bytes) from error


def _build_failed(error: Exception, layout: IndexLayout, free_bytes: int) -> BuildFailedError:
    unchanged = "the index in use is unchanged"
    has_no_room = isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT)
    if has_no_room or free_bytes < FULL_DISK_BYTES:
        return BuildFailedError(
            f"the disk that holds {layout.builds_dir} is full; {unchanged}",
            remedy="free some space, or choose another --index folder, and build again",
        )
    return BuildFailedError(f"the build failed: {first_line(error)}; {unchanged}", remedy="build again")


def remove_build(build_dir: Path, chroma_url: str | None) -> None:
    """Remove a build's files, and its collection where that is on a server (a build that was killed names none).

    While the server does not answer, the empty folder stays, and the next build tries again.
    """
    collection = collection_name(build_dir.name)
    with suppress(NoIndexError):
        manifest = read_manifest(build_dir)
        collection, chroma_url = manifest.collection, manifest.chroma_url
    is_dropped = not chroma_url or drop_collection(collection, chroma_url)
    shutil.rmtree(build_dir, ignore_errors=True)
    if not is_dropped:
        build_dir.mkdir(exist_ok=True)


def _absolute(paths: Sequence[str | Path]) -> list[str]:
    """The paths as they can be found again from another folder."""
    return [str(path) if str(path) == STDIN else str(Path(path).absolute()) for path in paths]


def _nothing_to_build(paths: Sequence[str | Path], count: int, rejected: Sequence[Rejection]) -> WrongUseError:
    names = ", ".join(map(str, paths)) or "the given paths"
    if not rejected:
        return WrongUseError(f"there are no files in {names}", remedy="give files or folders with records")
    (first,) = rejected
    where = f"{first.file}, line {first.line}" if first.line else first.file
    field_name = f"{first.field}: " if first.field else ""
    return WrongUseError(
        f"none of the {count} pieces of {names} is a record; the first, {where}: {field_name}{first.reason}",
        remedy=f"give files or folders with records ({FORMAT_NAMES}; or .gz or .zip of these)",
    )
