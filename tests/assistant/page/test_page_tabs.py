"""The other tabs and the downloads: case table, references, library, map."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import bibtexparser
import rispy
from docx import Document
from openpyxl import load_workbook
from playwright.sync_api import Page, expect

from assistant import Assistant
from assistant.cases.types import CaseTable
from tests.support.page_server import (
    BMD,
    SEIZURES,
    TakePicture,
    ask,
    cards,
    open_part,
    open_tab,
    questions,
    save,
    wait_for_answer,
)

ROMOSOZUMAB_DOI = "10.21037/acr-24-163"
CITED = {
    "Markdown": lambda path: path.read_text("utf-8"),
    "Word": lambda path: "\n".join(paragraph.text for paragraph in Document(path).paragraphs),
    "BibTeX": lambda path: bibtexparser.parse_file(path).entries[0]["doi"],
    "RIS": lambda path: rispy.loads(path.read_text("utf-8"))[0]["doi"],
    "CSL-JSON": lambda path: json.loads(path.read_text("utf-8"))[0]["DOI"],
    "AMA": lambda path: path.read_text("utf-8"),
    "Vancouver": lambda path: path.read_text("utf-8"),
}


def test_saved_files_can_be_read_and_name_what_is_cited(page: Page, tmp_path: Path) -> None:
    open_part(page, "Save and cite")
    page.get_by_role("button", name="RIS").click()
    expect(page.get_by_text("There is nothing to save yet. Ask a question first.")).to_be_visible()
    ask(page, BMD)
    for button, read in CITED.items():
        assert ROMOSOZUMAB_DOI in read(save(page, button, tmp_path)), button


def test_the_table_opens_cells_sorts_by_column_and_is_saved(
    page: Page, demo_assistant: Assistant, take_picture: TakePicture, tmp_path: Path
) -> None:
    """One test for the table of the cited reports, since making it takes seconds."""
    ask(page, SEIZURES)
    open_tab(page, "Case table")
    answer = demo_assistant.ask(SEIZURES)
    table = demo_assistant.tabulate(answer)
    assert len(answer.cited_records) > 1
    expect(page.locator(".case-table tbody tr")).to_have_count(len(answer.cited_records))
    take_picture(page, "case-table")
    check_cell(page, table)
    check_sorting(page)
    check_files(page, table, tmp_path)


def check_cell(page: Page, table: CaseTable) -> None:
    row, column = next((row, column) for row in table.rows for column in table.columns if row.cells[column.name])
    cell = row.cells[column.name]
    line = page.locator(".case-table tbody tr").nth(table.rows.index(row))
    shown = line.locator("td").nth(table.columns.index(column))
    expect(shown.locator("q").first).not_to_be_visible()
    shown.locator("summary").click()
    expect(shown.locator("summary")).to_have_text(cell.text)
    expect(shown.locator("q").first).to_have_text(cell.sources[0].quote)
    expect(shown.locator("q").first).to_be_visible()


def check_sorting(page: Page) -> None:
    button = page.get_by_role("button", name="Condition")
    header = page.get_by_role("columnheader", name="Condition")
    for direction, is_backwards in (("ascending", False), ("descending", True)):
        button.click()
        expect(header).to_have_attribute("aria-sort", direction)
        cells = page.locator(".case-table td:nth-child(5)")
        values = cells.evaluate_all("cells => cells.map(cell => cell.dataset.value)")
        filled = [value for value in values if value]
        assert filled == sorted(filled, key=str.casefold, reverse=is_backwards)
        assert values[: len(filled)] == filled
        assert len(set(filled)) > 1


def check_files(page: Page, table: CaseTable, tmp_path: Path) -> None:
    expected = [table.headers, *table.to_rows()]
    text = save(page, "Save as CSV", tmp_path).read_text("utf-8-sig")
    assert list(csv.reader(StringIO(text))) == expected
    sheet = load_workbook(save(page, "Save as Excel", tmp_path)).active
    assert [[value or "" for value in row] for row in sheet.iter_rows(values_only=True)] == expected


def test_the_library_tab_describes_the_index(page: Page, take_picture: TakePicture) -> None:
    open_tab(page, "Library")
    facts = page.locator(".facts")
    expect(facts).to_contain_text("40, in")
    expect(facts).to_contain_text("2006 to 2025")
    expect(facts).to_contain_text("records.jsonl")
    years = page.get_by_role("region", name="Reports by year").get_by_role("listitem")
    expect(years).to_have_count(20)
    expect(years.last).to_contain_text("2025: 1 report")
    expect(page.get_by_role("row", name="AME Case Reports")).to_contain_text("1")
    take_picture(page, "library")


def test_the_map_names_its_dots_and_asks_about_the_one_that_is_clicked(page: Page, take_picture: TakePicture) -> None:
    open_tab(page, "Map")
    dot = page.locator("circle[data-title^='Pregnancy and lactation']")
    dot.hover()
    expect(page.locator(".map-title")).to_have_text(dot.get_attribute("data-title"))
    take_picture(page, "map")
    dot.click()
    wait_for_answer(page, 0)
    expect(page.get_by_role("tab", name="Ask")).to_have_attribute("aria-selected", "true")
    expect(questions(page)).to_contain_text("Pregnancy and lactation-related osteoporosis")
    expect(cards(page)).to_contain_text([ROMOSOZUMAB_DOI])


def test_the_map_is_used_with_the_keyboard(page: Page, demo_assistant: Assistant) -> None:
    open_tab(page, "Map")
    page.locator(".corpus-map").focus()
    page.keyboard.press("ArrowRight")
    for key in ("ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    dot = page.locator("circle:focus")
    expect(page.locator(".map-title")).to_have_text(dot.get_attribute("data-title"))
    record = demo_assistant.index.get_record(dot.get_attribute("data-record"))
    page.keyboard.press("Enter")
    wait_for_answer(page, 0)
    expect(questions(page)).to_contain_text(record.name.rstrip("."))
