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
    from index.upkeep.clearing import ClearReport, clear_index
    from index.upkeep.export import export_records
    from index.upkeep.healing import heal_index
    from index.upkeep.verify import VerifyReport, verify_index
    from index.upkeep.watch import watch_folder

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
    "ClearReport": "index.upkeep.clearing",
    "CorpusMap": "index.corpus_map",
    "FetchFailedError": "index.fetch",
    "FetchReport": "index.fetch",
    "Index": "index.search",
    "LibraryOverview": "index.overview",
    "MapPoint": "index.corpus_map",
    "VerifyReport": "index.upkeep.verify",
    "build_index": "index.build",
    "clear_index": "index.upkeep.clearing",
    "describe_library": "index.overview",
    "export_records": "index.upkeep.export",
    "fetch_records": "index.fetch",
    "heal_index": "index.upkeep.healing",
    "map_corpus": "index.corpus_map",
    "open_index": "index.search",
    "read_records": "index.records",
    "read_rejections": "index.overview",
    "remove_records": "index.build",
    "verify_index": "index.upkeep.verify",
    "watch_folder": "index.upkeep.watch",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "index.types")), name)
