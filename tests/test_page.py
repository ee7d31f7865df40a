"""The web chat: served for real, asked by a real client and in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from gradio_client import Client

from assistant import Assistant
from assistant.page.layout import DEMO_QUESTIONS, THEME, build_page

BMD = "What was the BMD change under romosozumab?"


@pytest.fixture(scope="module")
def page_url(demo_assistant: Assistant) -> Iterator[str]:
    page = build_page(demo_assistant)
    _, url, _ = page.queue().launch(server_name="127.0.0.1", theme=THEME, prevent_thread_lock=True, quiet=True)
    yield url
    page.close()


def test_the_ask_endpoint_answers_with_a_reference(page_url: str) -> None:
    answer = Client(page_url, verbose=False).predict(BMD, api_name="/ask")
    assert "22.1%" in answer
    assert "https://doi.org/10.21037/acr-24-163" in answer


def test_an_answer_streams_in_steps(page_url: str) -> None:
    job = Client(page_url, verbose=False).submit(BMD, api_name="/ask")
    job.result(timeout=60)
    outputs = job.outputs()
    assert "searching" in outputs[0]
    assert "22.1%" in outputs[-1]


def test_a_question_that_cannot_be_asked_is_explained_in_the_chat(page_url: str) -> None:
    assert "the question is empty" in Client(page_url, verbose=False).predict("?", api_name="/ask")


def test_the_chat_function_is_the_only_endpoint_besides_gradio_own(page_url: str) -> None:
    named = Client(page_url, verbose=False).view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {"/ask"}


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=options)


@pytest.fixture
def page(browser: object, page_url: str) -> Iterator[object]:
    """An open page; every request it makes is to the server, and no error is on its console."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    requested, errors = [], []
    page.on("request", lambda request: requested.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(page_url)
    yield page
    page.close()
    assert [url for url in requested if not url.startswith((page_url, "data:", "blob:"))] == []
    assert errors == []


def test_a_question_is_asked_and_answered_by_keyboard_alone(page: object) -> None:
    box = page.get_by_role("textbox", name="Question")
    box.wait_for()
    for _ in range(30):
        if box.evaluate("box => box === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.type(BMD)
    page.keyboard.press("Enter")
    page.get_by_text("stood 22.1% above baseline").wait_for()
    link = page.get_by_role("link", name="doi:10.21037/acr-24-163")
    link.wait_for()
    assert link.get_attribute("href") == "https://doi.org/10.21037/acr-24-163"
    page.get_by_text("digest, not the published abstract").wait_for()


def test_an_example_is_asked_with_a_click_and_a_follow_up_keeps_the_case(page: object) -> None:
    page.get_by_role("button", name=BMD).click()
    page.get_by_text("stood 22.1% above baseline").wait_for()
    page.get_by_role("textbox", name="Question").fill("and did her back pain get better?")
    page.keyboard.press("Enter")
    page.get_by_text("her back pain eased gradually").last.wait_for()
    page.get_by_role("link", name="doi:10.21037/acr-24-163").nth(1).wait_for()


def test_the_page_says_that_it_is_no_advice_and_what_the_demo_is(page: object) -> None:
    page.get_by_text("They are not medical advice").wait_for()
    page.get_by_text("digests in our own words").wait_for()
    for question in DEMO_QUESTIONS:
        page.get_by_role("button", name=question).wait_for()


def test_a_phone_shows_the_page_without_sideways_scrolling(page: object) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    page.get_by_role("textbox", name="Question").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
