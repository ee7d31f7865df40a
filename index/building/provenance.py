"""What a build remembers of where its records are from, so that the same records can be read again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from index.building.deduplication import possible_keys
from index.storage.manifest import Manifest
from index.storage.record_store import RecordStore


class Origin(NamedTuple):
    """What a build adds to what the one before remembers: see `Manifest`."""

    sources: Sequence[str] = ()
    columns: Mapping[str, dict[str, str]] = MappingProxyType({})
    removed: Sequence[str] = ()


def remember_origin(origin: Origin, manifest: Manifest, before: Manifest | None, records_path: Path) -> Manifest:
    """The manifest of a finished build with the column maps of its sources and the names of what was removed.

    A name that a record goes by again was added once more, and is forgotten.
    """
    kept = {name: columns for name, columns in before.columns.items() if name not in origin.sources} if before else {}
    removed = dict.fromkeys([*(before.removed if before else ()), *origin.removed])
    update = {"columns": kept | dict(origin.columns), "removed": tuple(_without_record(removed, records_path))}
    return manifest.model_copy(update=update)


def _without_record(names: Iterable[str], records_path: Path) -> list[str]:
    with closing(RecordStore.open(records_path)) as records:
        return [name for name in names if not records.find(possible_keys(name))]
