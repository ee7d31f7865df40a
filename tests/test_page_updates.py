"""What users change from the page: the library, by those who may, and what they say of answers; and hostile records."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect
from pydantic import SecretStr

from assistant import Assistant
from assistant.feedback import FeedbackStore
from assistant.page.settings import PageSettings
from index import build_index

from .page_server import (
    ANSWER_MS,
    BMD,
    LITHIUM,
    OpenPage,
    ServePage,
    answers,
    ask,
    cards,
    cite,
    open_part,
    open_tab,
    question_box,
)

USERS = PageSettings(auth={"ed": SecretStr("one"), "reader": SecretStr("two")}, editors=("ed",))
MANY = 300
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
SCRIPT = "<script>window.ran = 1</script>"
IMAGE = "<img src=x onerror='window.ran = 1'>"
FOCUS = "<any-tag autofocus tabindex=1 onfocus='window.ran = 1'>"
PIXEL = "![pixel](http://example.org/pixel.png)"
LINK = "[report](javascript:window.ran=1)"
HOSTILE = (SCRIPT, IMAGE, FOCUS, PIXEL, LINK)


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
    held = f"The library now holds {40 + 1 + MANY} reports"
    expect(editor.locator("#outcome")).to_contain_text(held, timeout=ANSWER_MS)
    expect(editor.locator("#outcome dl")).to_have_text(re.compile(rf"^\s*Added\s*{1 + MANY:,}, new to the library\s*$"))
    expect(editor.locator("#library .facts")).to_contain_text(f"{40 + 1 + MANY}, in")
    expect(editor.locator("#heading")).to_contain_text(f"{40 + 1 + MANY} reports")
    expect(ask(reader, NEW_QUESTION)).to_contain_text("His selenium level was 412 ug/L.")
    cite(answers(reader).last, 1).click()
    expect(cards(reader).first).to_contain_text("Maunder E. Notes on Nutrition. 2021")


def test_readers_may_add_nothing(open_page: OpenPage, serve_page: ServePage, editable: Assistant) -> None:
    page = log_in(open_page(serve_page(editable, USERS)), "reader", "two")
    open_tab(page, "Library")
    expect(page.get_by_text("Only users named in CASECITE_EDITORS may add records")).to_be_visible()
    expect(page.get_by_role("button", name="Add to the library")).to_have_count(0)
    expect(page.locator("input[type=file]")).to_have_count(0)


@pytest.mark.parametrize(
    ("name", "password", "status"), [(None, "", 403), ("reader", "two", 403), ("ed", "one", 200)], ids=str
)
def test_files_are_taken_from_editors_alone(
    serve_page: ServePage, demo_assistant: Assistant, name: str | None, password: str, status: int
) -> None:
    with httpx.Client(base_url=serve_page(demo_assistant, USERS)) as client:
        if name:
            client.post("/login", data={"username": name, "password": password}).raise_for_status()
        assert send_file(client) == status


def test_without_editors_files_are_taken_from_nobody(page_url: str) -> None:
    with httpx.Client(base_url=page_url) as client:
        assert send_file(client) == 403


def send_file(client: httpx.Client) -> int:
    return client.post("/gradio_api/upload", files={"files": ("a.nbib", NEW_RECORD.encode())}).status_code


def test_a_wrong_password_opens_nothing(open_page: OpenPage, serve_page: ServePage, demo_assistant: Assistant) -> None:
    url = serve_page(demo_assistant, USERS)
    assert httpx.post(f"{url}/login", data={"username": "ed", "password": "two"}).status_code == 400
    assert httpx.get(f"{url}/config").status_code == 401


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
    counts = r"^\s*Added\s*1, new to the library\s*Rejected\s*1, no reports\s*$"
    expect(page.locator("#outcome dl")).to_have_text(re.compile(counts))
    expect(page.locator("#outcome").get_by_role("row").last).to_contain_text("untitled.json")


def test_what_users_say_of_an_answer_is_kept(open_page: OpenPage, serve_page: ServePage, editable: Assistant) -> None:
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


def test_markup_in_records_and_questions_is_text(
    open_page: OpenPage, serve_page: ServePage, editable: Assistant, tmp_path: Path
) -> None:
    file = tmp_path / "hostile.json"
    file.write_text(json.dumps(make_hostile_record()), "utf-8")
    build_index([file], editable.index.index_dir, "update")
    page = open_page(serve_page(editable))
    answer = ask(page, f"What was the selenium level {IMAGE} of the woman of 44 {LINK}?")
    for markup in HOSTILE:
        expect(answer).to_contain_text(markup)
        expect(cards(page).locator("h2")).to_contain_text([markup])
        expect(cards(page).locator(".byline")).to_contain_text([markup])
        expect(cards(page).locator("details")).to_contain_text([markup])
    expect(page.get_by_test_id("user")).to_contain_text(f"{IMAGE} of the woman of 44 {LINK}?")
    open_tab(page, "Case table")
    expect(page.locator(".case-table tbody")).to_contain_text(FOCUS)
    open_tab(page, "Map")
    page.locator("circle[data-record='pmid:990002']").hover()
    expect(page.locator(".map-title")).to_contain_text(SCRIPT)
    page.wait_for_timeout(500)
    assert page.evaluate("window.ran") is None
    assert (
        page.locator("a[href^='javascript:'], a[href*='example.org'], any-tag, .prose img, #evidence img").count() == 0
    )


def make_hostile_record() -> dict[str, object]:
    """Markup is taken out of records however deep it was escaped, to eight layers; what lies deeper is text in them."""
    markup = " ".join(HOSTILE)
    return {
        "pmid": "990002",
        "title": bury(f"Selenium {markup}", 8),
        "abstract": bury(f"A woman of 44 had a selenium level of 301 ug/L {markup}. She recovered after 3 weeks.", 9),
        "authors": [bury(f"Eve {markup}", 8)],
        "journal": bury(f"Notes {markup}", 8),
        "year": 2020,
    }


def bury(markup: str, layers: int) -> str:
    return markup.replace("<", "&" + "amp;" * (layers - 1) + "lt;")


def log_in(page: Page, name: str, password: str) -> Page:
    page.get_by_role("textbox", name="username").fill(name)
    page.get_by_role("textbox", name="password").fill(password)
    page.get_by_role("button", name="Login").click()
    question_box(page).wait_for()
    return page


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
        for number in range(MANY)
    ]
    file = folder / "many.json"
    file.write_text(json.dumps(records), "utf-8")
    return file
