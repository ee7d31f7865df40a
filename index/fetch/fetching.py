"""Fetches the records that a query finds to a file, page by page, and reports what became of each."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from index.errors import WrongUseError
from index.fetch.errors import FetchFailedError, ServiceFault, ServiceRefusal
from index.fetch.output import FetchOutput, FetchRequest, FetchState
from index.fetch.settings import FetchSettings, fetch_settings
from index.fetch.source import Source

if TYPE_CHECKING:
    from index.progress import Progress

SourceName = Literal["pubmed", "europepmc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchReport:
    """What became of the records that a query found.

    `found` is the count of the source. `fetched` records are in the file; `without_abstract` and `rejected` (for other
    reasons) ones are in the file at `rejected_path`, with reasons; `missing` ones were counted by the source, but not
    returned. `warnings` say how the source treated parts of the query that it did not recognise. `seconds` is the time
    of this call; the counts are those of the whole fetch, including earlier calls.
    """

    query: str
    source: str
    output: str
    found: int
    fetched: int
    without_abstract: int
    rejected: int
    missing: int
    rejected_path: str | None
    warnings: tuple[str, ...]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON types."""
        return asdict(self)


def fetch_records(
    query: str,
    output: str | Path,
    *,
    source: SourceName = "pubmed",
    max_records: int | None = None,
    email: str | None = None,
    progress: Progress | None = None,
) -> FetchReport:
    """Fetch what a query finds in PubMed or Europe PMC to a JSONL file that `build_index` reads.

    The file grows page by page. If a fetch fails or is killed, the same call continues it with the same result.
    `email` is required for PubMed, here or in the settings.

    Raises:
        WrongUseError: the query, a setting or the file cannot be used.
        FetchFailedError: the source fails in spite of retries, or the file cannot be written.
    """
    if not query.strip():
        raise WrongUseError("the query is empty", remedy="give a query as on the website of the source")
    if max_records is not None and max_records < 1:
        raise WrongUseError(f"the maximum number of records is {max_records}", remedy="ask for 1 or more")
    started = time.monotonic()
    request = FetchRequest(source=source, query=query.strip(), max_records=max_records)
    with (
        closing(_open_source(source, fetch_settings(email))) as service,
        FetchOutput.open(Path(output), request) as file,
        _failures_explained(file),
    ):
        state = _fetch(service, request, file, progress)
    return _report(state, file, time.monotonic() - started)


def _open_source(name: str, settings: FetchSettings) -> Source:
    from index.fetch.europe_pmc import EuropePmc
    from index.fetch.pubmed import PubMed

    sources: dict[str, type[PubMed | EuropePmc]] = {"pubmed": PubMed, "europepmc": EuropePmc}
    if name not in sources:
        raise WrongUseError(f"unknown source {name!r}", remedy=f"use one of {', '.join(sources)}")
    return sources[name](settings)


def _fetch(service: Source, request: FetchRequest, file: FetchOutput, progress: Progress | None) -> FetchState:
    state = file.state or file.begin(request, service.search(request.query, request.max_records))
    while state.position is not None and not state.is_finished:
        if progress:
            progress(f"fetching from {service.name}", state.done, state.wanted)
        page = service.next_page(request.query, state.position, state.wanted - state.done)
        state = file.append(state, page)
    if progress:
        progress(f"fetching from {service.name}", state.done, state.wanted)
    return state


@contextmanager
def _failures_explained(file: FetchOutput) -> Iterator[None]:
    """Convert errors to FetchFailedError, with the number of saved records and a remedy."""
    try:
        yield
    except ServiceRefusal as refusal:
        remedy = "check the query and the API key, if there is one; or try again later"
        raise FetchFailedError(f"{refusal}; {_count_saved(file)}", remedy=remedy) from refusal
    except ServiceFault as fault:
        remedy = "run the same command later to continue"
        raise FetchFailedError(f"{fault}; {_count_saved(file)}", remedy=remedy) from fault
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise FetchFailedError(
            f"cannot write {file.path}: {reason}; {_count_saved(file)}",
            remedy="make room and run the same command to continue",
        ) from error


def _count_saved(file: FetchOutput) -> str:
    return f"{file.state.fetched} records are saved in {file.path}" if file.state else "nothing was fetched yet"


def _report(state: FetchState, file: FetchOutput, seconds: float) -> FetchReport:
    return FetchReport(
        query=state.request.query,
        source=state.request.source,
        output=str(file.path),
        found=state.found,
        fetched=state.fetched,
        without_abstract=state.without_abstract,
        rejected=state.rejected,
        missing=max(0, state.wanted - state.done),
        rejected_path=str(file.rejected_path) if state.rejected_bytes else None,
        warnings=state.warnings,
        seconds=round(seconds, 3),
    )
