"""A local server that imitates PubMed's E-utilities and Europe PMC, with faults on request.

E-utilities: esearch (JSON) lists the first `MAX_LISTED` PMIDs of a search, the newest first, and stores all of them in
a history; efetch (XML) returns articles by history or PMID. Europe PMC: search with cursor marks. A term finds every
article, except `...[uid]`, which finds a range of PMIDs, and `nothing`, which finds none.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.record_files import xml

MAX_LISTED = 9_999
NOTHING = {"phrasesnotfound": ["nothing"], "fieldsnotfound": []}
_RANGE = re.compile(r"(\d+):(\d+)\[uid\]")

Fault = Callable[["Handler", bytes], None]
"""Gets the answer to a request and sends something else."""


@dataclass(frozen=True)
class Request:
    """A request: the last part of its path, its parameters and headers, and its time (in seconds)."""

    name: str
    parameters: dict[str, str]
    headers: dict[str, str]
    at: float


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes
    server: LiteratureServer

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        self._answer(address.path, address.query)

    def do_POST(self) -> None:
        self._answer(self.path, self.rfile.read(int(self.headers["Content-Length"])).decode())

    def _answer(self, path: str, form: str) -> None:
        name, parameters = path.rpartition("/")[2], dict(parse_qsl(form))
        request = Request(name, parameters, dict(self.headers), time.monotonic())
        fault = self.server.note(request)
        if name == "esearch.fcgi":
            body = json.dumps(self.server.esearch(parameters)).encode()
        elif name == "efetch.fcgi":
            body = self.server.efetch(parameters)
        else:
            body = json.dumps(self.server.search_europe_pmc(parameters)).encode()
        try:
            (fault or Handler.send)(self, body)
        except OSError:  # the client has closed the connection
            self.close_connection = True

    def send(self, body: bytes, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for header, value in headers.items():
            self.send_header(header.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class LiteratureServer(ThreadingHTTPServer):
    """Its articles are `pmids`, the newest first; those in `withdrawn` are listed, but not returned.

    The n-th of `faults` applies to the n-th request (None: no fault). `before` is called before each answer.
    """

    daemon_threads = True

    def __init__(self, count: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pmids = [str(number) for number in range(30_000_000 + count, 30_000_000, -1)]
        self.without_abstract: set[str] = set()
        self.withdrawn: set[str] = set()
        self.books: set[str] = set()
        self.max_listed = MAX_LISTED
        self.faults: list[Fault | None] = []
        self.before: Callable[[Request], None] = lambda request: None
        self.requests: list[Request] = []
        self.histories: dict[str, list[str]] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def settings(self) -> dict[str, str]:
        """The environment variables that name this server in place of the real ones."""
        return {
            "CASECITE_EUTILS_URL": f"{self.address}/entrez/eutils",
            "CASECITE_EUROPEPMC_URL": f"{self.address}/europepmc/webservices/rest",
        }

    def note(self, request: Request) -> Fault | None:
        self.requests.append(request)
        self.before(request)
        return self.faults.pop(0) if self.faults else None

    def asked(self, name: str) -> list[dict[str, str]]:
        """The parameters of all requests with this name."""
        return [request.parameters for request in self.requests if request.name == name]

    def esearch(self, parameters: dict[str, str]) -> dict[str, Any]:
        found = self._find(parameters["term"])
        web_env = f"MCID_{len(self.histories)}"
        self.histories[web_env] = found
        result = {
            "count": str(len(found)),
            "retmax": parameters["retmax"],
            "retstart": "0",
            "querykey": "1",
            "webenv": web_env,
            "idlist": found[: min(int(parameters["retmax"]), self.max_listed)],
            "translationset": [],
            "querytranslation": parameters["term"],
        }
        extra = {} if found else {"errorlist": NOTHING}
        return {"header": {"type": "esearch", "version": "0.3"}, "esearchresult": result | extra}

    def efetch(self, parameters: dict[str, str]) -> bytes:
        if "WebEnv" in parameters:
            history = self.histories.get(parameters["WebEnv"])
            if history is None:
                return b"<eFetchResult>\n\t<ERROR>Unable to obtain query #1</ERROR>\n</eFetchResult>"
            start = int(parameters["retstart"])
            pmids = history[start : start + int(parameters["retmax"])]
        else:
            pmids = parameters["id"].split(",")
        return self.article_set(pmids).encode()

    def article_set(self, pmids: list[str]) -> str:
        """The answer of PubMed to these PMIDs, as XML."""
        return xml(*(self._article(pmid) for pmid in pmids if pmid not in self.withdrawn))

    def search_europe_pmc(self, parameters: dict[str, str]) -> dict[str, Any]:
        found = self._find(parameters["query"])
        cursor = parameters["cursorMark"]
        start = 0 if cursor == "*" else int(cursor.removeprefix("AoJ"))
        page = found[start : start + int(parameters["pageSize"])]
        end = {"nextCursorMark": f"AoJ{start + len(page)}"} if page else {}
        results = {"resultList": {"result": [self._result(pmid) for pmid in page]}}
        return {"version": "6.9", "hitCount": len(found), **end, "request": {"cursorMark": cursor}, **results}

    def _find(self, term: str) -> list[str]:
        if within := _RANGE.search(term):
            return [pmid for pmid in self.pmids if int(within[1]) <= int(pmid) <= int(within[2])]
        return [] if "nothing" in term else list(self.pmids)

    def _article(self, pmid: str) -> str:
        if pmid in self.books:
            return (
                f'<PubmedBookArticle><BookDocument><PMID Version="1">{pmid}</PMID></BookDocument></PubmedBookArticle>'
            )
        case = '<AbstractText Label="CASE">A cook – 52 years old – hiccuped.</AbstractText>'
        outcome = f'<AbstractText Label="OUTCOME">After {pmid} seconds it was over (p &lt; 0.05).</AbstractText>'
        abstract = "" if pmid in self.without_abstract else f"<Abstract>{case}{outcome}</Abstract>"
        return (
            f'<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="1">{pmid}</PMID><Article>'
            f"<Journal><JournalIssue><PubDate><Year>2025</Year></PubDate></JournalIssue>"
            f"<Title>Annals of Invented Cases</Title></Journal><ArticleTitle>Hiccups no. {pmid}</ArticleTitle>"
            f"{abstract}<AuthorList><Author><LastName>Ek</LastName><ForeName>Bo</ForeName></Author></AuthorList>"
            f"<PublicationTypeList><PublicationType>Case Reports</PublicationType></PublicationTypeList></Article>"
            f'</MedlineCitation><PubmedData><ArticleIdList><ArticleId IdType="doi">10.5555/aic.{pmid}</ArticleId>'
            f"</ArticleIdList></PubmedData></PubmedArticle>"
        )

    def _result(self, pmid: str) -> dict[str, Any]:
        abstract = {} if pmid in self.without_abstract else {"abstractText": f"A cook hiccuped for {pmid} seconds."}
        return {
            "id": pmid,
            "source": "MED",
            "pmid": pmid,
            "doi": f"10.5555/aic.{pmid}",
            "title": f"Hiccups no. {pmid}",
            "authorString": "Ek B.",
            "authorList": {"author": [{"fullName": "Ek B", "firstName": "Bo", "lastName": "Ek", "initials": "B"}]},
            "journalInfo": {"volume": "3", "yearOfPublication": 2025, "journal": {"title": "Annals of Invented Cases"}},
            "pubYear": "2025",
            "pubTypeList": {"pubType": ["Case Reports", "Journal Article"]},
            "isOpenAccess": "N",
            **abstract,
        }


@contextmanager
def run_literature_server(count: int) -> Iterator[LiteratureServer]:
    server = LiteratureServer(count)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def answers(status: int, body: str = "", **headers: str) -> Fault:
    """Sends this status and body."""
    return lambda handler, _: handler.send(body.encode(), status, **headers)


def cut_off(handler: Handler, body: bytes) -> None:
    """Closes the connection within the answer."""
    handler.send(body[: len(body) // 2], length=len(body))
    handler.close_connection = True


def half(handler: Handler, body: bytes) -> None:
    """Sends half of the answer as if it were complete."""
    handler.send(body[: len(body) // 2])


def drops(handler: Handler, _: bytes) -> None:
    """Closes the connection without an answer."""
    handler.close_connection = True


def stalls(seconds: float) -> Fault:
    """Delays the answer."""

    def stall(handler: Handler, body: bytes) -> None:
        threading.Event().wait(seconds)
        handler.send(body)

    return stall
