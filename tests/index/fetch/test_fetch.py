"""Records fetched from a server that speaks as PubMed and Europe PMC do: all of them, politely, whatever goes wrong."""

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

from assistant.cli.fetch_command import fetch
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
    """The server, asked in place of PubMed and Europe PMC by all that reads the settings."""
    with run_literature_server(COUNT) as server:
        for name, value in server.settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("CASECITE_EMAIL", "ann@example.org")
        monkeypatch.setattr("index.fetch.pubmed.PAGE_RECORDS", PAGE)
        monkeypatch.setattr("index.fetch.europe_pmc.PAGE_RECORDS", PAGE)
        yield server


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses take no time, but the clocks go on as if they had; here is how long they were."""
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
def test_every_record_found_is_a_line_that_is_read_back_as_the_same_record(
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


def seconds_for(server: LiteratureServer, count: int) -> float:
    """The shortest time in which the server got so many requests after one."""
    times = [request.at for request in server.requests]
    assert len(times) > count
    return min(last - first for first, last in zip(times, times[count:], strict=False))


def test_pubmed_gets_at_most_three_requests_a_second(
    library: LiteratureServer, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the real clock."""
    monkeypatch.setattr("index.fetch.pubmed.PAGE_RECORDS", 5)
    fetch_records(QUERY, output)
    assert seconds_for(library, 3) >= 1


@pytest.mark.parametrize(("source", "key", "allowed"), [("pubmed", KEY, 10), ("europepmc", "", 3)])
@pytest.mark.usefixtures("pauses")
def test_no_second_holds_more_requests_than_are_allowed(
    source: Any, key: str, allowed: int, library: LiteratureServer, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASECITE_NCBI_API_KEY", key)
    for name in ("pubmed", "europe_pmc"):
        monkeypatch.setattr(f"index.fetch.{name}.PAGE_RECORDS", 2)
    fetch_records(QUERY, output, source=source)
    assert 1 <= seconds_for(library, allowed) < 1.5


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
def test_what_fails_now_and_then_is_asked_again(
    fault: Fault, source: Any, library: LiteratureServer, output: Path
) -> None:
    library.faults = [fault, None, fault, None, fault, fault]
    report = fetch_records(QUERY, output, source=source)
    assert report.fetched == COUNT
    assert pmids_in(output) == library.pmids


@pytest.mark.usefixtures("pauses")
def test_a_slow_answer_is_not_waited_for_for_ever(
    library: LiteratureServer, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "TIMEOUT_S", 0.2)
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
    assert "asked again in 47 s" in caplog.text


def test_a_service_may_name_the_time_at_which_to_come_back(
    library: LiteratureServer, output: Path, pauses: list[float]
) -> None:
    library.faults = [answers(503, "", Retry_After=formatdate(time.time() + 40, usegmt=True))]
    fetch_records(QUERY, output)
    assert 30 < max(pauses) <= 40


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.usefixtures("pauses")
def test_what_goes_on_failing_ends_with_what_is_safe_and_the_same_call_goes_on(
    source: Any, library: LiteratureServer, output: Path
) -> None:
    library.faults = [None, None, *[cut_off] * service.TRIES]
    with pytest.raises(FetchFailedError, match=r"the connection failed: .*; 10 records are safe in .*same command"):
        fetch_records(QUERY, output, source=source)
    assert pmids_in(output) == library.pmids[:10]
    asked = len(library.requests)
    assert fetch_records(QUERY, output, source=source).fetched == COUNT
    assert pmids_in(output) == library.pmids
    assert len(library.requests) == asked + 2  # what is there is not fetched again, nor searched for
    assert leftovers(output) == set()


@pytest.mark.usefixtures("pauses")
def test_a_long_pause_that_is_asked_for_is_left_to_the_user(library: LiteratureServer, output: Path) -> None:
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
def test_no_is_an_answer(refusal: Fault, message: str, library: LiteratureServer, output: Path) -> None:
    library.faults = [refusal] * service.TRIES
    with pytest.raises(FetchFailedError, match=f"{message}; nothing was fetched yet .*check the query and the API key"):
        fetch_records(QUERY, output)
    assert len(library.requests) == service.TRIES_IF_REFUSED
    assert leftovers(output) == set()


def test_the_api_key_is_sent_and_stands_nowhere_else(
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
def test_where_the_history_is_gone_the_numbers_are_asked_for(
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
def test_a_fetch_goes_on_with_what_was_found_when_it_began(library: LiteratureServer, output: Path) -> None:
    before = list(library.pmids)
    library.faults = [None, None, *[drops] * service.TRIES]
    with pytest.raises(FetchFailedError):
        fetch_records(QUERY, output)
    library.pmids = ["30099999", *before]  # as on the next day, when the history is gone, too
    library.histories = {}
    assert fetch_records(QUERY, output).fetched == COUNT
    assert pmids_in(output) == before


@pytest.mark.usefixtures("pauses")
def test_more_than_pubmed_lists_is_searched_by_ranges_of_numbers(
    library: LiteratureServer, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubmed, "MAX_LISTED", 4)
    library.max_listed = 4
    assert fetch_records(QUERY, output).fetched == COUNT
    assert pmids_in(output) == library.pmids
    assert all(asked["term"].startswith(f"({QUERY}) AND ") for asked in library.asked("esearch.fcgi")[1:])


@pytest.mark.usefixtures("pauses")
def test_of_ranges_no_more_is_read_than_is_asked_for(
    library: LiteratureServer, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubmed, "MAX_LISTED", 4)
    library.max_listed = 4
    assert fetch_records(QUERY, output, max_records=9).fetched == 9
    assert pmids_in(output) == library.pmids[:9]


@pytest.mark.usefixtures("pauses")
def test_what_becomes_no_record_is_counted_and_kept_with_its_reason(library: LiteratureServer, output: Path) -> None:
    bare, withdrawn, book = library.pmids[3], library.pmids[7], library.pmids[12]
    library.without_abstract, library.withdrawn, library.books = {bare}, {withdrawn}, {book}
    report = fetch_records(QUERY, output)
    counts = (report.found, report.fetched, report.without_abstract, report.rejected, report.missing)
    assert counts == (COUNT, COUNT - 3, 1, 2, 0)
    rejected = read_lines(Path(report.rejected_path or ""))
    assert [line["reason"].partition(":")[0] for line in rejected] == [f"PMID {n}" for n in (bare, withdrawn, book)]
    assert [line["reason"].partition(": ")[2][:22] for line in rejected] == [
        "no text",
        *["PubMed gives no articl"] * 2,
    ]
    assert list(read_records([output.parent])) == records_in(output)  # the other files are not read for records


@pytest.mark.usefixtures("pauses")
def test_records_of_europe_pmc_without_an_abstract_are_counted(library: LiteratureServer, output: Path) -> None:
    library.without_abstract = set(library.pmids[:2])
    report = fetch_records(QUERY, output, source="europepmc")
    assert (report.fetched, report.without_abstract) == (COUNT - 2, 2)


@pytest.mark.usefixtures("pauses")
def test_records_that_europe_pmc_counts_and_does_not_give_are_missing(library: LiteratureServer, output: Path) -> None:
    def shrink(request: Request) -> None:
        if request.parameters["cursorMark"] == "AoJ20":
            library.pmids = library.pmids[:20]

    library.before = shrink
    report = fetch_records(QUERY, output, source="europepmc")
    assert (report.found, report.fetched, report.missing) == (COUNT, 20, 5)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.usefixtures("pauses")
def test_nothing_found_is_an_empty_file(source: Any, library: LiteratureServer, output: Path) -> None:
    report = fetch_records("nothing[tiab]", output, source=source)
    assert (report.found, report.fetched) == (0, 0)
    assert output.read_bytes() == b""
    assert source == "europepmc" or report.warnings == ("nothing: found nowhere",)
    assert len(library.requests) == 1


@pytest.mark.usefixtures("library", "pauses")
def test_a_finished_file_is_not_written_again(output: Path) -> None:
    fetch_records(QUERY, output)
    whole = output.read_bytes()
    with pytest.raises(WrongUseError, match=r"new\.jsonl is there already and is no unfinished fetch \(remove it"):
        fetch_records(QUERY, output)
    assert output.read_bytes() == whole


@pytest.mark.usefixtures("pauses")
def test_an_unfinished_file_takes_no_other_fetch(library: LiteratureServer, output: Path) -> None:
    library.faults = [None, None, *[drops] * service.TRIES]
    with pytest.raises(FetchFailedError):
        fetch_records(QUERY, output)
    held = output.read_bytes()
    for change in ({"query": "denosumab"}, {"max_records": 7}, {"source": "europepmc"}):
        with pytest.raises(WrongUseError, match=r"is an unfinished fetch of romosozumab\[tiab\] .*\(pubmed\)"):
            fetch_records(**({"query": QUERY, "output": output} | change))
    assert output.read_bytes() == held
    output.write_bytes(held[:-5])
    with pytest.raises(WrongUseError, match=rf"has {len(held) - 5:,} bytes, the fetch left {len(held):,} .*remove"):
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
def test_a_full_disk_is_told_and_the_same_call_goes_on(
    library: LiteratureServer, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        library.before = lambda request: disk.setattr(os, "fsync", fill) if is_second_page(request) else None
        with pytest.raises(FetchFailedError, match="No space left on device; 10 records are safe in"):
            fetch_records(QUERY, output)
    library.before = lambda request: None
    assert fetch_records(QUERY, output).fetched == COUNT
    assert pmids_in(output) == library.pmids


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": " "}, "the query is empty"),
        ({"max_records": 0}, "at most 0 records are none"),
        ({"email": "ann"}, "no e-mail address: 'ann' .*--email or CASECITE_EMAIL"),
        ({"source": "scopus"}, "no source 'scopus' .*pubmed, europepmc"),
        ({"output": "."}, "no records can be written to"),
        ({"output": "nowhere/new.jsonl"}, "no records can be written to"),
    ],
)
def test_what_cannot_be_fetched_is_refused_before_anything_is_asked(
    arguments: dict[str, Any], message: str, library: LiteratureServer, output: Path
) -> None:
    with pytest.raises(WrongUseError, match=message):
        fetch_records(**({"query": QUERY, "output": output} | arguments))
    assert not library.requests


@pytest.mark.usefixtures("library")
def test_pubmed_needs_an_e_mail_address(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CASECITE_EMAIL")
    with pytest.raises(WrongUseError, match=r"NCBI asks for your e-mail address .*give --email or CASECITE_EMAIL"):
        fetch_records(QUERY, output)


@pytest.mark.usefixtures("library", "pauses")
def test_biopythons_own_settings_are_left_alone(output: Path) -> None:
    from Bio import Entrez

    before = {name: getattr(Entrez, name) for name in ("email", "tool", "api_key", "max_tries", "urlopen")}
    fetch_records(QUERY, output)
    assert {name: getattr(Entrez, name) for name in before} == before


@pytest.mark.usefixtures("library", "pauses")
def test_progress_counts_records(output: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    fetch_records(QUERY, output, progress=lambda *step: seen.append(step))
    assert seen == [("fetching from PubMed", done, COUNT) for done in (0, 10, 20, 25)]


@pytest.mark.usefixtures("pauses")
def test_the_command_says_what_became_of_every_record(library: LiteratureServer, output: Path) -> None:
    library.without_abstract = {library.pmids[0]}
    app = typer.Typer()
    app.command()(fetch)
    told = CliRunner().invoke(app, [QUERY, "--max", "12", "-o", str(output)], catch_exceptions=False)
    assert told.stdout.startswith(f"11 records in {output}, ")
    assert f"found {COUNT}, without an abstract 1, rejected 0, not given 0" in told.stdout
    assert str(output.with_name(".new.jsonl.rejected")) in told.stdout
    options = ["nothing", "--source", "pubmed", "--json", "-o", str(output.with_name("none.jsonl"))]
    told = CliRunner().invoke(app, options, catch_exceptions=False)
    assert json.loads(told.stdout)["found"] == 0
    assert "casecite: nothing: found nowhere" in told.stderr


@pytest.mark.usefixtures("pauses")
def test_the_command_can_be_stopped_and_says_how_to_go_on(
    library: LiteratureServer, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    app = typer.Typer()
    app.command()(fetch)
    with monkeypatch.context() as user:
        library.before = lambda request: user.setattr(os, "fsync", stop) if is_second_page(request) else None
        told = CliRunner().invoke(app, [QUERY, "-o", str(output)], catch_exceptions=False)
    assert told.exit_code == 130
    assert "stopped; the same command goes on" in told.stderr
    library.before = lambda request: None
    assert fetch_records(QUERY, output).fetched == COUNT
    assert pmids_in(output) == library.pmids


@pytest.mark.parametrize("source", SOURCES)
def test_a_killed_fetch_goes_on_and_ends_with_the_same_file(
    source: Any, library: LiteratureServer, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while a page is on its way, then in the middle of a line, as a cut-off write leaves it."""
    library.without_abstract = set(library.pmids[9:11])
    script = (
        "import sys; from index.fetch import fetch_records, pubmed, europe_pmc;"
        f"pubmed.PAGE_RECORDS = europe_pmc.PAGE_RECORDS = {PAGE};"
        f"print(fetch_records({QUERY!r}, sys.argv[1], source={source!r}))"
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
    report = fetch_records(QUERY, output, source=source)
    assert (report.fetched, report.without_abstract) == (COUNT - 2, 2)
    undisturbed = output.with_name("undisturbed.jsonl")
    again = fetch_records(QUERY, undisturbed, source=source)
    assert output.read_bytes() == undisturbed.read_bytes()
    assert Path(report.rejected_path or "").read_bytes() == Path(again.rejected_path or "").read_bytes()
