"""PubMed by NCBI's E-utilities: a search is stored on the history server and read page by page.

A fetch reads the PMIDs that its search listed. The history is a shortcut; if it has expired or contains other PMIDs,
the listed ones are requested by number. So a fetch that continues hours later reads the same records.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from pydantic import BaseModel, ConfigDict, ValidationError

from index.errors import WrongUseError
from index.fetch.errors import ServiceRefusal
from index.fetch.service import ServiceClient, with_retries
from index.fetch.settings import FetchSettings
from index.fetch.source import Found, Page, parse_item
from index.ingest.formats.pubmed_xml import read_pubmed_xml
from index.ingest.formats.raw_record import RawRecord, reject
from index.types import Record, Rejection

PAGE_RECORDS = 200
MAX_LISTED = 9_999  # PubMed gives no more results of one search, neither by retstart nor by the history
LAST_PMID = 99_999_999
REQUESTS_PER_S = 3
REQUESTS_PER_S_WITH_KEY = 10


class _History(BaseModel):
    """The position of the next record on NCBI's history server."""

    model_config = ConfigDict(frozen=True)

    web_env: str
    query_key: str
    start: int = 0


class _Position(BaseModel):
    """What is still to be read: the PMIDs of a search, then the records in ranges of PMIDs, the last range first."""

    model_config = ConfigDict(frozen=True)

    pmids: tuple[str, ...] = ()
    history: _History | None = None
    ranges: tuple[tuple[int, int], ...] = ()

    def as_text(self) -> str | None:
        """The position as JSON; None at the end."""
        return self.model_dump_json() if self.pmids or self.ranges else None


class _SearchResult(BaseModel):
    """The answer of esearch; NCBI leaves out empty lists of errors and warnings."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    count: int
    idlist: tuple[str, ...]
    webenv: str | None = None
    querykey: str | None = None
    errorlist: dict[str, list[str]] | None = None
    warninglist: dict[str, list[str]] | None = None

    @property
    def history(self) -> _History | None:
        return _History(web_env=self.webenv, query_key=self.querykey) if self.webenv and self.querykey else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """How PubMed treated the parts of the query that it did not recognise."""
        names = {
            "fieldsnotfound": "no field of PubMed, ignored",
            "phrasesnotfound": "not found",
            "phrasesignored": "ignored by PubMed",
            "quotedphrasesnotfound": "not found as a phrase, searched word by word",
        }
        phrases = (self.errorlist or {}) | (self.warninglist or {})
        return tuple(f"{phrase}: {what}" for name, what in names.items() for phrase in phrases.get(name, ()))


class PubMed:
    """PubMed as a source of records. The settings must have an e-mail address, otherwise WrongUseError is raised."""

    name = "PubMed"

    def __init__(self, settings: FetchSettings) -> None:
        if not settings.email:
            raise WrongUseError(
                "NCBI asks for your e-mail address with every request to PubMed",
                remedy="give --email or CASECITE_EMAIL",
            )
        key = settings.ncbi_api_key
        self._url = settings.eutils_url.rstrip("/")
        self._identity = {"tool": "casecite", "email": settings.email}
        if key:
            self._identity["api_key"] = key.get_secret_value()
        pace = REQUESTS_PER_S_WITH_KEY if key else REQUESTS_PER_S
        self._client = ServiceClient(self.name, email=settings.email, requests_per_s=pace, secret=key)

    def search(self, query: str, max_records: int | None) -> Found:
        """Search; PubMed gives the newest records first. See `Source`."""
        found = self._search(query, min(max_records or MAX_LISTED, MAX_LISTED))
        if min(found.count, max_records or found.count) > MAX_LISTED:
            position = _Position(ranges=((1, LAST_PMID),))
        else:
            position = _Position(pmids=found.idlist, history=found.history)
        return Found(count=found.count, position=position.as_text(), warnings=found.warnings)

    def next_page(self, query: str, position: str, max_records: int) -> Page:
        """See `Source`."""
        here = _Position.model_validate_json(position)
        while not here.pmids and here.ranges:
            here = self._search_range(query, here.ranges)
        pmids = here.pmids[: min(PAGE_RECORDS, max_records)]
        articles, history = self._read(pmids, here.history) if pmids else ({}, None)
        after = here.model_copy(update={"pmids": here.pmids[len(pmids) :], "history": history})
        return Page(items=tuple(_as_item(pmid, articles) for pmid in pmids), position=after.as_text())

    def close(self) -> None:
        """See `Source`."""
        self._client.close()

    def _search_range(self, query: str, ranges: tuple[tuple[int, int], ...]) -> _Position:
        """Search the last range of PMIDs, or halve it if it has more results than PubMed lists."""
        *others, (first, last) = ranges
        found = self._search(f"({query}) AND {first}:{last}[uid]", MAX_LISTED)
        if found.count > MAX_LISTED:
            middle = (first + last) // 2
            return _Position(ranges=(*others, (first, middle), (middle + 1, last)))
        return _Position(pmids=found.idlist, history=found.history, ranges=tuple(others))

    @with_retries
    def _search(self, term: str, max_records: int) -> _SearchResult:
        parameters: dict[str, str | int] = {"term": term, "usehistory": "y", "retmode": "json", "retmax": max_records}
        answer = self._post("esearch", parameters)
        try:
            # Not strict: NCBI's error messages contain line breaks.
            result = _SearchResult.model_validate(json.loads(answer, strict=False)["esearchresult"])
        except (ValidationError, ValueError, KeyError, TypeError):
            raise self._client.fault("invalid answer to a search") from None
        if len(result.idlist) < min(result.count, max_records):
            raise self._client.fault(f"only {len(result.idlist)} of {result.count} PMIDs in the answer to a search")
        return result

    def _read(self, pmids: Sequence[str], history: _History | None) -> tuple[dict[str, RawRecord], _History | None]:
        """The articles of these PMIDs, and the history if it is still valid."""
        if history:
            page = {"query_key": history.query_key, "retstart": history.start, "retmax": len(pmids)}
            with suppress(ServiceRefusal):  # it has expired: NCBI keeps it for some hours
                articles = self._fetch({"WebEnv": history.web_env, **page})
                if articles.keys() == set(pmids):
                    return articles, history.model_copy(update={"start": history.start + len(pmids)})
        return self._fetch({"id": ",".join(pmids)}), None

    @with_retries
    def _fetch(self, selection: dict[str, str | int]) -> dict[str, RawRecord]:
        """The selected articles by PMID."""
        body = io.BytesIO(self._post("efetch", {"retmode": "xml", **selection}))
        items = list(read_pubmed_xml(io.BufferedReader(body), self.name))
        # Rejections of an entry say that it is no article; all others are errors in the XML.
        broken = [item for item in items if isinstance(item, Rejection) and not item.reason.startswith("entry ")]
        if broken or not items:
            raise self._client.fault(broken[0].reason if broken else "an answer without articles")
        return {item.data["pmid"]: item for item in items if isinstance(item, RawRecord)}

    def _post(self, program: str, parameters: dict[str, str | int]) -> bytes:
        return self._client.post(f"{self._url}/{program}.fcgi", {"db": "pubmed", **self._identity, **parameters})


def _as_item(pmid: str, articles: dict[str, RawRecord]) -> Record | Rejection:
    if pmid in articles:
        return parse_item(replace(articles[pmid], entry=None), f"PMID {pmid}")
    return reject(PubMed.name, f"PMID {pmid}: PubMed returned no article (it may be a book chapter)")
