"""Records are fetched completely, within the rate limits and in spite of faults, from a server that imitates PubMed."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from assistant.cli.index_commands import fetch
from index import Record, read_records
from index.errors import WrongUseError
from index.fetch import FetchFailedError, fetch_records, pubmed, service
from tests.conftest import ROOT
from tests.support.literature_server import (
    Fault,
    LiteratureServer,
    Request,
    answers,
    cut_off,
    drops,
    half,
    run_literature_server,
    stalls,
)

QUERY = "romosozumab[tiab] AND case reports[pt]"
COUNT = 25
PAGE = 10  # records, in most tests
KEY = "secret0key0of0mine"
HTML = "<!DOCTYPE html><html><head><title>NCBI</title></head><body><h1>Server Error</h1></body></html>"
SOURCES = ("pubmed", "europepmc")


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[LiteratureServer]:
    """The server that the settings name in place of PubMed and Europe PMC."""
    with run_literature_server(COUNT) as server:
        for name, value in server.settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("CASECITE_EMAIL", "ann@example.org")
        monkeypatch.setattr("index.fetch.pubmed.PAGE_RECORDS", PAGE)
        monkeypatch.setattr("index.fetch.europe_pmc.PAGE_RECORDS", PAGE)
        yield server


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses made; they take no time, but the clocks advance by them."""
    slept: list[float] = []
    for name in ("time", "monotonic"):
        clock = getattr(time, name)
        monkeypatch.setattr(time, name, lambda clock=clock: clock() + sum(slept))
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "new.jsonl"


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def records_in(path: Path) -> list[Record]:
    return [Record.from_dict(line) for line in read_lines(path)]


def pmids_in(path: Path) -> list[str]:
    return [line["pmid"] for line in read_lines(path)]


def is_second_page(request: Request) -> bool:
    return request.parameters.get("retstart") == str(PAGE) or request.parameters.get("cursorMark") == f"AoJ{PAGE}"


def leftovers(output: Path) -> set[str]:
    return {path.name for path in output.parent.iterdir()} - {output.name}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.usefixtures("pauses")
def test_every_record_found_is_a_line_that_reads_back_as_the_same_record(
    source: Any, library: LiteratureServer, output: Path
) -> None:
    report = fetch_records(QUERY, output, source=source)
    assert (report.found, report.fetched, report.missing) == (COUNT, COUNT, 0)
    assert pmids_in(output) == library.pmids
    assert list(read_records([output])) == records_in(output)
    assert leftovers(output) == set()


@pytest.mark.usefixtures("pauses")
def test_records_are_those_of_pubmeds_xml_saved_to_a_file(library: LiteratureServer, output: Path) -> None:
    fetch_records(QUERY, output)
    saved = output.with_name("saved.xml")
    saved.write_text(library.article_set(library.pmids), "utf-8")
    from_file = [record for record in read_records([saved]) if isinstance(record, Record)]
    assert records_in(output) == from_file
    assert [section.label for section in from_file[0].sections] == ["CASE", "OUTCOME"]


@pytest.mark.usefixtures("pauses")
def test_pubmed_is_searched_once_and_read_from_the_history_with_a_name_and_an_address(
    library: LiteratureServer, output: Path
) -> None:
    fetch_records(QUERY, output, max_records=23)
    (search,) = library.asked("esearch.fcgi")
    assert search["term"] == QUERY
    assert (search["usehistory"], search["retmax"]) == ("y", "23")
    pages = library.asked("efetch.fcgi")
    assert [(page["WebEnv"], page["query_key"]) for page in pages] == [("MCID_0", "1")] * 3
    assert [(page["retstart"], page["retmax"]) for page in pages] == [("0", "10"), ("10", "10"), ("20", "3")]
    assert {(asked["tool"], asked["email"]) for asked in (search, *pages)} == {("casecite", "ann@example.org")}
    assert pmids_in(output) == library.pmids[:23]


@pytest.mark.usefixtures("pauses")
def test_europe_pmc_is_read_by_cursor_marks_by_a_named_client(library: LiteratureServer, output: Path) -> None:
    fetch_records(QUERY, output, source="europepmc", max_records=23)
    pages = library.asked("search")[1:]  # the first one counts
    assert [(page["cursorMark"], page["pageSize"]) for page in pages] == [("*", "10"), ("AoJ10", "10"), ("AoJ20", "3")]
    assert {(page["query"], page["resultType"], page["format"]) for page in pages} == {(QUERY, "core", "json")}
    assert library.requests[0].headers["User-Agent"].startswith("casecite/")
    assert "ann@example.org" in library.requests[0].headers["User-Agent"]


@pytest.mark.parametrize(("source", "key", "allowed"), [("pubmed", "", 3), ("pubmed", KEY, 10), ("europepmc", "", 3)])
@pytest.mark.usefixtures("pauses")
def test_no_second_holds_more_requests_than_are_allowed(
    source: Any, key: str, allowed: int, library: LiteratureServer, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASECITE_NCBI_API_KEY", key)
    for name in ("pubmed", "europe_pmc"):
        monkeypatch.setattr(f"index.fetch.{name}.PAGE_RECORDS", 2)
    fetch_records(QUERY, output, source=source)
    times = [request.at for request in library.requests]
    assert 1 <= min(last - first for first, last in zip(times, times[allowed:], strict=False)) < 1.5


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(answers(500, HTML), id="500"),
        pytest.param(answers(503), id="503"),
        pytest.param(answers(429, '{"error":"API rate limit exceeded","api-key":"127.0.0.1","count":"4"}'), id="429"),
        pytest.param(answers(200, HTML), id="HTML"),
        pytest.param(answers(200, '{"error":"API rate limit exceeded"}'), id="error in JSON"),
        pytest.param(answers(200, "<eFetchResult><ERROR>Empty result</ERROR></eFetchResult>"), id="error in XML"),
        pytest.param(answers(200, ""), id="nothing"),
        pytest.param(answers(200, '{"esearchresult": {"count": "25", "idlist": []}}'), id="a list left out"),
        pytest.param(cut_off, id="cut off"),
        pytest.param(half, id="half"),
        pytest.param(drops, id="dropped"),
    ],
)
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.usefixtures("pauses")
def test_failed_requests_are_retried(fault: Fault, source: Any, library: LiteratureServer, output: Path) -> None:
    library.faults = [fault, None, fault, None, fault, fault]
    report = fetch_records(QUERY, output, source=source)
    assert report.fetched == COUNT
    assert pmids_in(output) == library.pmids


@pytest.mark.usefixtures("pauses")
def test_a_slow_request_times_out_and_is_retried(
    library: LiteratureServer, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "REQUEST_TIMEOUT_S", 0.2)
    library.faults = [None, stalls(0.5)]
    assert fetch_records(QUERY, output).fetched == COUNT


def test_pauses_grow_and_are_as_long_as_the_service_asks(
    library: LiteratureServer, output: Path, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    library.faults = [answers(503), answers(503), answers(503), answers(429, "", Retry_After="47")]
    fetch_records(QUERY, output)
    first, second, third, asked = [pause for pause in pauses if pause >= 1]
    assert 1 <= first < second < third < asked
    assert asked == 47
    assert "PubMed: HTTP 429" in caplog.text
    assert "retry in 47 s" in caplog.text


def test_a_service_may_ask_for_a_retry_at_a_time(library: LiteratureServer, output: Path, pauses: list[float]) -> None:
    library.faults = [answers(503, "", Retry_After=formatdate(time.time() + 40, usegmt=True))]
    fetch_records(QUERY, output)
    assert 30 < max(pauses) <= 40


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.usefixtures("pauses")
def test_a_permanent_fault_ends_the_fetch_and_the_same_call_continues_it(
    source: Any, library: LiteratureServer, output: Path
) -> None:
    library.faults = [None, None, *[cut_off] * service.TRIES]
    with pytest.raises(FetchFailedError, match=r"connection failed: .*; 10 records are saved in .*same command"):
        fetch_records(QUERY, output, source=source)
    assert pmids_in(output) == library.pmids[:10]
    asked = len(library.requests)
    assert fetch_records(QUERY, output, source=source).fetched == COUNT
    assert pmids_in(output) == library.pmids
    assert len(library.requests) == asked + 2  # neither the first page nor the search is repeated
    assert leftovers(output) == set()


@pytest.mark.usefixtures("pauses")
def test_a_request_for_a_long_pause_ends_the_fetch(library: LiteratureServer, output: Path) -> None:
    library.faults = [answers(429, "", Retry_After="3600")]
    with pytest.raises(FetchFailedError, match=r"HTTP 429 .*asks for a pause of 3600 s; nothing was fetched yet"):
        fetch_records(QUERY, output)
    assert len(library.requests) == 1
    assert not output.exists()


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (answers(400, '{"error":"API key invalid","api-key":"x"}'), "HTTP 400 Bad Request, API key invalid"),
        (
            answers(200, '{"esearchresult":{"ERROR":"Search Backend failed:\n (("}}'),
            r"PubMed: Search Backend failed: \(\(",
        ),
        (answers(307, "", Location="http://127.0.0.1:9/"), "HTTP 307 Temporary Redirect"),
    ],
)
@pytest.mark.usefixtures("pauses")
def test_refused_requests_fail_after_fewer_tries(
    refusal: Fault, message: str, library: LiteratureServer, output: Path
) -> None:
    library.faults = [refusal] * service.TRIES
    with pytest.raises(FetchFailedError, match=f"{message}; nothing was fetched yet .*check the query and the API key"):
        fetch_records(QUERY, output)
    assert len(library.requests) == service.TRIES_IF_REFUSED
    assert leftovers(output) == set()


def test_the_api_key_is_sent_and_appears_nowhere_else(
    library: LiteratureServer,
    output: Path,
    pauses: list[float],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("CASECITE_NCBI_API_KEY", KEY)
    echo = answers(400, f'{{"error":"no such key: {KEY}"}}')
    library.faults = [answers(429), None, None, *[echo] * 10]
    with pytest.raises(FetchFailedError) as failure:
        fetch_records(QUERY, output)
    assert {asked["api_key"] for asked in (request.parameters for request in library.requests)} == {KEY}
    assert pauses
    written = b"".join(path.read_bytes() for path in output.parent.iterdir())
    assert KEY not in str(failure.value) + str(failure.value.__cause__) + caplog.text
    assert KEY.encode() not in written
    assert len(written) > 1_000


@pytest.mark.parametrize("lost", ["refused", "other records"])
@pytest.mark.usefixtures("pauses")
def test_without_a_valid_history_articles_are_requested_by_pmid(
    lost: str, library: LiteratureServer, output: Path
) -> None:
    def lose(request: Request) -> None:
        if is_second_page(request):
            library.histories = {} if lost == "refused" else {"MCID_0": library.pmids[5:] + library.pmids[:5]}

    library.before = lose
    assert fetch_records(QUERY, output).fetched == COUNT
    assert pmids_in(output) == library.pmids
    assert library.asked("efetch.fcgi")[-1]["id"] == ",".join(library.pmids[20:])


@pytest.mark.usefixtures("pauses")
def test_a_continued_fetch_reads_the_results_of_its_first_search(library: LiteratureServer, output: Path) -> None:
    before = list(library.pmids)
    library.faults = [None, None, *[drops] * service.TRIES]
    with pytest.raises(FetchFailedError):
        fetch_records(QUERY, output)
    library.pmids = ["30099999", *before]  # as on the next day, when the history has expired, too
    library.histories = {}
    assert fetch_records(QUERY, output).fetched == COUNT
    assert pmids_in(output) == before


@pytest.mark.parametrize("count", [COUNT, 9])
@pytest.mark.usefixtures("pauses")
def test_more_records_than_pubmed_lists_are_searched_by_ranges_of_pmids(
    count: int, library: LiteratureServer, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubmed, "MAX_LISTED", 4)
    library.max_listed = 4
    assert fetch_records(QUERY, output, max_records=count).fetched == count
    assert pmids_in(output) == library.pmids[:count]
    assert all(asked["term"].startswith(f"({QUERY}) AND ") for asked in library.asked("esearch.fcgi")[1:])


@pytest.mark.usefixtures("pauses")
def test_rejected_records_are_counted_and_kept_with_their_reasons(library: LiteratureServer, output: Path) -> None:
    bare, withdrawn, book = library.pmids[3], library.pmids[7], library.pmids[12]
    library.without_abstract, library.withdrawn, library.books = {bare}, {withdrawn}, {book}
    report = fetch_records(QUERY, output)
    counts = (report.found, report.fetched, report.without_abstract, report.rejected, report.missing)
    assert counts == (COUNT, COUNT - 3, 1, 2, 0)
    rejected = read_lines(Path(report.rejected_path or ""))
    assert [line["reason"].partition(":")[0] for line in rejected] == [f"PMID {n}" for n in (bare, withdrawn, book)]
    reasons = [line["reason"].partition(": ")[2] for line in rejected]
    assert reasons == ["no text", *["PubMed returned no article (it may be a book chapter)"] * 2]
    assert list(read_records([output.parent])) == records_in(output)  # the other files are not read for records


@pytest.mark.usefixtures("pauses")
def test_records_of_europe_pmc_without_an_abstract_and_missing_ones_are_counted(
    library: LiteratureServer, output: Path
) -> None:
    def shrink(request: Request) -> None:
        if request.parameters["cursorMark"] == "AoJ20":
            library.pmids = library.pmids[:20]

    library.before = shrink
    library.without_abstract = set(library.pmids[:2])
    report = fetch_records(QUERY, output, source="europepmc")
    assert (report.found, report.fetched, report.without_abstract, report.missing) == (COUNT, 18, 2, 5)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.usefixtures("pauses")
def test_nothing_found_is_an_empty_file(source: Any, library: LiteratureServer, output: Path) -> None:
    report = fetch_records("nothing[tiab]", output, source=source)
    assert (report.found, report.fetched) == (0, 0)
    assert output.read_bytes() == b""
    assert source == "europepmc" or report.warnings == ("nothing: not found",)
    assert len(library.requests) == 1


@pytest.mark.usefixtures("library", "pauses")
def test_a_finished_file_is_not_written_again(output: Path) -> None:
    fetch_records(QUERY, output)
    whole = output.read_bytes()
    with pytest.raises(WrongUseError, match=r"new\.jsonl exists and is no unfinished fetch \(remove it"):
        fetch_records(QUERY, output)
    assert output.read_bytes() == whole


@pytest.mark.usefixtures("pauses")
def test_an_unfinished_file_is_closed_to_other_fetches(library: LiteratureServer, output: Path) -> None:
    library.faults = [None, None, *[drops] * service.TRIES]
    with pytest.raises(FetchFailedError):
        fetch_records(QUERY, output)
    held = output.read_bytes()
    for change in ({"query": "denosumab"}, {"max_records": 7}, {"source": "europepmc"}):
        with pytest.raises(WrongUseError, match=r"is an unfinished fetch of romosozumab\[tiab\] .*\(pubmed\)"):
            fetch_records(**({"query": QUERY, "output": output} | change))
    assert output.read_bytes() == held
    output.write_bytes(held[:-5])
    with pytest.raises(WrongUseError, match=rf"has {len(held) - 5:,} bytes, but the fetch wrote {len(held):,}"):
        fetch_records(QUERY, output)
    output.unlink()
    assert fetch_records("denosumab", output).fetched == COUNT


@pytest.mark.usefixtures("pauses")
def test_two_fetches_do_not_write_one_file(library: LiteratureServer, output: Path) -> None:
    refusals = []

    def fetch_too(request: Request) -> None:
        if is_second_page(request):
            with pytest.raises(
                FetchFailedError, match=r"another fetch is writing .*wait until it has finished"
            ) as caught:
                fetch_records(QUERY, output)
            refusals.append(caught.value)

    library.before = fetch_too
    assert fetch_records(QUERY, output).fetched == COUNT
    assert pmids_in(output) == library.pmids
    assert refusals


@pytest.mark.usefixtures("pauses")
def test_a_full_disk_ends_the_fetch_and_the_same_call_continues_it(
    library: LiteratureServer, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        library.before = lambda request: disk.setattr(os, "fsync", fill) if is_second_page(request) else None
        with pytest.raises(FetchFailedError, match="No space left on device; 10 records are saved in"):
            fetch_records(QUERY, output)
    library.before = lambda request: None
    assert fetch_records(QUERY, output).fetched == COUNT
    assert pmids_in(output) == library.pmids


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": " "}, "the query is empty"),
        ({"max_records": 0}, "the maximum number of records is 0"),
        ({"email": "ann"}, "no e-mail address: 'ann' .*--email or CASECITE_EMAIL"),
        ({"email": None}, r"NCBI asks for your e-mail address .*give --email or CASECITE_EMAIL"),
        ({"source": "scopus"}, "unknown source 'scopus' .*pubmed, europepmc"),
        ({"output": "."}, "cannot write records to"),
        ({"output": "nowhere/new.jsonl"}, "cannot write records to"),
    ],
)
def test_invalid_arguments_are_refused_before_any_request(
    arguments: dict[str, Any], message: str, library: LiteratureServer, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "email" in arguments:
        monkeypatch.delenv("CASECITE_EMAIL")
    with pytest.raises(WrongUseError, match=message):
        fetch_records(**({"query": QUERY, "output": output} | arguments))
    assert not library.requests


@pytest.mark.usefixtures("library", "pauses")
def test_progress_counts_records(output: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    fetch_records(QUERY, output, progress=lambda *step: seen.append(step))
    assert seen == [("fetching from PubMed", done, COUNT) for done in (0, 10, 20, 25)]


@pytest.mark.usefixtures("pauses")
def test_the_command_reports_what_became_of_every_record(library: LiteratureServer, output: Path) -> None:
    library.without_abstract = {library.pmids[0]}
    app = typer.Typer()
    app.command()(fetch)
    result = CliRunner().invoke(app, [QUERY, "--max", "12", "-o", str(output)], catch_exceptions=False)
    assert result.stdout.startswith(f"11 records in {output}, ")
    assert f"found {COUNT}, without an abstract 1, rejected 0, not given 0" in result.stdout
    assert str(output.with_name(".new.jsonl.rejected")) in result.stdout
    options = ["nothing", "--source", "pubmed", "--json", "-o", str(output.with_name("none.jsonl"))]
    result = CliRunner().invoke(app, options, catch_exceptions=False)
    assert json.loads(result.stdout)["found"] == 0
    assert "casecite: nothing: not found" in result.stderr


@pytest.mark.usefixtures("pauses")
def test_the_command_can_be_interrupted_and_says_how_to_continue(
    library: LiteratureServer, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    app = typer.Typer()
    app.command()(fetch)
    with monkeypatch.context() as user:
        library.before = lambda request: user.setattr(os, "fsync", stop) if is_second_page(request) else None
        result = CliRunner().invoke(app, [QUERY, "-o", str(output)], catch_exceptions=False)
    assert result.exit_code == 130
    assert "stopped; the same command goes on" in result.stderr
    library.before = lambda request: None
    assert fetch_records(QUERY, output).fetched == COUNT
    assert pmids_in(output) == library.pmids


def test_a_killed_fetch_continues_and_ends_with_the_same_file(
    library: LiteratureServer, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while a page is being sent, then with half a line, as an interrupted write leaves it."""
    library.without_abstract = set(library.pmids[9:11])
    script = (
        f"import sys; from index.fetch import fetch_records, pubmed; pubmed.PAGE_RECORDS = {PAGE};"
        f"fetch_records({QUERY!r}, sys.argv[1])"
    )
    arrived, killed = threading.Event(), threading.Event()

    def stop_here(request: Request) -> None:
        if is_second_page(request) and not arrived.is_set():
            arrived.set()
            killed.wait(30)

    library.before = stop_here
    with subprocess.Popen([sys.executable, "-c", script, str(output)], cwd=ROOT) as child:
        assert arrived.wait(30)
        child.send_signal(signal.SIGKILL)
    killed.set()
    assert pmids_in(output) == library.pmids[:9]
    with output.open("ab") as stream:
        stream.write(b'{"record_id": "doi:10.5555/aic')
    monkeypatch.setattr(time, "sleep", lambda _: None)
    report = fetch_records(QUERY, output)
    assert (report.fetched, report.without_abstract) == (COUNT - 2, 2)
    undisturbed = output.with_name("undisturbed.jsonl")
    again = fetch_records(QUERY, undisturbed)
    assert output.read_bytes() == undisturbed.read_bytes()
    assert Path(report.rejected_path or "").read_bytes() == Path(again.rejected_path or "").read_bytes()
