"""Helpers for browser tests: the page served on loopback, Chromium, and actions on the page."""

from __future__ import annotations

import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from assistant import Assistant
from assistant.api.settings import PageSettings
from assistant.page import build_app

OpenPage = Callable[..., Page]
ServePage = Callable[..., str]
TakePicture = Callable[[Page, str], None]

BMD = "What was the BMD change under romosozumab?"
LITHIUM = "What was the plasma lithium level of the woman with kidney failure?"
SEIZURES = "Which reports describe seizures?"
UNANSWERABLE = "What dose of dupilumab was given in Behcet colitis?"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 320, "height": 640}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
START_SECONDS = 30
MANY_QUESTIONS = 1_000
COLOURS = 128
PATIENCE_MS = 15_000
ANSWER_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)


@contextmanager
def serve(assistant: Assistant, settings: PageSettings | None = None) -> Iterator[str]:
    """Serve the page in a thread on a free port; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        app = build_app(assistant, settings or PageSettings(questions_per_minute=MANY_QUESTIONS), host, port)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        end = time.monotonic() + START_SECONDS
        while not server.started and time.monotonic() < end:
            time.sleep(0.05)
        try:
            yield f"http://{host}:{port}"
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)


@contextmanager
def launch_browser() -> Iterator[Browser]:
    """Headless Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def watch_pages(browser: Browser) -> Iterator[OpenPage]:
    """Open addresses, each in its own browser context; afterwards assert no errors and no requests to other servers."""
    contexts, elsewhere, errors = [], [], []

    def open_page(url: str, **options: object) -> Page:
        context = browser.new_context(**({"viewport": DESKTOP} | options))
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        own = (f"{url}/", "data:", "blob:")
        page.on("request", lambda request: request.url.startswith(own) or elsewhere.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: message.type == "error" and errors.append(message.text))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert elsewhere == []
    assert errors == []


def save_picture(page: Page, path: Path) -> None:
    """Save the visible part of the page as a small file."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(700)  # animations have ended
    with Image.open(BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def question_box(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Question")


def ask(page: Page, question: str) -> Locator:
    """Type a question and press Enter; returns the complete answer."""
    count = answers(page).count()
    question_box(page).fill(question)
    question_box(page).press("Enter")
    return wait_for_answer(page, count)


def log_in(page: Page, name: str, password: str) -> Page:
    page.get_by_role("textbox", name="username").fill(name)
    page.get_by_role("textbox", name="password").fill(password)
    page.get_by_role("button", name="Login").click()
    question_box(page).wait_for()
    return page


def answers(page: Page) -> Locator:
    return page.get_by_test_id("bot")


def questions(page: Page) -> Locator:
    return page.get_by_test_id("user")


def wait_for_answer(page: Page, place: int) -> Locator:
    """The complete answer at a place, counted from 0: no step is shown and there is nothing to stop."""
    expect(answers(page)).to_have_count(place + 1, timeout=ANSWER_MS)
    answer = answers(page).nth(place)
    expect(answer).not_to_have_text(re.compile(r"(^|…)\s*$"), timeout=ANSWER_MS)
    expect(page.get_by_test_id("submit-button")).to_be_visible(timeout=ANSWER_MS)
    return answer


def cite(answer: Locator, number: int) -> Locator:
    """The first mark of a citation in an answer."""
    return answer.get_by_role("link", name=f"[{number}]", exact=True).first


def cards(page: Page) -> Locator:
    """The visible cards."""
    return page.locator("#evidence .card:visible")


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def open_part(page: Page, name: str) -> None:
    """Open an accordion."""
    page.get_by_role("button", name=name).click()


def save(page: Page, button: str, folder: Path) -> Path:
    """Click a download button; returns the file."""
    with page.expect_download() as started:
        page.get_by_role("button", name=button, exact=True).click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def choose(page: Page, label: str, choice: str) -> None:
    """Choose from a dropdown."""
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=choice, exact=True).click()
    page.get_by_label(label, exact=True).blur()
    expect(page.get_by_role("option")).to_have_count(0)


def wait_until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    """Poll a condition that the page does not show."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)
