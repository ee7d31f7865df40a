"""The case table: its cells, its formats, and what a chat model may add."""

from __future__ import annotations

import csv
import io
import json
import time

import pytest
from openpyxl import load_workbook

from assistant import Assistant
from assistant.cases import COLUMNS, CaseRow, CaseTable, tabulate_cases
from assistant.cases.model_cells import parse_cells
from assistant.generation.chat_models import open_chat_model
from assistant.reading.reader import load_reader
from index.types import Record, Section
from tests.support.faulty_chat_server import FaultyChatServer, breaks_off, never_ends, refuses, says

CASE = (
    "A 46-year-old man was admitted to our intensive care unit with fulminant hepatitis. "
    "He was treated with acetylcysteine 150 mg/kg for 3 days. "
    "He recovered completely, and bilirubin fell from 12 to 0.9 mg/dL within two weeks."
)


def as_record(abstract: str, title: str | None = None, **fields: object) -> Record:
    return Record(record_id="pmid:1", abstract=abstract, content_hash="x", title=title, **fields)  # type: ignore[arg-type]


def tabulate(abstract: str, title: str | None = None, question: str | None = None) -> CaseRow:
    (row,) = tabulate_cases([as_record(abstract, title)], load_reader(), question).rows
    return row


def text(row: CaseRow, name: str) -> str | None:
    cell = row.cells[name]  # type: ignore[index]
    return cell.text if cell else None


def test_a_row_tells_a_case_in_the_record_s_own_words() -> None:
    row = tabulate(CASE, "Fulminant hepatitis after a herbal remedy: a case report.")
    assert text(row, "age") == "46-year-old"
    assert text(row, "sex") == "man"
    assert text(row, "setting") == "intensive care unit"
    assert text(row, "condition") == "Fulminant hepatitis after a herbal remedy"
    assert text(row, "intervention") == "acetylcysteine 150 mg/kg for 3 days"
    assert text(row, "outcome") == "He recovered completely, and bilirubin fell from 12 to 0.9 mg/dL within two weeks"
    assert "0.9 mg/dL" in (text(row, "key_number") or "")


def test_every_cell_rests_on_sentences_that_stand_in_their_record(demo_assistant: Assistant) -> None:
    records = [record for record, _ in demo_assistant.index.current().iter_records()]
    rows = tabulate_cases(records, load_reader(), "What dose was given?").rows
    assert [row.record for row in rows] == records
    for row in rows:
        assert list(row.cells) == [column.name for column in COLUMNS]
        for cell in filter(None, row.cells.values()):
            assert cell.text
            for item in cell.sources:
                source = row.record.abstract if item.field == "abstract" else row.record.title or ""
                assert source[item.start : item.end] == item.quote


@pytest.mark.parametrize(
    ("abstract", "age", "sex"),
    [
        ("A girl of age 9 months had a rash.", "of age 9 months", "girl"),
        ("The patient, a retired miner of 71 years, was seen. He coughed.", None, "He"),
        ("A man of 71 years was seen.", "71 years", "man"),
        ("A sixty-two-year-old right-handed, diabetic woman fell.", "sixty-two-year-old", "woman"),
        ("A premature neonate had seizures.", "neonate", None),
        ("Her mother, a 60-year-old woman, had died of it. The patient lost weight.", None, "Her"),
        ("A boy was born to a 32-year-old woman at 38 weeks.", None, "boy"),
        ("The patient had been diagnosed with asthma at the age of 12 years.", None, None),
        ("It usually affects women older than 50 years. A patient had a tremor.", None, None),
        ("A 30-year-old kidney recipient received a graft from a 58-year-old donor.", "30-year-old", None),
        ("A 6-year-old boy fell. A 6-year and 3-month-old boy had a fever.", "6-year-old", "boy"),
        ("The patient had a 10-year-old fracture of the hip.", None, None),
    ],
)
def test_an_age_is_the_patient_s_own_and_of_now(abstract: str, age: str | None, sex: str | None) -> None:
    row = tabulate(abstract)
    assert (text(row, "age"), text(row, "sex")) == (age, sex)


@pytest.mark.parametrize(
    ("abstract", "age", "sex"),
    [
        (
            "We report two cases of tetany. A 34-year-old woman had cramps. The second patient was a 51-year-old man.",
            "two cases: 34-year-old; 51-year-old",
            "two cases: woman; man",
        ),
        (
            "A 34-year-old woman fainted. A 51-year-old patient fainted too.",
            "2 patients: 34-year-old; 51-year-old",
            None,
        ),
        ("Three patients had tetany. One of them, a 44-year-old man, died.", None, None),
        ("We describe two infants with tetany.", "two infants", None),
        ("Two women aged 25 and 45 years lost their sight.", "Two women: aged 25 and 45 years", "Two women"),
        ("A 40-year-old man fainted. Two cases are known from the literature.", "40-year-old", "man"),
    ],
)
def test_of_several_patients_no_age_is_mixed_with_another_one_s_sex(abstract: str, age: str, sex: str) -> None:
    row = tabulate(abstract)
    assert (text(row, "age"), text(row, "sex")) == (age, sex)


def test_what_is_said_of_the_background_fills_no_cell() -> None:
    abstract = "A 20-year-old man died of it elsewhere.\nThe patient had a rash."
    sections = (Section("BACKGROUND", 0, 39), Section("CASE", 40, 64))
    (row,) = tabulate_cases([as_record(abstract, sections=sections)], load_reader()).rows
    assert not any(row.cells.values())


@pytest.mark.parametrize(
    ("abstract", "setting"),
    [
        ("A man was referred to the Royal Infirmary of Edinburgh with pain.", "Royal Infirmary of Edinburgh"),
        ("A farmer from northern Ghana had a fever.", "northern Ghana"),
        ("A man returned from a trip to Ghana with a fever.", None),
        ("The disease is common in Japan. A man had a fever.", None),
    ],
)
def test_a_setting_is_where_the_patient_was_not_where_else_a_place_is_named(abstract: str, setting: str | None) -> None:
    assert text(tabulate(abstract), "setting") == setting


def test_a_laboratory_value_is_not_a_dose_and_the_key_number_answers_the_question() -> None:
    row = tabulate("A man had a creatinine of 4.6 mg/dL and was given prednisolone 40 mg daily.")
    assert text(row, "intervention") == "prednisolone 40 mg daily"
    row = tabulate(CASE, question="What dose of acetylcysteine was given?")
    assert text(row, "key_number") == "He was treated with acetylcysteine 150 mg/kg for 3 days"


def test_an_answer_is_tabulated_by_its_cited_records_and_a_refusal_has_no_rows(demo_assistant: Assistant) -> None:
    answer = demo_assistant.ask("Which reports describe seizures?")
    table = demo_assistant.tabulate(answer)
    cited = dict.fromkeys(citation.record.record_id for citation in answer.citations)
    assert [row.record.record_id for row in table.rows] == list(cited)
    assert len(table.rows) > 1
    assert not demo_assistant.tabulate(demo_assistant.ask("What is the capital of France?")).rows


def test_an_endless_sentence_is_skipped() -> None:
    started = time.process_time()
    row = tabulate(f"{'he died of 5 mg and ' * 5_000}. A 46-year-old man had a rash.")
    assert text(row, "age") == "46-year-old"
    assert text(row, "outcome") is None
    assert time.process_time() - started < 20


HOSTILE = as_record(
    '=HYPERLINK("http://x") was given to a 46-year-old man.',
    '+cmd|" /C calc"!A0',
    journal="@SUM(1)",
    year=2020,
    retracted=True,
)


def test_a_csv_has_each_value_beside_its_sentence_and_no_formula() -> None:
    table = tabulate_cases([HOSTILE], load_reader())
    written = table.to_csv()
    assert written.startswith("\ufeff")  # by which Excel recognises UTF-8
    headers, row = csv.reader(io.StringIO(written.removeprefix("\ufeff")))
    values = dict(zip(headers, row, strict=True))
    assert values["Title"] == '\'+cmd|" /C calc"!A0'
    assert values["Journal"] == "'@SUM(1)"
    assert values["Age"] == "46-year-old"
    assert values["Age: sentence"] == f"'{HOSTILE.abstract}"
    assert values["Note"] == "RETRACTED OR WITHDRAWN"


def test_a_workbook_holds_text_only_and_can_be_filtered() -> None:
    table = tabulate_cases([HOSTILE, as_record(CASE)], load_reader())
    sheet = load_workbook(io.BytesIO(table.to_xlsx())).active
    assert sheet is not None
    rows = [[cell.value or "" for cell in row] for row in sheet.iter_rows()]
    assert rows == [table.headers, *table.to_rows()]
    assert {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value} == {"s"}
    assert sheet.freeze_panes == "B2"
    assert sheet.auto_filter.ref


def test_a_table_without_rows_is_a_sheet_with_headers_alone() -> None:
    table = CaseTable(rows=())
    assert list(csv.reader(io.StringIO(table.to_csv().removeprefix("\ufeff")))) == [table.headers]
    assert load_workbook(io.BytesIO(table.to_xlsx())).active is not None


def fill(server: FaultyChatServer, *records: Record) -> CaseTable:
    model = open_chat_model("openai:m", server.url)
    return tabulate_cases(records or [as_record(CASE)], load_reader(), chat_model=model)


def test_a_model_s_cell_that_its_sentence_states_takes_the_place_of_a_rule_s(server: FaultyChatServer) -> None:
    reply = {
        "outcome": {"text": "recovered completely", "sentence": "e3"},
        "condition": {"text": "fulminant hepatitis", "sentence": "[e1]"},
    }
    server.behaviours = [says("Here it is:\n```json\n", json.dumps(reply), "\n```")]
    table = fill(server)
    assert text(table.rows[0], "outcome") == "recovered completely"
    assert text(table.rows[0], "condition") == "fulminant hepatitis"
    assert text(table.rows[0], "age") == "46-year-old"
    assert (table.dropped, table.warnings) == (0, ())


@pytest.mark.parametrize(
    "cell",
    [
        {"outcome": {"text": "died", "sentence": "e3"}},
        {"outcome": {"text": "bilirubin fell from 12 to 0.6 mg/dL", "sentence": "e3"}},
        {"intervention": {"text": "acetylcysteine 300 mg/kg", "sentence": "e2"}},
        {"intervention": {"text": "methotrexate", "sentence": "e9"}},
        {"condition": "liver transplantation"},
    ],
)
def test_a_model_s_cell_that_no_sentence_states_is_dropped_and_counted(
    server: FaultyChatServer, cell: dict[str, object]
) -> None:
    server.behaviours = [says(json.dumps(cell))]
    table = fill(server)
    assert table.rows == tabulate_cases([as_record(CASE)], load_reader()).rows
    assert table.dropped == 1
    assert table.warnings == ("cells of the chat model that the records do not state: 1, left out",)


def test_a_model_neither_replaces_an_age_nor_gives_a_relative_s(server: FaultyChatServer) -> None:
    relatives = as_record("The patient had tetany. Her mother, 60 years old, had it too.")
    server.behaviours = [
        says('{"age": {"text": "46", "sentence": "e1"}}'),
        says('{"age": {"text": "60 years old", "sentence": "e2"}}'),
    ]
    table = fill(server, as_record(CASE), relatives)
    assert [text(row, "age") for row in table.rows] == ["46-year-old", None]


@pytest.mark.parametrize(
    "behaviour", [refuses(500), breaks_off('{"outcome"'), says("I cannot do that."), says('{"outcome": {"text": "rec')]
)
def test_when_the_model_fails_the_rules_fill_the_table_and_it_is_not_asked_again(
    server: FaultyChatServer, behaviour: object
) -> None:
    server.behaviours = [behaviour]  # type: ignore[list-item]
    records = [as_record(CASE), as_record(CASE)]
    table = fill(server, *records)
    assert table.rows == tabulate_cases(records, load_reader()).rows
    assert len(table.warnings) == 1
    assert "table is filled without it" in table.warnings[0]
    asked_again = len({json.dumps(request["messages"]) for request in server.requests})
    assert asked_again == 1


def test_a_stream_of_a_model_is_closed_after_its_row(server: FaultyChatServer) -> None:
    server.behaviours = [never_ends('{"outcome": {"text": "recovered completely", "sentence": "e3"}} ')]
    assert text(fill(server).rows[0], "outcome") == "recovered completely"


def test_a_real_small_model_adds_nothing_that_the_record_does_not_say(llama_server: str) -> None:
    model = open_chat_model("openai:smollm2", llama_server, 2_048)
    (row,) = tabulate_cases([as_record(CASE)], load_reader(), chat_model=model).rows
    assert text(row, "age") == "46-year-old"
    words = set(CASE.lower().replace(",", "").replace(".", "").split())
    for cell in filter(None, row.cells.values()):
        assert set(cell.text.lower().replace(",", "").replace(".", "").split()) <= words


@pytest.mark.parametrize(
    ("reply", "columns"),
    [
        ('{"age": {"text": 46, "key": ["e1"]}, "mood": "good"}', ["age"]),
        ('<think>{"no": 1}</think>{"sex": "man"}', ["sex"]),
        ('{"age": null, "outcome": [1, 2], "sex": {"text": "man", "sentence": null}}', ["sex"]),
        ("{}", []),
        ("no row", None),
        ("{" * 3_000, None),
    ],
)
def test_a_row_is_found_in_whatever_a_model_writes(reply: str, columns: list[str] | None) -> None:
    cells = parse_cells(reply)
    assert (None if cells is None else list(cells)) == columns
