"""Statistics of a library, and the input that was rejected when it was built."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from index.search.snapshot import Snapshot
from index.storage.layout import REJECTED_FILE
from index.text.normalisation import fold_text
from index.types import Rejection

_COUNTED = ("year", "journal", "publication_types", "is_open_access", "retracted", "is_digest", "sources")


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryOverview:
    """Statistics of a build.

    `years` is sorted by year; `journals`, `publication_types`, `sections` (the number of records with each label) and
    `databases` (or files, from which the records came) are sorted by frequency. Names that differ only in case or
    spacing are counted as one, as in a filter, in their most frequent form. `sources` are the paths that the library
    was built from, `embedder` the model of its vectors.
    """

    build_id: str
    built_at: datetime
    sources: tuple[str, ...]
    embedder: str
    record_count: int
    chunk_count: int
    rejected_count: int
    years: dict[int, int]
    journals: dict[str, int]
    publication_types: dict[str, int]
    sections: dict[str, int]
    databases: dict[str, int]
    open_access_count: int
    closed_access_count: int
    unknown_access_count: int
    retracted_count: int
    digest_count: int
    untitled_count: int
    undated_count: int
    no_journal_count: int
    unstructured_count: int

    @property
    def journal_names(self) -> list[str]:
        """The journals in alphabetical order, for the choices of a filter."""
        return sorted(self.journals, key=fold_text)


def describe_library(build: Snapshot) -> LibraryOverview:
    """Compute the statistics of a build in one pass over the counted fields."""
    counts: dict[str, Counter[Any]] = {name: Counter() for name in _COUNTED}
    sections: Counter[Any] = Counter()
    untitled_count = unstructured_count = 0
    for _, title, spans, *values in build.record_fields("title", "sections", *_COUNTED):
        untitled_count += title is None
        unstructured_count += not spans
        sections.update({fold_text(label): label for label, _, _ in spans}.values())
        for name, value in zip(_COUNTED, values, strict=True):
            counts[name].update(value if isinstance(value, list) else [value])
    years, journals, access = counts["year"], counts["journal"], counts["is_open_access"]
    manifest = build.manifest
    return LibraryOverview(
        build_id=manifest.build_id,
        built_at=manifest.created_at,
        sources=manifest.sources,
        embedder=str(manifest.embedder),
        record_count=manifest.record_count,
        chunk_count=manifest.chunk_count,
        rejected_count=manifest.rejected_count,
        years=dict(sorted((year, count) for year, count in years.items() if year is not None)),
        journals=_merge_names(journals),
        publication_types=_merge_names(counts["publication_types"]),
        sections=_merge_names(sections),
        databases=_merge_names(counts["sources"]),
        open_access_count=access[True],
        closed_access_count=access[False],
        unknown_access_count=access[None],
        retracted_count=counts["retracted"][True],
        digest_count=counts["is_digest"][True],
        untitled_count=untitled_count,
        undated_count=years[None],
        no_journal_count=journals[None],
        unstructured_count=unstructured_count,
    )


def read_rejections(build: Snapshot, limit: int = 1_000) -> list[Rejection]:
    """The first `limit` rejections of the build; `rejected_count` is the number of all."""
    with (build.build_dir / REJECTED_FILE).open(encoding="utf-8") as lines:
        return [Rejection(**json.loads(line)) for line in islice(lines, limit)]


def _merge_names(counts: Mapping[Hashable, int]) -> dict[str, int]:
    """Counts of names, sorted by frequency, then alphabetically; forms of one name are counted together."""
    forms: dict[str, Counter[str]] = {}
    for name, count in counts.items():
        if isinstance(name, str):
            forms.setdefault(fold_text(name), Counter())[name] += count
    merged = [(form.most_common(1)[0][0], form.total()) for _, form in sorted(forms.items())]
    return dict(sorted(merged, key=lambda pair: -pair[1]))
