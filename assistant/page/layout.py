"""The page: its heading, its tabs and the events between them."""

from __future__ import annotations

from typing import Any

import gradio as gr

from assistant.answers import NOT_ADVICE
from assistant.api.admission import AdmissionControl
from assistant.api.settings import PageSettings
from assistant.assistant import Assistant
from assistant.page.api import add_endpoints
from assistant.page.case_table import CaseTableTab
from assistant.page.chat import ChatTab
from assistant.page.corpus_map import MapTab
from assistant.page.library import LibraryTab, read_overview
from assistant.page.templating import fill

TITLE = "casecite"
ASK_TAB = "ask"
_SWITCH_THEME = "() => window.casecite.switchTheme()"
_RESTORE_THEME = "() => window.casecite.restoreTheme()"
_PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def build_page(assistant: Assistant, admission: AdmissionControl, settings: PageSettings) -> gr.Blocks:
    """The page of an assistant, ready to be mounted."""
    page = gr.Blocks(title=TITLE, analytics_enabled=False)
    with page:
        with gr.Row(elem_id="heading-row"):
            heading = gr.HTML(_render_heading(assistant), elem_id="heading", js_on_load=None, apply_default_css=False)
            theme = gr.Button("Light or dark", size="sm", scale=0, min_width=130)
        with gr.Tabs() as tabs:
            with gr.Tab("Ask", id=ASK_TAB):
                chat = ChatTab(assistant, admission)
            with gr.Tab("Case table") as table_tab:
                CaseTableTab(assistant, chat.conversation, table_tab)
            with gr.Tab("Map") as map_tab:
                map_of_library = MapTab(assistant, map_tab)
            with gr.Tab("Library"):
                library = LibraryTab(assistant, settings)
        gr.Markdown(NOT_ADVICE, elem_classes="muted")
        map_of_library.map.select(lambda: gr.Tabs(selected=ASK_TAB), None, tabs, **_PRIVATE)
        chat.ask_on(map_of_library.map.select, map_of_library.question_about)
        theme.click(None, None, None, js=_SWITCH_THEME, api_visibility="private")
        described = [*chat.controls.offered, heading]

        def describe_library() -> list[Any]:
            return [*chat.controls.offer(read_overview(assistant.index.current())), _render_heading(assistant)]

        page.load(None, None, None, js=_RESTORE_THEME, api_visibility="private")
        page.load(describe_library, None, described, **_PRIVATE)
        page.load(library.show, None, library.facts, **_PRIVATE)
        page.load(library.permit, None, [library.form, library.permission], **_PRIVATE)
        library.added.then(describe_library, None, described, **_PRIVATE)
        add_endpoints(assistant, admission)
    return page


def _render_heading(assistant: Assistant) -> str:
    return fill("heading.html", title=TITLE, manifest=assistant.index.manifest)
