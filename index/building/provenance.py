"""Where the records of a build came from, so that the same records can be read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from index.building.deduplication import possible_keys
from index.storage.manifest import Manifest
from index.storage.record_store import RecordStore


class Origin(NamedTuple):
    """The sources of a build's records, their column maps, and the names of removed records: see `Manifest`."""

    sources: Sequence[str] = ()
    columns: Mapping[str, dict[str, str]] = MappingProxyType({})
    removed: Sequence[str] = ()

    def added_to(self, manifest: Manifest | None, records: RecordStore) -> Origin:
        """The origin of an update with `records`: that of the updated build, if any, and this one.

        A removed name that a record has again is dropped: the record was added once more.
        """
        sources, columns, removed = (manifest.sources, manifest.columns, manifest.removed) if manifest else ((), {}, ())
        kept = {name: column_map for name, column_map in columns.items() if name not in self.sources}
        return Origin(
            tuple(dict.fromkeys([*sources, *self.sources])),
            kept | dict(self.columns),
            [name for name in dict.fromkeys([*removed, *self.removed]) if not records.find(possible_keys(name))],
        )
