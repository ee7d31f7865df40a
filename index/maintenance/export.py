"""Export the records of an index as JSONL, from which the same index can be built again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO

from index.errors import WrongUseError
from index.progress import Progress, no_progress
from index.search.search import open_index
from index.search.snapshot import Snapshot
from index.storage.layout import replacing


def export_records(output: str | Path, index_dir: str | Path | None = None, progress: Progress | None = None) -> int:
    """Write every record of an index to a file, one JSON object a line; the number of records.

    Fields are those of `Record.to_dict`, in the order of the index. The file is replaced when it is complete.

    Raises:
        NoIndexError: there is no index, or it is damaged.
        WrongUseError: the file cannot be written.
    """
    path = Path(output)
    build = open_index(index_dir).current()
    try:
        with replacing(path) as stream:
            return write_records(build, stream, progress or no_progress)
    except OSError as error:
        reason = error.strerror or str(error)
        raise WrongUseError(f"cannot write {path}: {reason}", remedy="choose another --output file") from error


def write_records(build: Snapshot, stream: IO[str], progress: Progress) -> int:
    """Write every record of a build, one JSON object a line; the number of records.

    Raises:
        NoIndexError: the build is damaged.
    """
    count = 0
    for count, (record, _) in enumerate(build.iter_records(), start=1):
        stream.write(json.dumps(record.to_dict(), ensure_ascii=False) + "\n")
        progress("exporting records", count, build.manifest.record_count)
    return count
