"""The files of a fetch: records are appended page by page, and the state is saved so that a killed fetch can continue.

NAME              the records, one JSON object per line
.NAME.rejected    what became no record, with reasons
.NAME.fetch       while unfinished: the request, the progress, and the lengths of the other two files

What the two files contain beyond these lengths is part of an incomplete page and is removed.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from index.errors import WrongUseError
from index.fetch.errors import FetchFailedError
from index.fetch.source import Found, Page
from index.types import Record, Rejection

# With a write-ahead log and `NORMAL`, a power failure may lose the last states; these pages are then fetched again.
_OPEN = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
BEGIN EXCLUSIVE;
CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY, json TEXT NOT NULL);
COMMIT;
"""


class FetchRequest(BaseModel):
    """The arguments of a fetch; only the same request can continue a file."""

    model_config = ConfigDict(frozen=True)

    source: str
    query: str
    max_records: int | None

    def __str__(self) -> str:
        limit = f", at most {self.max_records} records" if self.max_records else ""
        return f"{self.query} ({self.source}{limit})"


class FetchState(BaseModel):
    """The progress of a fetch: the counts of records, the lengths of its files, and the position in the source."""

    model_config = ConfigDict(frozen=True)

    request: FetchRequest
    found: int
    warnings: tuple[str, ...]
    position: str | None
    fetched: int = 0
    without_abstract: int = 0
    rejected: int = 0
    output_bytes: int = 0
    rejected_bytes: int = 0

    @property
    def wanted(self) -> int:
        """How many of the records found are to be read."""
        return min(self.found, self.request.max_records or self.found)

    @property
    def done(self) -> int:
        """How many records were read, with any outcome."""
        return self.fetched + self.without_abstract + self.rejected

    @property
    def is_finished(self) -> bool:
        """Whether all wanted records were read."""
        return self.position is None or self.done >= self.wanted


class FetchOutput:
    """The files of one fetch, locked against others. `state` is None until `begin`."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self.path = path
        self.rejected_path = _hidden_path(path, "rejected")
        self.state: FetchState | None = None
        self._database = database

    @classmethod
    @contextmanager
    def open(cls, path: Path, request: FetchRequest) -> Iterator[FetchOutput]:
        """Open a file, new or of the same fetch.

        Raises:
            WrongUseError: the file cannot be written, or has other content.
            FetchFailedError: another fetch is writing the file.
        """
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise WrongUseError(f"cannot write records to {path}", remedy="name a file in an existing folder")
        state_path = _hidden_path(path, "fetch")
        if not state_path.exists():
            _check_empty(path)
        output = cls(path, _open_locked(state_path, path))
        try:
            output._resume(request)
            yield output
        finally:
            output._database.close()
            if output.state is None or output.state.is_finished:
                state_path.unlink(missing_ok=True)

    def begin(self, request: FetchRequest, found: Found) -> FetchState:
        """Create empty files for the records found."""
        state = FetchState(request=request, found=found.count, warnings=found.warnings, position=found.position)
        self._save(state)
        self.rejected_path.unlink(missing_ok=True)
        self.path.write_bytes(b"")  # last, because it marks that there is a fetch to resume
        return state

    def append(self, state: FetchState, page: Page) -> FetchState:
        """Append a page to the files and save the state durably."""
        records = [item for item in page.items if isinstance(item, Record)]
        rejections = [item for item in page.items if isinstance(item, Rejection)]
        without_abstract = sum(item.field == "abstract" and item.reason.endswith("no text") for item in rejections)
        after = state.model_copy(
            update={
                "position": page.position,
                "fetched": state.fetched + len(records),
                "without_abstract": state.without_abstract + without_abstract,
                "rejected": state.rejected + len(rejections) - without_abstract,
                "output_bytes": state.output_bytes + _append_durably(self.path, records),
                "rejected_bytes": state.rejected_bytes + _append_durably(self.rejected_path, rejections),
            }
        )
        self._save(after)
        return after

    def _resume(self, request: FetchRequest) -> None:
        """Load the state of an unfinished fetch, if there is one, and truncate its files accordingly."""
        row = self._database.execute("SELECT json FROM state").fetchone()
        if row is None:
            _check_empty(self.path)
        if row is None or not self.path.exists():
            return
        try:
            self.state = state = FetchState.model_validate_json(row[0])
        except ValidationError as error:
            raise WrongUseError(
                f"{self.path} is from another version of casecite", remedy="remove it and fetch again"
            ) from error
        if state.request != request:
            raise WrongUseError(
                f"{self.path} is an unfinished fetch of {state.request}",
                remedy="repeat that fetch to finish it, remove the file, or name another --output file",
            )
        for path, size in ((self.path, state.output_bytes), (self.rejected_path, state.rejected_bytes)):
            written = path.stat().st_size if path.exists() else 0
            if written < size:
                raise WrongUseError(
                    f"{path} has {written:,} bytes, but the fetch wrote {size:,}", remedy=f"remove {self.path}"
                )
            if written > size:
                os.truncate(path, size)

    def _save(self, state: FetchState) -> None:
        self._database.execute("INSERT OR REPLACE INTO state VALUES (1, ?)", (state.model_dump_json(),))
        self.state = state


def _hidden_path(path: Path, ending: str) -> Path:
    """A hidden file next to `path`; folders of records are read without hidden files."""
    return path.with_name(f".{path.name}.{ending}")


def _check_empty(path: Path) -> None:
    if path.exists() and path.stat().st_size:
        raise WrongUseError(
            f"{path} exists and is no unfinished fetch", remedy="remove it, or name another --output file"
        )


def _open_locked(state_path: Path, path: Path) -> sqlite3.Connection:
    """The database of the state, exclusively locked until it is closed."""
    with ExitStack() as on_failure:
        try:
            database = sqlite3.connect(state_path, timeout=0, isolation_level=None)
            on_failure.callback(database.close)
            database.executescript(_OPEN)
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise FetchFailedError(
                    f"another fetch is writing {path}",
                    remedy="wait until it has finished, or name another --output file",
                ) from error
            raise WrongUseError(f"cannot use {state_path}: {error}", remedy="name another --output file") from error
        on_failure.pop_all()
    return database


def _append_durably(path: Path, items: Sequence[Record | Rejection]) -> int:
    """Append items to a file, one JSON object per line, and return the number of bytes added."""
    lines = "".join(json.dumps(item.to_dict(), ensure_ascii=False) + "\n" for item in items).encode()
    if lines:
        with path.open("ab") as stream:
            stream.write(lines)
            stream.flush()
            os.fsync(stream.fileno())
    return len(lines)
