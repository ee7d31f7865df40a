"""Take input into the records of a build: add new records, merge those of the same report, list rejected input."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import IO, Any

from index.building.deduplication import identity_keys, is_change, is_news, merge_records, possible_keys, same_reports
from index.errors import WrongUseError
from index.ingest.chunking import chunk_record
from index.ingest.formats.raw_record import RawRecord
from index.ingest.identifiers import name_content, name_record
from index.ingest.records import parse_record
from index.storage.layout import MERGED_FILE, REJECTED_FILE
from index.storage.record_store import RecordStore
from index.types import Record, Rejection

REJECTIONS_KEPT = 1_000  # in memory; the file has all


@dataclass(slots=True)
class Tally:
    """What became of the input so far; see `BuildReport`."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    duplicates: int = 0
    merged: int = 0
    removed: int = 0
    rejected_count: int = 0
    rejected: list[Rejection] = field(default_factory=list)


class Intake:
    """Adds raw records one at a time to `records`, and writes the lists of rejected and merged input to `build_dir`.

    Memory does not grow with their number.
    """

    def __init__(self, build_dir: Path, records: RecordStore) -> None:
        self.tally = Tally()
        self._records = records
        self._rejected_file = (build_dir / REJECTED_FILE).open("w", encoding="utf-8")
        self._merged_file = (build_dir / MERGED_FILE).open("w", encoding="utf-8")

    @property
    def record_count(self) -> int:
        """How many records there are now."""
        return len(self._records)

    def close(self) -> None:
        """Write what was taken so that it survives a crash."""
        self._records.commit()
        self._rejected_file.close()
        self._merged_file.close()

    def remove(self, names: Iterable[str]) -> None:
        """Remove the records with these ids.

        Raises:
            WrongUseError: no record has one of them, or several have it.
        """
        for name in names:
            found = [record.record_id for record, _ in self._records.find(possible_keys(name))]
            if not found:
                raise WrongUseError(f"no record {name} in the index", remedy="casecite index export writes all ids")
            if len(found) > 1:
                raise WrongUseError(f"{name} is {', '.join(found)}", remedy="name the one by that id")
            self._records.delete(found[0])
            self.tally.removed += 1

    def copy(self, record: Record) -> None:
        """Add a record of an earlier build as it is."""
        self._records.put(record, chunk_record(record), identity_keys(record))
        self.tally.unchanged += 1

    def take(self, item: RawRecord | Rejection) -> None:
        """Add one piece of input: as a new record, merged into known ones, or to the list of rejected input."""
        if isinstance(item, Rejection):
            self._reject(item)
            return
        parsed = parse_record(item)
        if isinstance(parsed, Rejection):
            self._reject(parsed)
            return
        known = same_reports(parsed, [record for record, _ in self._records.find(identity_keys(parsed))])
        merged = reduce(merge_records, [*known, parsed])
        if not known:
            self.tally.added += 1
            self._put(parsed)
        elif len(known) == 1 and not is_news(known[0], merged):
            self._count_repeat(known[0], item)
        else:
            self._replace(known, merged, parsed, item)

    def _reject(self, rejection: Rejection) -> None:
        self.tally.rejected_count += 1
        if len(self.tally.rejected) < REJECTIONS_KEPT:
            self.tally.rejected.append(rejection)
        _write_line(self._rejected_file, rejection.to_dict())

    def _count_repeat(self, known: Record, raw: RawRecord) -> None:
        if self._records.has_arrived(known.record_id):
            self.tally.duplicates += 1
            self._note("duplicate", known.record_id, raw)
        else:
            self.tally.unchanged += 1
            self._records.mark_arrived(known.record_id)

    def _replace(self, known: Sequence[Record], merged: Record, record: Record, raw: RawRecord) -> None:
        has_arrived = any(self._records.has_arrived(earlier.record_id) for earlier in known)
        if not has_arrived and len(known) == 1 and is_change(known[0], record):
            self.tally.changed += 1
        else:
            self.tally.merged += 1
            self._note("merged", merged.record_id, raw)
        for earlier in known:
            self._records.delete(earlier.record_id)
        self._put(merged)

    def _put(self, record: Record) -> None:
        """Store a record under a unique id: the reports of a supplement may share a DOI."""
        names = (record.record_id, name_record(None, record.pmid), name_content(record.title, record.abstract))
        free = next(name for name in names if name and self._records.get(name) is None)
        record = replace(record, record_id=free)
        self._records.put(record, chunk_record(record), identity_keys(record))

    def _note(self, what: str, record_id: str, raw: RawRecord) -> None:
        place = {"file": raw.file, "line": raw.line, "entry": raw.entry}
        _write_line(self._merged_file, {"record_id": record_id, "input": what, **place})


def _write_line(file: IO[str], value: dict[str, Any]) -> None:
    file.write(json.dumps(value, ensure_ascii=False) + "\n")
