"""The index: records in, an immutable build out, hybrid search over it.

Names are imported when first used, so that `import index` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.building.build import build_index, remove_records
    from index.corpus_map import CorpusMap, MapPoint, map_corpus
    from index.demo import DEMO_RECORDS
    from index.errors import CaseciteError
    from index.fetch import FetchFailedError, FetchReport, fetch_records
    from index.ingest.records import read_records
    from index.maintenance.export import export_records
    from index.maintenance.gc import ClearReport, clear_index
    from index.maintenance.repair import heal_index
    from index.maintenance.verify import VerifyReport, verify_index
    from index.maintenance.watch import watch_folder
    from index.overview import LibraryOverview, describe_library, read_rejections
    from index.search.search import Index, open_index
    from index.types import BuildReport, Chunk, Filters, Passage, Record, Rejection, Section

__all__ = [
    "DEMO_RECORDS",
    "BuildReport",
    "CaseciteError",
    "Chunk",
    "ClearReport",
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
    "VerifyReport",
    "build_index",
    "clear_index",
    "describe_library",
    "export_records",
    "fetch_records",
    "heal_index",
    "map_corpus",
    "open_index",
    "read_records",
    "read_rejections",
    "remove_records",
    "verify_index",
    "watch_folder",
]

_MODULES = {
    "DEMO_RECORDS": "index.demo",
    "CaseciteError": "index.errors",
    "ClearReport": "index.maintenance.gc",
    "CorpusMap": "index.corpus_map",
    "FetchFailedError": "index.fetch",
    "FetchReport": "index.fetch",
    "Index": "index.search.search",
    "LibraryOverview": "index.overview",
    "MapPoint": "index.corpus_map",
    "VerifyReport": "index.maintenance.verify",
    "build_index": "index.building.build",
    "clear_index": "index.maintenance.gc",
    "describe_library": "index.overview",
    "export_records": "index.maintenance.export",
    "fetch_records": "index.fetch",
    "heal_index": "index.maintenance.repair",
    "map_corpus": "index.corpus_map",
    "open_index": "index.search.search",
    "read_records": "index.ingest.records",
    "read_rejections": "index.overview",
    "remove_records": "index.building.build",
    "verify_index": "index.maintenance.verify",
    "watch_folder": "index.maintenance.watch",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "index.types")), name)
