"""The chat of the page, in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from assistant import Assistant
from assistant.cases.suggestions import suggest_questions
from assistant.page.chat import DEMO_QUESTIONS
from assistant.references import format_references
from prompts import ABSTAIN_SENTENCE
from tests.support.faulty_chat_server import FaultyChatServer, never_ends, says
from tests.support.page_server import (
    BMD,
    LITHIUM,
    PHONE,
    UNANSWERABLE,
    OpenPage,
    ServePage,
    TakePicture,
    answers,
    ask,
    cards,
    choose,
    cite,
    open_part,
    question_box,
    questions,
    wait_for_answer,
    wait_until,
)

GAIN = "stood 22.1% above baseline"
FOLLOW_UP = "and did her back pain get better?"
USABLE_S = 10.0
_RECORD_ANSWERS = """() => {
  window.seen = [];
  const note = () => window.seen.push([...document.querySelectorAll('[data-testid=bot]')].at(-1)?.textContent ?? '');
  const chat = document.getElementById('chat');
  new MutationObserver(note).observe(chat, {childList: true, subtree: true, characterData: true});
}"""
_SUM_SHIFTS = """() => {
  window.shifts = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
  }).observe({type: 'layout-shift'});
}"""


@pytest.fixture
def modelled(demo_index_dir: Path, server: FaultyChatServer) -> Iterator[Assistant]:
    """An assistant whose chat model is `server`."""
    with Assistant.open(demo_index_dir, llm="openai:any", llm_base_url=server.url) as assistant:
        yield assistant


def test_the_page_opens_soon_with_its_notices_and_examples_that_can_be_clicked(
    open_page: OpenPage, page_url: str
) -> None:
    open_page(page_url)  # the first page of a new browser and a new server is slow
    started = time.monotonic()
    page = open_page(page_url)
    question_box(page).fill("What")
    assert time.monotonic() - started < USABLE_S
    question_box(page).fill("")
    expect(page.get_by_text("They are not medical advice")).to_be_visible()
    expect(page.get_by_text("digests in our own words, in place of the published abstracts").first).to_be_visible()
    for question in DEMO_QUESTIONS:
        expect(page.get_by_role("button", name=question)).to_be_visible()
    page.get_by_role("button", name=BMD).click()
    expect(wait_for_answer(page, 0)).to_contain_text(GAIN)


def test_a_question_is_asked_by_keyboard_and_its_answer_comes_in_steps(page: Page) -> None:
    question_box(page).wait_for()
    for _ in range(30):
        if question_box(page).evaluate("box => box === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.get_by_role("button", name=BMD).wait_for()
    page.evaluate(_RECORD_ANSWERS)
    page.evaluate(_SUM_SHIFTS)
    page.keyboard.type(BMD)
    page.keyboard.press("Enter")
    answer = wait_for_answer(page, 0)
    expect(answer).to_contain_text(GAIN)
    expect(answer).to_contain_text("Checked against source")
    expect(answer).to_contain_text(re.compile(r"Confidence: (high|moderate|low)\."))
    seen = page.evaluate("window.seen")
    before = seen[: next(place for place, text in enumerate(seen) if GAIN in text)]
    assert any("searching" in text for text in before)
    assert page.evaluate("window.shifts") < 0.1, "the layout does not move while an answer comes"


def test_a_mark_opens_the_sentence_in_its_report_whose_reference_can_be_copied(
    page: Page, demo_assistant: Assistant, take_picture: TakePicture
) -> None:
    given = demo_assistant.ask(BMD)
    citation = next(citation for citation in given.citations if "22.1%" in citation.quote)
    cite(ask(page, BMD), citation.number).click()
    sentence = page.locator("mark:focus")
    expect(sentence).to_have_text(f"[{citation.number}] {citation.quote}")
    assert sentence.evaluate("mark => mark.closest('p').previousElementSibling.textContent") == "Case description"
    (card,) = cards(page).all()
    expect(card).to_contain_text("Demo digest, not the published abstract")
    expect(card.get_by_role("heading", name=citation.record.title)).to_be_visible()
    link = card.get_by_role("link", name=f"doi:{citation.record.doi}")
    expect(link).to_have_attribute("href", f"https://doi.org/{citation.record.doi}")
    take_picture(page, "chat")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    card.get_by_role("button", name="Copy citation").click()
    card.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == format_references([citation.record], "ama")[0]


def test_marks_of_an_older_answer_show_its_own_reports(page: Page) -> None:
    older = ask(page, BMD)
    newer = ask(page, LITHIUM)
    expect(cards(page)).not_to_contain_text(["romosozumab"])
    cite(older, 1).click()
    expect(page.locator("mark:focus")).to_contain_text("low bone mineral density")
    expect(cards(page)).to_contain_text(["romosozumab"])
    cite(newer, 1).click()
    expect(page.locator("mark:focus")).to_contain_text("lithium")
    expect(page.locator("#evidence .card:visible", has_text="romosozumab")).to_have_count(0)


def test_on_a_phone_the_way_leads_to_the_report_and_back(
    open_page: OpenPage, page_url: str, take_picture: TakePicture
) -> None:
    page = open_page(page_url, viewport=PHONE, has_touch=True, is_mobile=True)
    mark = cite(ask(page, BMD), 2)
    take_picture(page, "phone")
    mark.tap()
    expect(page.locator("mark:focus")).to_be_in_viewport()
    expect(mark).not_to_be_in_viewport()
    back = page.get_by_role("button", name="Back to the answer")
    expect(back).to_be_in_viewport()
    back.tap()
    expect(mark).to_be_in_viewport()
    expect(mark).to_be_focused()


def test_what_can_be_asked_next_is_asked_with_a_click(page: Page, demo_assistant: Assistant) -> None:
    ask(page, LITHIUM)
    offered = suggest_questions(demo_assistant.ask(LITHIUM))
    suggested = page.locator("#chat .options button")
    expect(suggested).to_have_text(list(offered))
    suggested.first.click()
    expect(wait_for_answer(page, 1)).to_contain_text("Checked against source")
    expect(questions(page).last).to_have_text(offered[0])
    expect(cards(page)).to_contain_text(["lithium"])


def test_an_edited_question_takes_the_place_of_it_and_of_what_came_after(page: Page) -> None:
    ask(page, BMD)
    ask(page, FOLLOW_UP)
    page.get_by_role("button", name="Edit").first.click()
    page.locator("#chat textarea").fill(LITHIUM)
    page.get_by_role("button", name="Submit").click()
    expect(questions(page)).to_have_text([LITHIUM])
    expect(wait_for_answer(page, 0)).to_contain_text("lithium")
    expect(cards(page)).not_to_contain_text(["romosozumab"])


def test_a_follow_up_keeps_the_case_and_is_retried_undone_and_cleared(page: Page) -> None:
    ask(page, BMD)
    expect(ask(page, FOLLOW_UP)).to_contain_text("Searched for:")
    expect(cards(page)).to_contain_text(["romosozumab"])
    page.evaluate(_RECORD_ANSWERS)
    page.get_by_role("button", name="Retry").click()
    page.wait_for_function("window.seen.some(text => text.includes('searching'))")
    expect(wait_for_answer(page, 1)).to_contain_text("her back pain eased gradually")
    page.get_by_role("button", name="Undo").click()
    expect(questions(page)).to_have_text([BMD])
    expect(question_box(page)).to_have_value(FOLLOW_UP)
    page.get_by_role("button", name="Clear").click()
    expect(questions(page)).to_have_count(0)
    expect(cards(page)).to_have_count(0)


def test_stopping_ends_the_models_request_keeps_the_text_shown_and_lets_the_user_ask_again(
    open_page: OpenPage, serve_page: ServePage, modelled: Assistant, server: FaultyChatServer
) -> None:
    server.behaviours = [never_ends("Well, ", pause_s=0.05)]
    page = open_page(serve_page(modelled))
    question_box(page).fill(BMD)
    question_box(page).press("Enter")
    expect(answers(page)).to_contain_text("openai:any is writing")
    wait_until(lambda: server.requests)  # stopped earlier, the request would never be sent
    page.get_by_test_id("stop-button").click()
    expect(wait_for_answer(page, 0)).to_have_text("Stopped.")
    wait_until(lambda: server.left_at)
    server.behaviours = [never_ends("Spinal BMD stood 22.1% above baseline after 12 months [e1]. ", pause_s=0.2)]
    question_box(page).fill(BMD)
    question_box(page).press("Enter")
    expect(answers(page).last).to_contain_text("22.1% above baseline")
    page.get_by_test_id("stop-button").click()
    expect(wait_for_answer(page, 1)).to_contain_text("Stopped.")
    expect(answers(page).last).to_contain_text("22.1% above baseline")
    server.behaviours = [says(ABSTAIN_SENTENCE)]
    expect(ask(page, BMD)).to_contain_text(ABSTAIN_SENTENCE)


def test_quotes_can_be_had_where_a_chat_model_is_set_up(
    open_page: OpenPage, serve_page: ServePage, modelled: Assistant, server: FaultyChatServer
) -> None:
    server.behaviours = [says("All is well.")]
    page = open_page(serve_page(modelled))
    open_part(page, "Search options")
    expect(page.get_by_role("radio", name="Text by openai:any, each statement checked")).to_be_checked()
    page.get_by_role("radio", name="Quotes").check()
    expect(ask(page, BMD)).to_contain_text("each quotation stands word for word in its record")
    assert server.requests == []


def test_years_and_journals_say_which_reports_are_searched(page: Page) -> None:
    open_part(page, "Search options")
    choose(page, "To year", "2020")
    assert GAIN not in ask(page, BMD).inner_text()
    choose(page, "From year", "2025")
    expect(ask(page, BMD)).to_contain_text("no year is both 2025 or later and 2020 or earlier")
    choose(page, "To year", "Any")
    expect(ask(page, BMD)).to_contain_text(GAIN)
    choose(page, "Journals", "BMC ophthalmology")
    assert GAIN not in ask(page, BMD).inner_text()


def test_as_many_reports_are_read_as_are_wanted(page: Page) -> None:
    open_part(page, "Search options")
    page.get_by_role("spinbutton", name="Reports to read").fill("2")
    page.get_by_role("spinbutton", name="Reports to read").press("Tab")
    expect(page.get_by_role("slider", name="Reports to read")).to_have_value("2")
    expect(ask(page, UNANSWERABLE).get_by_role("listitem").get_by_role("link")).to_have_count(2)


def test_a_refusal_says_what_was_looked_for_and_what_is_nearest(page: Page, take_picture: TakePicture) -> None:
    answer = ask(page, UNANSWERABLE)
    expect(answer).to_contain_text(ABSTAIN_SENTENCE)
    expect(answer).to_contain_text(f"Looked for: “{UNANSWERABLE}”. In no report of this library: “dupilumab”.")
    expect(answer).to_contain_text("Nearest reports, without a sentence that answers:")
    nearest = answer.get_by_role("listitem").get_by_role("link")
    nearest.first.click()
    card = page.locator(nearest.first.get_attribute("href"))
    expect(card).to_be_focused()
    title = nearest.first.inner_text().removesuffix(" (digest, not the published abstract)")
    expect(card.get_by_role("heading", name=title)).to_be_visible()
    expect(card.locator("details")).to_have_attribute("open", "")
    expect(page.locator("#evidence mark")).to_have_count(0)
    take_picture(page, "abstention")
    page.locator("#chat .options button").first.click()
    expect(wait_for_answer(page, 1)).to_contain_text("Behcet")
    expect(page.locator("#evidence mark:visible").first).to_contain_text("Thalidomide")


def test_two_users_see_nothing_of_one_another(open_page: OpenPage, page_url: str) -> None:
    one, other = open_page(page_url), open_page(page_url)
    for page, question in ((one, BMD), (other, LITHIUM)):
        question_box(page).fill(question)
        question_box(page).press("Enter")
    for page, theirs, foreign in ((one, "romosozumab", "lithium"), (other, "lithium", "romosozumab")):
        expect(wait_for_answer(page, 0)).to_contain_text(theirs)
        assert foreign not in " ".join(page.locator("#chat, #evidence").all_inner_texts())
        expect(questions(page)).to_have_count(1)


def test_an_error_is_shown_in_the_chat_and_the_next_question_is_answered(
    page: Page, demo_assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("assistant.page.chat._explain", lambda *_: 1 / 0)
        expect(ask(page, BMD)).to_contain_text("The server's log has the details.")
    expect(ask(page, LITHIUM)).to_contain_text("8.21")
