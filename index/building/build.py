"""Build an index: read records, deduplicate, embed, write, verify, publish."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Literal

from index.building.indexing import EarlierBuild
from index.building.merging import Tally
from index.building.provenance import Origin
from index.building.run import BuildRun
from index.errors import BuildFailedError, CaseciteError, NoIndexError, WrongUseError, first_line
from index.ingest.formats import FORMAT_NAMES
from index.ingest.readers import STDIN, read_sources
from index.progress import Progress, no_progress
from index.search.snapshot import open_build
from index.settings import IndexSettings, index_settings
from index.storage.integrity import require_sound
from index.storage.layout import IndexLayout
from index.storage.manifest import read_manifest
from index.storage.vector_store import collection_name, drop_collection
from index.types import BuildReport

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
    """Build an index from files, folders and `-` (standard input), and make it the live one.

    `rebuild` holds the records of `paths` alone; `update` adds them to those of the live index, and embeds only new
    text. Records of the same report become one (`index.building.deduplication`). The old build answers questions until
    the new one is complete and verified, and stays live if anything fails. `columns` maps a record's fields to the
    columns of a table whose headers are not recognised. With `wait`, a running build is waited for.

    Raises:
        WrongUseError: a path does not exist, nothing in them is a record, or the folder cannot be written.
        NoIndexError: `update` without an index.
        BuildRunningError: another process is writing the index.
        BuildFailedError: the disk is full, or the finished build did not verify.
    """
    if mode not in ("rebuild", "update"):
        raise WrongUseError(f"no build mode {mode!r}", remedy="use 'rebuild' or 'update'")
    settings, show, started = index_settings(index_dir), progress or no_progress, time.monotonic()
    layout = IndexLayout(settings.index_dir)
    sources = [str(path) if str(path) == STDIN else str(Path(path).absolute()) for path in paths]
    origin = Origin(sources, {source: dict(columns) for source in sources} if columns else {})
    if mode == "update":
        layout.current_build()  # raises before the lock creates the folder
    with layout.writing(wait=wait):
        earlier = open_sound_build(layout, settings, show) if mode == "update" else None
        with new_build(layout, settings, show, update_of=earlier) as build:
            for count, item in enumerate(read_sources(paths, columns or {}), start=1):
                build.intake.take(item)  # parses, deduplicates and chunks
                show("reading records", count, None)
            if not build.intake.record_count:
                raise _nothing_to_build(paths, build.intake.tally)
            if build.has_changes():
                build.embed_and_write()
                build.verify()
                build.publish(origin)
        return build.report(read_manifest(layout.current_build()), time.monotonic() - started)


def remove_records(
    names: Sequence[str],
    index_dir: str | Path | None = None,
    progress: Progress | None = None,
    *,
    wait: bool = False,
) -> BuildReport:
    """Remove records, named by any of their ids (a DOI, a PMID), from the index.

    Raises:
        WrongUseError: no record has one of the names, or several have it; then none is removed.
        NoIndexError: there is no index.
        BuildRunningError, BuildFailedError: as `build_index`.
    """
    settings, show, started = index_settings(index_dir), progress or no_progress, time.monotonic()
    layout = IndexLayout(settings.index_dir)
    layout.current_build()
    with layout.writing(wait=wait):
        earlier = open_sound_build(layout, settings, show)
        with new_build(layout, settings, show, update_of=earlier) as build:
            build.intake.remove(names)
            if not build.intake.record_count:
                raise WrongUseError(
                    "an index without a record cannot be asked", remedy="keep one, or delete its folder"
                )
            if build.has_changes():
                build.embed_and_write()
                build.verify()
                build.publish(Origin(removed=names))
        return build.report(read_manifest(layout.current_build()), time.monotonic() - started)


def open_sound_build(layout: IndexLayout, settings: IndexSettings, progress: Progress) -> EarlierBuild:
    """The live build, for an update, which copies its files.

    Raises:
        NoIndexError: there is none, or it is damaged.
        IndexMismatchError: it has another format, or was built with another embedding model than the settings name.
    """
    build = open_build(layout.current_build(), settings)
    require_sound(build.build_dir, build.manifest, progress)
    return EarlierBuild(build.build_dir, build.manifest)


@contextmanager
def new_build(
    layout: IndexLayout,
    settings: IndexSettings,
    progress: Progress,
    *,
    update_of: EarlierBuild | None = None,
    vectors_of: EarlierBuild | None = None,
) -> Iterator[BuildRun]:
    """A build in a new folder, to be filled and published. Hold the lock.

    What killed builds left is removed first. A build that is published supersedes all but the one that was live until
    then. One that is not (it failed, was interrupted or has no changes) is removed.

    Raises:
        BuildFailedError: something other than a `CaseciteError` was raised before the build was published.
    """
    before = layout.live_build()
    for folder in layout.unfinished_builds():
        remove_build(folder, settings.chroma_url)
    build_dir = layout.new_build()
    try:
        build_dir.mkdir()
        with closing(BuildRun(layout, build_dir, settings, progress, update_of, vectors_of)) as build:
            yield build
    except BaseException as error:
        if layout.live_build() == build_dir:  # it failed after publication
            raise
        free_bytes = shutil.disk_usage(layout.index_dir).free
        remove_build(build_dir, settings.chroma_url)
        if isinstance(error, CaseciteError) or not isinstance(error, Exception):
            raise
        raise _build_failed(error, layout, free_bytes) from error
    for folder in layout.superseded_builds(before) if layout.live_build() == build_dir else [build_dir]:
        remove_build(folder, settings.chroma_url)


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
    """Remove a build's files, and its collection if that is on a server (a killed build has no manifest to name it).

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


def _nothing_to_build(paths: Sequence[str | Path], tally: Tally) -> WrongUseError:
    names = ", ".join(map(str, paths)) or "the given paths"
    if not tally.rejected:
        return WrongUseError(f"there are no files in {names}", remedy="give files or folders with records")
    first = tally.rejected[0]
    where = f"{first.file}, line {first.line}" if first.line else first.file
    field_name = f"{first.field}: " if first.field else ""
    return WrongUseError(
        f"none of the {tally.rejected_count} pieces of {names} is a record; "
        f"the first, {where}: {field_name}{first.reason}",
        remedy=f"give files or folders with records ({FORMAT_NAMES}; or .gz or .zip of these)",
    )
