"""Europe PMC by its web service: a search is read page by page, following cursor marks."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from index.fetch.service import ServiceClient, with_retries
from index.fetch.settings import FetchSettings
from index.fetch.source import Found, Page, parse_item
from index.ingest.formats.aggregators import rename_fields
from index.ingest.formats.raw_record import RawRecord
from index.types import Record, Rejection

PAGE_RECORDS = 200
REQUESTS_PER_S = 3
START = "*"


class _ResultList(BaseModel):
    result: list[dict[str, Any]]


class _Answer(BaseModel):
    """The answer to a search."""

    model_config = ConfigDict(frozen=True)

    count: int = Field(alias="hitCount")
    next_cursor: str | None = Field(default=None, alias="nextCursorMark")
    results: _ResultList = Field(alias="resultList")


class EuropePmc:
    """Europe PMC as a source of records. Positions are cursor marks."""

    name = "Europe PMC"

    def __init__(self, settings: FetchSettings) -> None:
        self._url = f"{settings.europepmc_url.rstrip('/')}/search"
        self._client = ServiceClient(self.name, email=settings.email, requests_per_s=REQUESTS_PER_S)

    def search(self, query: str, max_records: int | None) -> Found:
        """See `Source`."""
        answer = self._ask(query, START, 1)
        return Found(count=answer.count, position=START if answer.count else None)

    def next_page(self, query: str, position: str, max_records: int) -> Page:
        """See `Source`."""
        answer = self._ask(query, position, min(PAGE_RECORDS, max_records))
        is_last = not answer.results.result or answer.next_cursor in {None, position}
        return Page(items=tuple(map(_as_item, answer.results.result)), position=None if is_last else answer.next_cursor)

    def close(self) -> None:
        """See `Source`."""
        self._client.close()

    @with_retries
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
            raise self._client.fault("invalid answer to a search") from None


def _as_item(result: dict[str, Any]) -> Record | Rejection:
    data = rename_fields(result)
    return parse_item(RawRecord(file=EuropePmc.name, line=None, data=data), str(data.get("source_id")))
