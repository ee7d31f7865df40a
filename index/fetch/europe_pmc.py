"""Europe PMC through its web service: a search read page by page, each naming where the next begins."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from index.fetch.service import ServiceClient, patiently
from index.fetch.settings import FetchSettings
from index.fetch.source import Found, Page, read_item
from index.ingest.formats.aggregators import rename_fields
from index.ingest.formats.raw_record import RawRecord
from index.types import Record, Rejection

PAGE_RECORDS = 200
REQUESTS_PER_S = 3
START = "*"


class _ResultList(BaseModel):
    result: list[dict[str, Any]]


class _Answer(BaseModel):
    """What is needed of an answer beside the records themselves."""

    model_config = ConfigDict(frozen=True)

    count: int = Field(alias="hitCount")
    next_cursor: str | None = Field(default=None, alias="nextCursorMark")
    results: _ResultList = Field(alias="resultList")


class EuropePmc:
    """Europe PMC as a source of records. Its positions are its cursor marks."""

    name = "Europe PMC"

    def __init__(self, settings: FetchSettings) -> None:
        """Take who asks."""
        self._url = f"{settings.europepmc_url.rstrip('/')}/search"
        self._client = ServiceClient(self.name, email=settings.email, requests_per_s=REQUESTS_PER_S)

    def search(self, query: str, max_records: int | None) -> Found:
        """Search. See `Source`."""
        answer = self._ask(query, START, 1)
        return Found(count=answer.count, position=START if answer.count else None)

    def next_page(self, query: str, position: str, max_records: int) -> Page:
        """Read on from a position. See `Source`."""
        answer = self._ask(query, position, min(PAGE_RECORDS, max_records))
        is_last = not answer.results.result or answer.next_cursor in {None, position}
        return Page(items=tuple(map(_as_item, answer.results.result)), position=None if is_last else answer.next_cursor)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @patiently
    def _ask(self, query: str, cursor: str, page_records: int) -> _Answer:
        parameters: dict[str, str | int] = {
            "query": query,
            "resultType": "core",
            "format": "json",
            "cursorMark": cursor,
            "pageSize": page_records,
        }
        try:
            return _Answer.model_validate_json(self._client.get(self._url, parameters))
        except ValidationError:
            raise self._client.fault("the answer to a search is none") from None


def _as_item(result: dict[str, Any]) -> Record | Rejection:
    """A result as our reader of Europe PMC's JSON finds it."""
    data = rename_fields(result)
    return read_item(RawRecord(file=EuropePmc.name, line=None, data=data), str(data.get("source_id")))
