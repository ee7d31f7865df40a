"""An index folder, open for search."""

from __future__ import annotations

import threading
from itertools import islice
from pathlib import Path

from index.errors import NoIndexError, UnreadableIndexError
from index.search.snapshot import Snapshot, open_build
from index.settings import IndexSettings, index_settings
from index.storage.layout import IndexLayout
from index.storage.manifest import Manifest
from index.text.cleaning import clean_text
from index.types import Filters, Passage, Record


class Index:
    """An index folder: `current` is the snapshot of its live build. A new build is noticed at the next call."""

    def __init__(self, settings: IndexSettings) -> None:
        self._settings = settings
        self._layout = IndexLayout(settings.index_dir)
        self._lock = threading.Lock()
        self._open: tuple[Path, Snapshot] | None = None

    def current(self) -> Snapshot:
        """The live build; keep it for all of one question.

        Raises:
            NoIndexError: there is no index, or it cannot be read.
            IndexMismatchError: it was built by another embedding model.
        """
        with self._lock:
            if self._open is None or self._is_superseded(self._open[0]):
                self._open = self._open_live_build()
            return self._open[1]

    def _is_superseded(self, build_dir: Path) -> bool:
        """Whether another build is live now. If no file can be opened to find out, the open build stays in use."""
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
        """The manifest of the live build."""
        return self.current().manifest

    def search(
        self, query: str, top_k: int = 10, filters: Filters | None = None, *, per_record: bool = True
    ) -> list[Passage]:
        """`Snapshot.search` on the live build, for a query as a user typed it."""
        return self.current().search(clean_text(query), top_k, filters, per_record=per_record)

    def get_record(self, name: str) -> Record | None:
        """`Snapshot.get_record` on the live build."""
        return self.current().get_record(name)

    def first_titles(self, count: int) -> list[str]:
        """The titles of the first `count` records that have one."""
        titles = (record.title for record, _ in self.current().iter_records() if record.title)
        return list(islice(titles, count))

    def close(self) -> None:
        """Release the live build; its files are closed when no question uses it any more."""
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
