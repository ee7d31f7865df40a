"""What users change from the page: records that editors add, and feedback."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect
from pydantic import SecretStr

from assistant import Assistant
from assistant.api.settings import PageSettings
from assistant.feedback import FeedbackStore
from tests.support.page_server import (
    ANSWER_MS,
    BMD,
    LITHIUM,
    OpenPage,
    ServePage,
    answers,
    ask,
    cards,
    cite,
    log_in,
    open_part,
    open_tab,
)

USERS = PageSettings(auth={"ed": SecretStr("one"), "reader": SecretStr("two")}, editors=("ed",))
ADDED_COUNT = 80
NEW_QUESTION = "What was the selenium level of the jockey?"
NEW_RECORD = """\
PMID- 990001
TI  - Brazil nuts and a jockey's brittle nails
AB  - A jockey ate twenty Brazil nuts a day to keep his weight down. His selenium level was 412 ug/L.
      Six weeks after he had stopped, his nails grew normally.
AU  - Maunder E
DP  - 2021 Mar
JT  - Notes on Nutrition

"""


@pytest.fixture
def editable(demo_index_dir: Path, tmp_path: Path) -> Iterator[Assistant]:
    """An assistant on an index that may be changed, and with its own feedback."""
    copy = shutil.copytree(demo_index_dir, tmp_path / "index")
    with Assistant.open(copy, feedback_path=tmp_path / "feedback.sqlite") as assistant:
        yield assistant


def test_records_are_added_while_others_ask_and_are_then_cited(
    open_page: OpenPage, serve_page: ServePage, editable: Assistant, tmp_path: Path
) -> None:
    url = serve_page(editable, USERS)
    editor, reader = log_in(open_page(url), "ed", "one"), log_in(open_page(url), "reader", "two")
    open_tab(editor, "Library")
    editor.locator("input[type=file]").set_input_files([write_new(tmp_path), write_many(tmp_path)])
    expect(editor.locator(".file-preview")).to_contain_text("many")
    editor.get_by_role("button", name="Add to the library").click()
    expect(editor.locator("#outcome")).to_contain_text("embedding chunks")
    expect(ask(reader, BMD)).to_contain_text("22.1%")
    held = f"The library now holds {40 + 1 + ADDED_COUNT} reports"
    expect(editor.locator("#outcome")).to_contain_text(held, timeout=ANSWER_MS)
    expect(editor.locator("#outcome dl")).to_have_text(
        re.compile(rf"^\s*Added\s*{1 + ADDED_COUNT:,}, new to the library\s*$")
    )
    expect(editor.locator("#library .facts")).to_contain_text(f"{40 + 1 + ADDED_COUNT}, in")
    expect(editor.locator("#heading")).to_contain_text(f"{40 + 1 + ADDED_COUNT} reports")
    expect(ask(reader, NEW_QUESTION)).to_contain_text("His selenium level was 412 ug/L.")
    cite(answers(reader).last, 1).click()
    expect(cards(reader).first).to_contain_text("Maunder E. Notes on Nutrition. 2021")


def test_only_editors_may_add_records(
    open_page: OpenPage, serve_page: ServePage, page_url: str, demo_assistant: Assistant
) -> None:
    url = serve_page(demo_assistant, USERS)
    page = log_in(open_page(url), "reader", "two")
    open_tab(page, "Library")
    expect(page.get_by_text("Only users named in CASECITE_EDITORS may add records")).to_be_visible()
    expect(page.get_by_role("button", name="Add to the library")).to_have_count(0)
    expect(page.locator("input[type=file]")).to_have_count(0)
    assert httpx.post(f"{url}/login", data={"username": "ed", "password": "two"}).status_code == 400
    assert httpx.get(f"{url}/config").status_code == 401
    assert send_file(url) == send_file(url, "reader", "two") == 403
    assert send_file(url, "ed", "one") == 200
    assert send_file(page_url) == 403, "without logins nobody is an editor"


def send_file(url: str, name: str = "", password: str = "") -> int:
    with httpx.Client(base_url=url) as client:
        if name:
            client.post("/login", data={"username": name, "password": password}).raise_for_status()
        return client.post("/gradio_api/upload", files={"files": ("a.nbib", NEW_RECORD.encode())}).status_code


def test_a_file_without_records_is_explained(
    open_page: OpenPage, serve_page: ServePage, editable: Assistant, tmp_path: Path
) -> None:
    page = log_in(open_page(serve_page(editable, USERS)), "ed", "one")
    open_tab(page, "Library")
    page.get_by_role("button", name="Add to the library").click()
    expect(page.get_by_text("Choose the files to add first.")).to_be_visible()
    file = tmp_path / "untitled.json"
    file.write_text('{"title": "A title alone"}', "utf-8")
    page.locator("input[type=file]").set_input_files([file, write_new(tmp_path)])
    expect(page.locator(".file-preview")).to_contain_text("new")
    page.get_by_role("button", name="Add to the library").click()
    counts = r"^\s*Added\s*1, new to the library\s*Rejected\s*1, not valid reports\s*$"
    expect(page.locator("#outcome dl")).to_have_text(re.compile(counts))
    expect(page.locator("#outcome").get_by_role("row").last).to_contain_text("untitled.json")


def test_feedback_is_stored(open_page: OpenPage, serve_page: ServePage, editable: Assistant) -> None:
    page = open_page(serve_page(editable))
    ask(page, BMD)
    page.get_by_role("button", name="Like", exact=True).click()
    expect(page.get_by_text("Thank you.").first).to_be_visible()
    ask(page, LITHIUM)
    wanted = editable.ask(LITHIUM).citations[0]
    open_part(page, "Report an error")
    page.get_by_label("What is wrong").click()
    page.get_by_role("option", name=f"[{wanted.number}] {wanted.quote[:40]}").click()
    page.get_by_label("Comment").fill("This is the level before dialysis.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_label("Comment")).to_have_value("")
    thumb, report = FeedbackStore(editable.settings.feedback_path)
    assert (thumb.question, thumb.verdict, thumb.citation_number) == (BMD, "up", None)
    assert (report.question, report.verdict, report.citation_number) == (LITHIUM, "wrong_evidence", wanted.number)
    assert report.comment == "This is the level before dialysis."
    assert [turn.content for turn in report.history][:1] == [BMD]
    assert report.answer.citations[0].quote == wanted.quote


def write_new(folder: Path) -> Path:
    file = folder / "new.nbib"
    file.write_text(NEW_RECORD, "utf-8")
    return file


def write_many(folder: Path) -> Path:
    """Enough records that adding them takes a while."""
    records = [
        {
            "pmid": str(880_000 + number),
            "title": f"Thirst, patient {number}",
            "abstract": f"Patient {number} drank {number} litres of tea. " * 20,
        }
        for number in range(ADDED_COUNT)
    ]
    file = folder / "many.json"
    file.write_text(json.dumps(records), "utf-8")
    return file
