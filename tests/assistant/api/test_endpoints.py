"""The endpoints for programs: as functions, and served by the page to a real client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from assistant import Assistant, Filters, Turn
from assistant.api.admission import AdmissionControl
from assistant.api.endpoints import Endpoints
from assistant.page.api import add_endpoints
from index import build_index
from index.errors import WrongUseError

BMD = "What was the BMD change under romosozumab?"
ROMOSOZUMAB = "doi:10.21037/acr-24-163"
FILTERS = {"year_from", "year_to", "journals", "publication_types", "open_access_only"}


@pytest.fixture(scope="module")
def endpoints(demo_assistant: Assistant) -> Endpoints:
    return Endpoints(demo_assistant)


@pytest.fixture(scope="module")
def made_endpoints(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """On two records with data that the demo lacks: a section, a PubMed number and a DOI, values to filter by."""
    folder = tmp_path_factory.mktemp("made")
    build_index([_write_records(folder / "records.jsonl")], folder / "index")
    with Assistant.open(folder / "index") as assistant:
        yield Endpoints(assistant)


def _write_records(path: Path) -> Path:
    path.write_text(
        '{"doi": "10.5555/Zinc.1", "pmid": "777001", "title": "Zinc excess and a low copper level", "year": 2019, '
        '"journal": "Journal of Metals", "isOpenAccess": true, "publicationTypes": ["Case Reports"], "retracted": true,'
        '"abstract": "BACKGROUND: Zinc binds copper. CASE: A baker took 80 mg of zinc daily for a year. Her copper '
        'level was 2 umol/L. CONCLUSION: Ask for supplements."}\n'
        '{"pmid": "777002", "title": "A reaction to henna", "year": 2003, "journal": "Skin Notes", '
        '"abstract": "A man had blisters two days after a henna tattoo. They healed within three weeks."}\n',
        "utf-8",
    )
    return path


def test_an_answer_has_statements_tied_to_quotes_that_stand_in_their_records(endpoints: Endpoints) -> None:
    result = asyncio.run(endpoints.ask_case_reports(BMD))
    assert result.status == "answered"
    assert 0 < result.confidence <= 1
    assert any("22.1%" in statement.text for statement in result.statements)
    assert {number for statement in result.statements for number in statement.citations} == {
        citation.number for citation in result.citations
    }
    for citation in result.citations:
        record = asyncio.run(endpoints.get_record(citation.record_id))
        assert citation.field == "abstract"
        assert record.abstract[citation.start : citation.end] == citation.quote
        assert (citation.title, citation.doi, citation.is_digest) == (record.title, record.doi, True)


def test_insufficient_evidence_is_a_result(endpoints: Endpoints) -> None:
    result = asyncio.run(endpoints.ask_case_reports("How was dupilumab conjunctivitis treated?"))
    assert (result.status, result.answer) == ("insufficient_evidence", "These reports don't say.")
    assert (result.statements, result.citations) == ((), ())


def test_a_citation_names_its_section_and_warns_of_a_retraction(made_endpoints: Endpoints) -> None:
    result = asyncio.run(made_endpoints.ask_case_reports("How much zinc did the baker take daily?"))
    (citation,) = [citation for citation in result.citations if "80 mg" in citation.quote]
    assert (citation.section, citation.retracted, citation.pmid) == ("CASE", True, "777001")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        pytest.param({}, {"doi:10.5555/zinc.1", "pmid:777002"}, id="none"),
        pytest.param({"year_from": 2010}, {"doi:10.5555/zinc.1"}, id="from"),
        pytest.param({"year_to": 2010}, {"pmid:777002"}, id="to"),
        pytest.param({"journals": ["skin notes"]}, {"pmid:777002"}, id="journal"),
        pytest.param({"publication_types": ["Case Reports"]}, {"doi:10.5555/zinc.1"}, id="publication type"),
        pytest.param({"open_access_only": True}, {"doi:10.5555/zinc.1"}, id="open access"),
    ],
)
def test_filters_hold_for_search_and_answer(made_endpoints: Endpoints, filters: dict[str, Any], found: set) -> None:
    result = asyncio.run(made_endpoints.search_case_reports("henna or zinc", **filters))
    assert {record.record_id for record in result.records} == found
    answer = asyncio.run(made_endpoints.ask_case_reports("When did the blisters of henna heal?", **filters))
    assert {citation.record_id for citation in answer.citations} <= found
    assert (answer.status == "answered") == ("pmid:777002" in found)


def test_filters_of_the_endpoints_are_those_of_the_index() -> None:
    assert {field.name for field in fields(Filters)} == FILTERS - {"open_access_only"} | {"open_access"}


def test_search_returns_so_many_records_ranked_with_their_passages(endpoints: Endpoints) -> None:
    result = asyncio.run(endpoints.search_case_reports("romosozumab", limit=3))
    assert [record.rank for record in result.records] == [1, 2, 3]
    assert result.records[0].record_id == ROMOSOZUMAB
    assert "romosozumab" in result.records[0].passage


@pytest.mark.parametrize(
    "name",
    [
        *("doi:10.5555/zinc.1", "10.5555/ZINC.1", "https://doi.org/10.5555/Zinc.1", " DOI: 10.5555/zinc.1 "),
        *("777001", "PMID 777001", "pmid:777001", "https://pubmed.ncbi.nlm.nih.gov/777001/"),
    ],
)
def test_a_record_is_found_by_any_of_its_names(made_endpoints: Endpoints, name: str) -> None:
    record = asyncio.run(made_endpoints.get_record(name))
    assert record.record_id == "doi:10.5555/zinc.1"
    labels = [record.abstract[section.start : section.end] for section in record.sections if section.label == "CASE"]
    assert labels == ["A baker took 80 mg of zinc daily for a year. Her copper level was 2 umol/L."]


def test_a_record_without_a_doi_or_pubmed_number_is_found_by_its_id(demo_assistant: Assistant) -> None:
    record_id = next(
        record.record_id
        for record, _ in demo_assistant.index.current().iter_records()
        if record.record_id.startswith("sha256:")
    )
    assert asyncio.run(Endpoints(demo_assistant).get_record(record_id)).record_id == record_id


@pytest.mark.parametrize("name", ["", "10.5555/none", "pmid:1", "777003", "zinc", "sha256:00", "x" * 500])
def test_a_record_that_is_not_there_is_an_error_that_names_it(made_endpoints: Endpoints, name: str) -> None:
    with pytest.raises(WrongUseError, match=r"no record .* in this index") as caught:
        asyncio.run(made_endpoints.get_record(name))
    assert repr(name)[:90] in str(caught.value)
    assert len(str(caught.value)) < 250


def test_a_follow_up_is_understood_from_the_history(endpoints: Endpoints) -> None:
    history = [Turn(role="user", content=BMD), Turn(role="assistant", content="It rose [1].")]
    result = asyncio.run(endpoints.ask_case_reports("and did her back pain get better?", history=history))
    assert "romosozumab" in result.query
    assert {citation.record_id for citation in result.citations} == {ROMOSOZUMAB}


def test_questions_do_not_block_the_event_loop(endpoints: Endpoints) -> None:
    async def count_while(call: Any) -> int:
        task, turns = asyncio.ensure_future(call), 0
        while not task.done():
            await asyncio.sleep(0.001)
            turns += 1
        await task
        return turns

    assert asyncio.run(count_while(endpoints.ask_case_reports("How was the hyponatraemia of the boy treated?"))) > 10
    assert asyncio.run(count_while(endpoints.search_case_reports("a fall in sodium after surgery"))) > 10


@pytest.fixture(scope="module")
def client(demo_assistant: Assistant) -> Iterator[Client]:
    """A client of a page with the endpoints only."""
    with gr.Blocks() as page:
        add_endpoints(demo_assistant, AdmissionControl(64, 1_000))
    _, url, _ = page.queue().launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    yield Client(url, verbose=False)
    page.close()


def test_the_three_endpoints_describe_their_arguments(client: Client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    taken = {
        name: {item["parameter_name"]: item["python_type"]["type"] for item in endpoint["parameters"]}
        for name, endpoint in named.items()
    }
    filters = {
        "year_from": "None | int",
        "year_to": "None | int",
        "journals": "None | list[str]",
        "publication_types": "None | list[str]",
        "open_access_only": "bool",
    }
    turns = "None | list[dict(role: Literal['user', 'assistant'], content: str, record_ids: list[str])]"
    assert taken == {
        "/ask": {"question": "str", **filters, "history": turns},
        "/search": {"query": "str", "limit": "int", **filters},
        "/index_info": {},
    }
    for name, endpoint in named.items():
        assert [item["python_type"]["type"] for item in endpoint["returns"]] == ["dict(str, Any)"]
        for parameter in taken[name]:
            assert f" {parameter}: " in endpoint["description"]
    assert "case reports" in named["/ask"]["description"]


def test_a_client_gets_the_results_of_the_functions(client: Client, endpoints: Endpoints) -> None:
    assert client.predict(BMD, api_name="/ask") == asyncio.run(endpoints.ask_case_reports(BMD)).model_dump(mode="json")
    found = asyncio.run(endpoints.search_case_reports("lithium", 2, year_from=2010))
    assert client.predict("lithium", 2, 2010, api_name="/search") == found.model_dump(mode="json")
    described = asyncio.run(endpoints.describe_index())
    assert described.record_count == 40
    assert client.predict(api_name="/index_info") == described.model_dump(mode="json")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"question": "?"}, "the question is empty", id="empty"),
        pytest.param(
            {"question": "Dose?", "year_from": "soon"}, "year_from: Input should be a valid integer", id="year"
        ),
        pytest.param(
            {"question": "Dose?", "year_from": 2020, "year_to": 2010}, "no year is both 2020", id="years exchanged"
        ),
        pytest.param({"question": "Dose?", "history": [{"role": "x"}]}, r"history\.0\.role: .*'user'", id="role"),
        pytest.param({"question": None}, "question: Input should be a valid string", id="no question"),
    ],
)
def test_invalid_arguments_are_explained_to_the_client(client: Client, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(AppError, match=message):
        client.predict(**arguments, api_name="/ask")


def test_the_number_of_records_asked_for_is_limited(client: Client) -> None:
    with pytest.raises(AppError, match="limit: Input should be less than or equal to 50"):
        client.predict("lithium", limit=51, api_name="/search")
