"""A report that was retracted or withdrawn is never cited or shown without the mark."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from docx import Document as WordDocument
from langchain_core.language_models import FakeListChatModel
from openpyxl import load_workbook

from assistant import Answer, Assistant
from assistant.api.endpoints import Endpoints
from assistant.api.langchain import CaseReportChat, CaseReportRetriever
from assistant.cases.suggestions import Refusal
from assistant.export.conversation import conversation_to_docx, conversation_to_markdown
from assistant.page.cards import render_evidence
from assistant.page.case_table import render_table
from assistant.page.conversation import Exchange, render_message
from assistant.page.corpus_map import render_map
from assistant.page.library import read_overview, render_library
from assistant.references import format_references
from assistant.references.text import RETRACTED_NOTE
from index import build_index, map_corpus, open_index

QUESTION = "How much zinc did the baker take?"
RECORDS = [
    {
        "doi": "10.5555/zinc.1",
        "title": "Zinc excess and a low copper level in a baker",
        "authors": ["Ann Baker"],
        "journal": "Journal of Metals",
        "year": 2019,
        "abstract": "Zinc binds copper. A baker of 41 years took 80 mg of zinc daily for a year. Her copper level was "
        "2 umol/L. She recovered when she stopped the zinc.",
        "retracted": True,
    },
    {
        "pmid": "777002",
        "title": "A reaction to henna",
        "abstract": "A man had blisters two days after a henna tattoo. They healed within three weeks.",
    },
]


@pytest.fixture(scope="module")
def index_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retracted")
    (folder / "records.json").write_text(json.dumps(RECORDS), "utf-8")
    build_index([folder / "records.json"], folder / "index")
    return folder / "index"


@pytest.fixture(scope="module")
def assistant(index_dir: Path) -> Iterator[Assistant]:
    with Assistant.open(index_dir) as assistant:
        yield assistant


@pytest.fixture(scope="module")
def answer(assistant: Assistant) -> Answer:
    answer = assistant.ask(QUESTION)
    assert {citation.record.doi for citation in answer.citations} == {"10.5555/zinc.1"}
    return answer


def in_chat(answer: Answer) -> str:
    return render_message(Exchange(question=QUESTION, answer=replace(answer, warnings=())))


def in_refusal(answer: Answer) -> str:
    """Below an answer that says nothing, the nearest reports are named."""
    refused = replace(answer, text="These reports don't say.", claims=(), citations=(), warnings=())
    refusal = Refusal(unknown_words=(), nearest=(answer.citations[0].record,), rewordings=())
    return render_message(Exchange(question=QUESTION, answer=refused, refusal=refusal))


def in_word(answer: Answer) -> str:
    document = WordDocument(BytesIO(conversation_to_docx([answer])))
    (reference,) = (text for part in document.paragraphs if "Journal of Metals" in (text := part.text))
    return str(reference)


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(Answer.to_text, id="the terminal"),
        pytest.param(Answer.to_markdown, id="Markdown"),
        pytest.param(lambda answer: "; ".join(answer.warnings).upper(), id="the answer's warnings"),
        pytest.param(lambda answer: json.dumps(answer.to_csl_json()), id="CSL-JSON"),
        pytest.param(Answer.to_bibtex, id="BibTeX"),
        pytest.param(Answer.to_ris, id="RIS"),
        pytest.param(lambda answer: format_references([answer.citations[0].record], "ama")[0], id="AMA"),
        pytest.param(lambda answer: format_references([answer.citations[0].record], "vancouver")[0], id="Vancouver"),
        pytest.param(
            lambda answer: conversation_to_markdown([answer]).partition("## References")[2], id="a saved conversation"
        ),
        pytest.param(in_word, id="Word"),
        pytest.param(in_chat, id="the chat of the page"),
        pytest.param(in_refusal, id="the nearest reports of a refusal"),
        pytest.param(lambda answer: render_evidence((Exchange(question=QUESTION, answer=answer),)).upper(), id="cards"),
    ],
)
def test_wherever_an_answer_is_shown(answer: Answer, shown: Callable[[Answer], str]) -> None:
    assert RETRACTED_NOTE in shown(answer)


def test_the_mark_stands_in_the_reference_itself(answer: Answer) -> None:
    references = [line for line in answer.to_text().splitlines() if "Journal of Metals" in line]
    assert references
    assert all(f"({RETRACTED_NOTE})" in line for line in references)


def test_other_reports_bear_none(assistant: Assistant) -> None:
    other = assistant.ask("When did the blisters after the henna tattoo heal?")
    assert {citation.record.pmid for citation in other.citations} == {"777002"}
    assert other.warnings == ()
    assert "retracted" not in other.to_text().lower()


def test_beside_what_a_chat_model_writes(index_dir: Path) -> None:
    with Assistant.open(
        index_dir, llm=FakeListChatModel(responses=["She took 80 mg of zinc daily [e1]."])
    ) as assistant:
        answer = assistant.ask(QUESTION)
    assert answer.citations
    assert f"({RETRACTED_NOTE})" in answer.to_text()
    assert any("retracted or withdrawn" in warning for warning in answer.warnings)


def test_in_every_form_of_the_case_table(assistant: Assistant, answer: Answer) -> None:
    table = assistant.tabulate(answer)
    sheet = load_workbook(BytesIO(table.to_xlsx())).active
    in_workbook = [cell.value for row in sheet.iter_rows() for cell in row]
    assert RETRACTED_NOTE in in_workbook
    assert RETRACTED_NOTE in table.to_csv()
    assert RETRACTED_NOTE in re.sub("<[^>]+>", "", render_table(table)).upper()


def test_on_the_map_and_in_the_counts_of_the_library(index_dir: Path) -> None:
    build = open_index(index_dir).current()
    dots = re.findall("<circle[^>]*>", render_map(map_corpus(build)))
    assert [dot.count(RETRACTED_NOTE) for dot in dots] == [2, 0], "in what is shown and in what is read out"
    assert re.search(r"Retracted or withdrawn</dt><dd>1\b", render_library(read_overview(build), []))


def test_the_library_and_a_card_name_where_reports_come_from(index_dir: Path, answer: Answer) -> None:
    overview = read_overview(open_index(index_dir).current())
    assert "Reports come from</dt><dd>records.json (2)</dd>" in render_library(overview, [])
    assert "This record is from records.json." in render_evidence((Exchange(question=QUESTION, answer=answer),))


def test_for_programs(assistant: Assistant) -> None:
    endpoints = Endpoints(assistant)
    asked = asyncio.run(endpoints.ask_case_reports(QUESTION))
    assert {item.retracted for item in asked.citations} == {True}
    assert "retracted or withdrawn" in asked.warnings[0]
    found = asyncio.run(endpoints.search_case_reports("zinc"))
    assert {item.record_id: item.retracted for item in found.records}["doi:10.5555/zinc.1"]
    assert asyncio.run(endpoints.get_record("10.5555/zinc.1")).retracted


def test_for_langchain(assistant: Assistant) -> None:
    documents = CaseReportRetriever(assistant=assistant, top_k=2).invoke("zinc")
    assert {document.metadata["record_id"]: document.metadata["retracted"] for document in documents} == {
        "doi:10.5555/zinc.1": True,
        "pmid:777002": False,
    }
    message: Any = CaseReportChat(assistant=assistant).invoke(QUESTION)
    assert {document.metadata["retracted"] for document in message.additional_kwargs["documents"]} == {True}
    titles = [note["title"] for block in message.content for note in block["annotations"]]
    assert titles
    assert all(title.endswith(f"({RETRACTED_NOTE})") for title in titles)
