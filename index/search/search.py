"""Hybrid search over an index: dense and lexical, fused, folded to records."""

from __future__ import annotations

import os
import threading
from itertools import islice
from pathlib import Path

from index.errors import NoIndexError, UnreadableIndexError
from index.search.snapshot import Snapshot, open_build, require_same_process
from index.settings import IndexSettings, index_settings
from index.storage.layout import IndexLayout
from index.storage.manifest import Manifest
from index.types import Filters, Passage, Record


class Index:
    """An index folder. A newly published build is noticed at the next call."""

    def __init__(self, settings: IndexSettings) -> None:
        """Take where the index is and which model it should have; nothing is opened yet."""
        self._settings = settings
        self._layout = IndexLayout(settings.index_dir)
        self._lock = threading.Lock()
        self._open: tuple[Path, Snapshot] | None = None
        self._process_id = os.getpid()

    def current(self) -> Snapshot:
        """The live build; keep it for all of one question.

        Raises:
            NoIndexError: there is no index, or it cannot be read.
            IndexMismatchError: it was built by another embedding model.
            WrongUseError: it was opened before this process was forked.
        """
        require_same_process(self._process_id)
        with self._lock:
            if self._open is None or self._is_superseded(self._open[0]):
                self._open = self._open_live_build()
            return self._open[1]

    def _is_superseded(self, build_dir: Path) -> bool:
        """Whether another build answers now. Where no file can be opened to look, the open build goes on answering."""
        try:
            return build_dir != self._layout.current_build()
        except UnreadableIndexError:
            return False

    def _open_live_build(self) -> tuple[Path, Snapshot]:
        """The build that `CURRENT` names. While it is being opened it may be superseded, and even removed."""
        while True:
            build_dir = self._layout.current_build()
            try:
                return build_dir, open_build(build_dir, self._settings)
            except NoIndexError:
                if self._layout.current_build() == build_dir:
                    raise

    @property
    def index_dir(self) -> Path:
        """The folder of the index."""
        return self._settings.index_dir

    @property
    def manifest(self) -> Manifest:
        """What the live build says of itself."""
        return self.current().manifest

    def search(
        self, query: str, top_k: int = 10, filters: Filters | None = None, *, per_record: bool = True
    ) -> list[Passage]:
        """`Snapshot.search` on the live build."""
        return self.current().search(query, top_k, filters, per_record=per_record)

    def get_record(self, name: str) -> Record | None:
        """`Snapshot.get_record` on the live build."""
        return self.current().get_record(name)

    def first_titles(self, count: int) -> list[str]:
        """The titles of the first `count` records that have one."""
        titles = (record.title for record, _ in self.current().iter_records() if record.title)
        return list(islice(titles, count))

    def close(self) -> None:
        """Let go of the live build; its files are closed when no question is using it any more."""
        with self._lock:
            self._open = None


def open_index(index_dir: str | Path | None = None) -> Index:
    """Open an index; without a folder, the one that the settings name.

    Raises:
        NoIndexError: there is no index, or it cannot be read.
        IndexMismatchError: it was built by another embedding model.
    """
    index = Index(index_settings(index_dir))
    index.current()
    return index
