"""Accessibility and layout: axe-core's rules in light and dark, phones, zoom."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.support.page_server import (
    BMD,
    PHONE,
    SEIZURES,
    UNANSWERABLE,
    OpenPage,
    TakePicture,
    ask,
    cards,
    cite,
    open_part,
    open_tab,
    question_box,
)

ZOOMED = {"width": 640, "height": 450}  # 1280 pixels at 200 %
TABS = {"Case table": ".case-table", "Map": ".corpus-map", "Library": ".facts"}
_IS_DARK = "document.body.classList.contains('dark')"
_IS_STILL = """() => document.getAnimations().every(
  (animation) => animation.playState !== 'running' || animation.effect.getComputedTiming().endTime === Infinity
)"""


def find_barriers(page: Page) -> list[tuple[str, str]]:
    """Serious and critical violations of axe-core's rules, each with its place."""
    page.wait_for_function(_IS_STILL)
    found = Axe().run(page).response["violations"]
    return [
        (violation["id"], node["html"])
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_part_of_the_page_has_a_serious_barrier(
    open_page: OpenPage, page_url: str, scheme: str, take_picture: TakePicture
) -> None:
    page = open_page(page_url, color_scheme=scheme)
    page.get_by_role("button", name=BMD).wait_for()
    assert page.evaluate(_IS_DARK) == (scheme == "dark")
    assert find_barriers(page) == []
    ask(page, UNANSWERABLE)
    assert find_barriers(page) == []
    cite(ask(page, BMD), 2).click()
    if scheme == "dark":
        take_picture(page, "dark")
    for part in ("Search options", "Save and cite", "Report an error"):
        open_part(page, part)
    assert find_barriers(page) == []
    for tab, content in TABS.items():
        open_tab(page, tab)
        page.locator(content).wait_for()
        assert find_barriers(page) == []


def test_the_choice_of_light_or_dark_is_kept(page: Page) -> None:
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(_IS_DARK)
    later = page.context.new_page()
    later.goto(page.url)
    later.wait_for_function(_IS_DARK)
    assert find_barriers(later) == []
    later.get_by_role("button", name="Light or dark").click()
    assert not later.evaluate(_IS_DARK)


def test_narrow_screens_never_scroll_sideways_and_have_the_cards_below(open_page: OpenPage, page_url: str) -> None:
    page = open_page(page_url, viewport=PHONE)
    ask(page, SEIZURES)
    for part in ("Search options", "Save and cite", "Report an error"):
        open_part(page, part)
    for size in (ZOOMED, PHONE):
        page.set_viewport_size(size)
        open_tab(page, "Ask")
        assert fits(page)
        assert find_barriers(page) == []
        assert cards(page).first.bounding_box()["y"] > question_box(page).bounding_box()["y"]
        for tab, content in TABS.items():
            open_tab(page, tab)
            page.locator(content).wait_for()
            assert fits(page), tab


def test_a_wide_screen_has_the_cards_next_to_the_chat_and_no_tab_moves_the_page(page: Page) -> None:
    ask(page, BMD)
    chat, card = page.locator("#chat").bounding_box(), cards(page).first.bounding_box()
    assert chat["x"] + chat["width"] <= card["x"]
    assert card["y"] < chat["y"] + chat["height"]
    widths = []
    for tab, content in {"Ask": "#chat", **TABS}.items():
        open_tab(page, tab)
        page.locator(content).wait_for()
        widths.append(page.get_by_role("tablist").bounding_box()["width"])
    assert len(set(widths)) == 1, widths


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
