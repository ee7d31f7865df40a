"""Watch folders: new and changed record files are added to the index."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from stat import S_ISREG
from threading import Event
from typing import NamedTuple

from index.building.build import build_index
from index.errors import CaseciteError, WrongUseError
from index.ingest.formats import RECORD_SUFFIXES
from index.progress import Progress, no_progress
from index.settings import index_settings
from index.storage.layout import IndexLayout
from index.types import BuildReport

SETTLED_S = 1.0  # a file that has not changed for this long is no longer being written
RETRY_S = 30.0
LOOK_MS = 500
_LOG = logging.getLogger(__name__)


def watch_folder(
    paths: Sequence[str | Path],
    index_dir: str | Path | None = None,
    *,
    on_report: Callable[[BuildReport], None],
    on_error: Callable[[CaseciteError], None] | None = None,
    stop: Event | None = None,
    columns: Mapping[str, str] | None = None,
    show_progress: Callable[[], AbstractContextManager[Progress]] | None = None,
) -> None:
    """Update an index from the record files of folders, and again whenever files are added or change.

    It runs until `stop` is set. A file that is still being written is waited for. Records of a deleted file stay.
    `on_report` is called after each update. An error, such as another running build, is passed to `on_error` (or
    logged), and the update is tried again. `show_progress` opens the progress callback of each update.

    Raises:
        WrongUseError: a path is not a folder.
        NoIndexError: there is no index to update.
    """
    folders = [_check_folder(path) for path in paths]
    layout = IndexLayout(index_settings(index_dir).index_dir)
    layout.current_build()
    files = _RecordFiles(folders, layout.index_dir.absolute())
    opening = show_progress or (lambda: nullcontext(no_progress))
    not_before = 0.0
    for _ in _look_often(folders, stop, files):
        settled = files.find_settled(time.monotonic())
        if not settled or time.monotonic() < not_before:
            continue
        try:
            with opening() as progress:
                report = build_index(list(settled), index_dir, "update", progress, columns=columns)
        except CaseciteError as error:
            (on_error or _log)(error)
            not_before = time.monotonic() + RETRY_S
        else:
            files.mark_done(settled)
            on_report(report)


def _check_folder(path: str | Path) -> Path:
    if not Path(path).is_dir():
        raise WrongUseError(f"no folder at {path}", remedy="give folders to watch")
    return Path(path)


def _look_often(folders: Sequence[Path], stop: Event | None, files: _RecordFiles) -> Iterator[None]:
    """Yield when to look: when something has changed, and every LOOK_MS while a file is waited for."""
    from watchfiles import watch

    changes = watch(*folders, watch_filter=None, stop_event=stop, rust_timeout=LOOK_MS, yield_on_timeout=True)
    return (None for changed in changes if changed or files.are_awaited)


def _log(error: CaseciteError) -> None:
    _LOG.warning("records were not added: %s", error, exc_info=error.__cause__)


class _State(NamedTuple):
    """Size and time of a file, which differ if it has changed."""

    size: int
    modified_ns: int


class _RecordFiles:
    """The record files of some folders: the last state of each, since when, and the state in which it was read."""

    def __init__(self, folders: Sequence[Path], index_dir: Path) -> None:
        self.are_awaited = True
        self._folders = folders
        self._index_dir = index_dir
        self._seen: dict[Path, tuple[_State, float]] = {}
        self._done: dict[Path, _State] = {}

    def find_settled(self, now: float) -> dict[Path, _State]:
        """Look at all files: those that are new or changed since they were read, and unchanged for SETTLED_S."""
        before, self._seen = self._seen, {}
        for path, state in self._iter_states():
            state_before, since = before.get(path, (None, now))
            self._seen[path] = (state, since if state == state_before else now)
        changed = {path: seen for path, seen in self._seen.items() if seen[0] != self._done.get(path)}
        self.are_awaited = bool(changed)
        return {path: state for path, (state, since) in sorted(changed.items()) if now - since >= SETTLED_S}

    def mark_done(self, files: Mapping[Path, _State]) -> None:
        """Remember that files were read in these states."""
        self._done |= files

    def _iter_states(self) -> Iterator[tuple[Path, _State]]:
        for path in self._iter_paths():
            try:
                found = path.stat(follow_symlinks=False)
            except OSError:  # it was deleted just now
                continue
            if S_ISREG(found.st_mode):
                yield path, _State(found.st_size, found.st_mtime_ns)

    def _iter_paths(self) -> Iterator[Path]:
        for folder in self._folders:
            for place, folders, names in os.walk(folder):
                folders[:] = [name for name in folders if not name.startswith(".")]
                paths = (Path(place, name) for name in names)
                yield from (path for path in paths if _is_record_file(path) and not self._is_of_index(path))

    def _is_of_index(self, path: Path) -> bool:
        return path.absolute().is_relative_to(self._index_dir)


def _is_record_file(path: Path) -> bool:
    """Whether a file's name is that of a record file; hidden files are often temporary or belong to other programs."""
    name = path.name.lower().removesuffix(".gz").removesuffix(".zip")
    has_suffix = name.endswith(RECORD_SUFFIXES) or path.name.lower().endswith(".zip")
    return has_suffix and not path.name.startswith(".")
