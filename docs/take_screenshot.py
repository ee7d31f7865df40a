"""Takes the README's picture of the web chat on the demo corpus: `make screenshot`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from assistant import Assistant
from assistant.page.layout import DEMO_QUESTIONS, THEME, build_page
from index import DEMO_RECORDS, build_index

TARGET = Path(__file__).parent / "images" / "chat.png"


def main() -> None:
    """Build the demo index, serve the page, ask the first example, and take the picture."""
    with tempfile.TemporaryDirectory() as folder:
        build_index([DEMO_RECORDS], folder)
        with Assistant.open(folder) as assistant:
            page = build_page(assistant)
            _, url, _ = page.launch(
                footer_links=["api"], server_name="127.0.0.1", theme=THEME, prevent_thread_lock=True, quiet=True
            )
            take_picture(url)
            page.close()


def take_picture(url: str) -> None:
    """Ask the first example in a browser and save what it shows."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": 1100, "height": 800})
        view.goto(url)
        view.get_by_role("button", name=DEMO_QUESTIONS[0]).click()
        view.get_by_role("link", name="doi:").wait_for()
        view.wait_for_timeout(1_000)
        view.screenshot(path=TARGET)


if __name__ == "__main__":
    main()
