"""The index: records in, an immutable build out, hybrid search over it.

Names are imported when first used, so that `import index` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.build import build_index, remove_records
    from index.corpus_map import CorpusMap, MapPoint, map_corpus
    from index.demo import DEMO_RECORDS
    from index.errors import CaseciteError
    from index.fetch import FetchFailedError, FetchReport, fetch_records
    from index.overview import LibraryOverview, describe_library, read_rejections
    from index.records import read_records
    from index.search import Index, open_index
    from index.types import BuildReport, Chunk, Filters, Passage, Record, Rejection, Section

__all__ = [
    "DEMO_RECORDS",
    "BuildReport",
    "CaseciteError",
    "Chunk",
    "CorpusMap",
    "FetchFailedError",
    "FetchReport",
    "Filters",
    "Index",
    "LibraryOverview",
    "MapPoint",
    "Passage",
    "Record",
    "Rejection",
    "Section",
    "build_index",
    "describe_library",
    "fetch_records",
    "map_corpus",
    "open_index",
    "read_records",
    "read_rejections",
    "remove_records",
]

_MODULES = {
    "DEMO_RECORDS": "index.demo",
    "CaseciteError": "index.errors",
    "CorpusMap": "index.corpus_map",
    "FetchFailedError": "index.fetch",
    "FetchReport": "index.fetch",
    "Index": "index.search",
    "LibraryOverview": "index.overview",
    "MapPoint": "index.corpus_map",
    "build_index": "index.build",
    "describe_library": "index.overview",
    "fetch_records": "index.fetch",
    "map_corpus": "index.corpus_map",
    "open_index": "index.search",
    "read_records": "index.records",
    "read_rejections": "index.overview",
    "remove_records": "index.build",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "index.types")), name)
