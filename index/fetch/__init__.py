"""Downloads records from PubMed and Europe PMC to a file that `build_index` reads."""

from __future__ import annotations

from index.fetch.errors import FetchFailedError
from index.fetch.fetching import FetchReport, fetch_records

__all__ = ["FetchFailedError", "FetchReport", "fetch_records"]
