"""`casecite index info`: the contents of an index and how it was built."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from textwrap import wrap
from typing import Any

from index.maintenance.gc import measure_folder
from index.overview import LibraryOverview, describe_library
from index.search.search import Index
from index.search.snapshot import Snapshot
from index.storage.layout import MERGED_FILE, REJECTED_FILE, IndexLayout
from index.storage.manifest import Manifest
from index.text.cleaning import clean_text

SHOWN_NAMES = 15
_LABEL_CHARS = 19
_MAX_CHARS = 110
_OF_MANIFEST = ("build_id", "built_at", "sources", "embedder", "record_count", "chunk_count", "rejected_count")


def list_index(index: Index) -> dict[str, Any]:
    """The fields of the manifest, counts of the records, and the size on disk, as JSON types."""
    build = index.current()
    counts = {name: value for name, value in asdict(describe_library(build)).items() if name not in _OF_MANIFEST}
    files, size = measure_folder(index.index_dir)
    return build.manifest.model_dump(mode="json") | {
        "index_dir": str(index.index_dir),
        "counts": counts | {"merged_count": _count_merged(build)},
        "builds": len(IndexLayout(index.index_dir).finished_builds()),
        "file_count": files,
        "byte_count": size,
    }


def describe_index(index: Index) -> str:
    """The same for users, in about twenty lines of text."""
    build = index.current()
    manifest, overview = build.manifest, describe_library(build)
    rows = [*_describe_records(overview), *_describe_build(build, manifest), *_describe_folder(index)]
    # The manifest has paths verbatim, so that files can be read again.
    return clean_text("\n".join(line for label, text in rows for line in _lay_out(label, text)))


def _describe_records(overview: LibraryOverview) -> list[tuple[str, str]]:
    marks = f"{overview.retracted_count:,} retracted, {overview.digest_count:,} digests in place of abstracts"
    access = (
        f"{overview.open_access_count:,} open, {overview.closed_access_count:,} not, "
        f"{overview.unknown_access_count:,} not known"
    )
    return [
        ("records", f"{overview.record_count:,} in {overview.chunk_count:,} chunks; {marks}"),
        ("years", _describe_decades(overview)),
        ("journals", _describe_names(overview.journals, overview.no_journal_count)),
        ("publication types", _describe_names(overview.publication_types)),
        ("sections", _describe_names(overview.sections, overview.unstructured_count)),
        ("came from", _describe_names(overview.databases)),
        ("open access", access),
    ]


def _describe_decades(overview: LibraryOverview) -> str:
    decades: Counter[int] = Counter()
    for year, count in overview.years.items():
        decades[year // 10 * 10] += count
    parts = [f"{decade}s {count:,}" for decade, count in sorted(decades.items())]
    return _with_rest(", ".join(parts), overview.undated_count)


def _describe_names(counts: Mapping[str, int], without: int = 0) -> str:
    shown = [f"{name} {count:,}" for name, count in list(counts.items())[:SHOWN_NAMES]]
    more = f", and {len(counts) - SHOWN_NAMES:,} more" if len(counts) > SHOWN_NAMES else ""
    return _with_rest(", ".join(shown) + more, without)


def _with_rest(text: str, without: int) -> str:
    return "; ".join(filter(None, (text, f"{without:,} without" if without else ""))) or "none"


def _describe_build(build: Snapshot, manifest: Manifest) -> list[tuple[str, str]]:
    where = f"on the Chroma server at {manifest.chroma_url}" if manifest.chroma_url else "in the folder"
    rejected = (
        f"{manifest.rejected_count:,} rejected ({build.build_dir / REJECTED_FILE})"
        if manifest.rejected_count
        else "0 rejected"
    )
    return [
        ("built", f"{manifest.created_at:%Y-%m-%d %H:%M} UTC, {manifest.age_days:.0f} days ago"),
        ("built from", ", ".join(manifest.sources)),
        ("last input", f"{rejected}, {_count_merged(build):,} merged"),
        ("embedding model", str(manifest.embedder)),
        ("vectors", where),
        ("made by", ", ".join(f"{name} {number}" for name, number in manifest.versions.items())),
        ("build", f"{manifest.build_id}, format {manifest.format}"),
    ]


def _describe_folder(index: Index) -> list[tuple[str, str]]:
    files, size = measure_folder(index.index_dir)
    kept = len(IndexLayout(index.index_dir).finished_builds())
    builds = f"{kept} builds, the others unused" if kept > 1 else "1 build"
    return [("folder", f"{index.index_dir}: {builds}, {files:,} files, {size / 1e6:,.1f} MB")]


def _count_merged(build: Snapshot) -> int:
    """The number of input records that were merged into others."""
    with (build.build_dir / MERGED_FILE).open(encoding="utf-8") as lines:
        return sum(json.loads(line)["input"] == "merged" for line in lines)


def _lay_out(label: str, text: str) -> list[str]:
    width = min(shutil.get_terminal_size().columns, _MAX_CHARS)
    lines = wrap(text, width - _LABEL_CHARS, break_long_words=False, break_on_hyphens=False) or [""]
    return [f"{name:{_LABEL_CHARS}}{line}" for name, line in zip([label, *[""] * len(lines)], lines, strict=False)]
