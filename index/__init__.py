"""The index: records in, an immutable build out, hybrid search over it.

Names are imported when first used, so that `import index` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.build import build_index
    from index.demo import DEMO_RECORDS
    from index.errors import CaseciteError
    from index.records import read_records
    from index.search import Index, open_index
    from index.types import BuildReport, Chunk, Filters, Passage, Record, Rejection, Section

__all__ = [
    "DEMO_RECORDS",
    "BuildReport",
    "CaseciteError",
    "Chunk",
    "Filters",
    "Index",
    "Passage",
    "Record",
    "Rejection",
    "Section",
    "build_index",
    "open_index",
    "read_records",
]

_MODULES = {
    "DEMO_RECORDS": "index.demo",
    "CaseciteError": "index.errors",
    "Index": "index.search",
    "build_index": "index.build",
    "open_index": "index.search",
    "read_records": "index.records",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES.get(name, "index.types")), name)
