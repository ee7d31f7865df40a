"""PubMed through NCBI's E-utilities: a search kept on the history server, read page by page.

The history is a short cut. What is fetched are the PMIDs that the search listed; where the history is gone or holds
others, they are asked for by number. So a fetch that goes on hours later reads what it would have read at once.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from email.message import Message
from importlib.util import module_from_spec
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request

from pydantic import BaseModel, ConfigDict, ValidationError

from index.errors import WrongUseError
from index.fetch.service import ServiceClient, ServiceRefusal, patiently
from index.fetch.settings import FetchSettings
from index.fetch.source import Found, Page, read_item
from index.ingest.formats.pubmed_xml import read_pubmed_xml
from index.ingest.formats.raw_record import RawRecord
from index.types import Record, Rejection

PAGE_RECORDS = 200
MAX_LISTED = 9_999  # of a larger search PubMed lists the first ones only, and neither retstart nor the history helps
LAST_PMID = 99_999_999
REQUESTS_PER_S = 3
REQUESTS_PER_S_WITH_KEY = 10


class _History(BaseModel):
    """Where the next record stands on NCBI's history server."""

    model_config = ConfigDict(frozen=True)

    web_env: str
    query_key: str
    start: int = 0


class _Position(BaseModel):
    """What is still to be read: the PMIDs of a search, and then what ranges of PMIDs hold, the last one first."""

    model_config = ConfigDict(frozen=True)

    pmids: tuple[str, ...] = ()
    history: _History | None = None
    ranges: tuple[tuple[int, int], ...] = ()

    def as_text(self) -> str | None:
        """The position as a page tells it."""
        return self.model_dump_json() if self.pmids or self.ranges else None


class _SearchResult(BaseModel):
    """What esearch says of a query. NCBI leaves out the lists of what it did not find where there is nothing."""

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
        """What PubMed did with parts of the query that it does not know."""
        names = {
            "fieldsnotfound": "no field of PubMed's, so it was left out",
            "phrasesnotfound": "found nowhere",
            "phrasesignored": "left out by PubMed",
            "quotedphrasesnotfound": "found nowhere as a phrase, so searched word by word",
        }
        told = (self.errorlist or {}) | (self.warninglist or {})
        return tuple(f"{phrase}: {what}" for name, what in names.items() for phrase in told.get(name, ()))


class PubMed:
    """PubMed as a source of records."""

    name = "PubMed"

    def __init__(self, settings: FetchSettings) -> None:
        """Take who asks.

        Raises:
            WrongUseError: the settings hold no e-mail address.
        """
        if not settings.email:
            raise WrongUseError(
                "NCBI asks for your e-mail address with every request to PubMed",
                remedy="give --email or CASECITE_EMAIL",
            )
        key = settings.ncbi_api_key
        self._url = settings.eutils_url.rstrip("/")
        pace = REQUESTS_PER_S_WITH_KEY if key else REQUESTS_PER_S
        self._client = ServiceClient(self.name, email=settings.email, requests_per_s=pace, secret=key)
        self._entrez = _own_entrez()
        self._entrez.email = settings.email
        self._entrez.tool = "casecite"
        self._entrez.api_key = key.get_secret_value() if key else None
        self._entrez.urlopen = self._open

    def search(self, query: str, max_records: int | None) -> Found:
        """Search; PubMed gives the newest records first. See `Source`."""
        found = self._search(query, min(max_records or MAX_LISTED, MAX_LISTED))
        if min(found.count, max_records or found.count) > MAX_LISTED:
            position = _Position(ranges=((1, LAST_PMID),))
        else:
            position = _Position(pmids=found.idlist, history=found.history)
        return Found(count=found.count, position=position.as_text(), warnings=found.warnings)

    def next_page(self, query: str, position: str, max_records: int) -> Page:
        """Read on from a position. See `Source`."""
        here = _Position.model_validate_json(position)
        while not here.pmids and here.ranges:
            here = self._search_range(query, here.ranges)
        pmids = here.pmids[: min(PAGE_RECORDS, max_records)]
        articles, history = self._read(pmids, here.history) if pmids else ({}, None)
        after = here.model_copy(update={"pmids": here.pmids[len(pmids) :], "history": history})
        return Page(items=tuple(_as_item(pmid, articles) for pmid in pmids), position=after.as_text())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _search_range(self, query: str, ranges: tuple[tuple[int, int], ...]) -> _Position:
        """Search the last range of PMIDs, or halve it where it holds more than PubMed lists."""
        *others, (first, last) = ranges
        found = self._search(f"({query}) AND {first}:{last}[uid]", MAX_LISTED)
        if found.count > MAX_LISTED:
            middle = (first + last) // 2
            return _Position(ranges=(*others, (first, middle), (middle + 1, last)))
        return _Position(pmids=found.idlist, history=found.history, ranges=tuple(others))

    @patiently
    def _search(self, term: str, max_records: int) -> _SearchResult:
        answer = self._entrez.esearch(db="pubmed", term=term, usehistory="y", retmode="json", retmax=max_records)
        try:
            # Not strict: NCBI's errors hold line breaks.
            result = _SearchResult.model_validate(json.loads(answer.read(), strict=False)["esearchresult"])
        except (ValidationError, ValueError, KeyError, TypeError):
            raise self._client.fault("the answer to a search is none") from None
        if len(result.idlist) < min(result.count, max_records):
            raise self._client.fault(f"{len(result.idlist)} of {result.count} numbers in the answer to a search")
        return result

    def _read(self, pmids: Sequence[str], history: _History | None) -> tuple[dict[str, RawRecord], _History | None]:
        """The articles of these PMIDs, and the history if it can be relied on for the next."""
        if history:
            with suppress(ServiceRefusal):  # it is gone: NCBI keeps it for some hours
                articles = self._fetch(
                    WebEnv=history.web_env, query_key=history.query_key, retstart=history.start, retmax=len(pmids)
                )
                if articles.keys() == set(pmids):
                    return articles, history.model_copy(update={"start": history.start + len(pmids)})
        return self._fetch(id=",".join(pmids)), None

    @patiently
    def _fetch(self, **which: str | int) -> dict[str, RawRecord]:
        """The articles by PMID, as our reader of PubMed's XML finds them."""
        body = self._entrez.efetch(db="pubmed", retmode="xml", **which)
        items = list(read_pubmed_xml(io.BufferedReader(body), self.name))
        # What is said of an entry is what else it is, if no article; the rest is said of the XML.
        broken = [item for item in items if isinstance(item, Rejection) and not item.reason.startswith("entry ")]
        if broken or not items:
            raise self._client.fault(broken[0].reason if broken else "an answer without articles")
        return {item.data["pmid"]: item for item in items if isinstance(item, RawRecord)}

    def _open(self, request: Request) -> _Body:
        """A request of Biopython's, sent by our client, which has a time limit, to the address in the settings."""
        address = urlsplit(request.full_url)
        form = request.data if isinstance(request.data, bytes) else address.query.encode()
        return _Body(self._client.post(f"{self._url}/{address.path.rpartition('/')[2]}", form))


class _Body(io.BytesIO):
    """The body of an answer as Biopython takes it: a file with headers, of a type that it leaves as bytes."""

    headers = Message()
    headers["Content-Type"] = "application/octet-stream"


def _own_entrez() -> Any:
    """Biopython's Entrez, a copy: its settings are variables of the module, and may be used by others too."""
    from Bio import Entrez

    spec: Any = Entrez.__spec__
    copy = module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy


def _as_item(pmid: str, articles: dict[str, RawRecord]) -> Record | Rejection:
    if pmid in articles:
        return read_item(replace(articles[pmid], entry=None), f"PMID {pmid}")
    reason = f"PMID {pmid}: PubMed gives no article (it may be a chapter of a book)"
    return Rejection(file=PubMed.name, line=None, field=None, reason=reason)
