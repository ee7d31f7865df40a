"""The tab with the case table of the last answer."""

from __future__ import annotations

import gradio as gr

from assistant.assistant import Assistant
from assistant.cases.types import CaseTable
from assistant.page.conversation import LIST_NOTE, Conversation, answers_of, short_reference
from assistant.page.saving import as_file, offer_file
from assistant.page.templating import fill

XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NOTHING_YET = "Ask a question first. The reports that the answer cites are compared here."
STILL_OPEN = "The answer is not complete yet. Open this tab again when it is."


class CaseTableTab:
    """The case table of the reports that the last answer cites, made when the tab is opened."""

    def __init__(self, assistant: Assistant, conversation: gr.State, tab: gr.Tab) -> None:
        self._assistant = assistant
        table = gr.State(None)
        shown = gr.HTML(render_table(None), elem_id="case-table", js_on_load=None, apply_default_css=False)
        with gr.Row():
            csv = gr.Button("Save as CSV", size="sm", min_width=120)
            xlsx = gr.Button("Save as Excel", size="sm", min_width=120)
        offer_file(csv, lambda table: as_file("casecite-cases.csv", "text/csv", _check(table).to_csv()), [table])
        offer_file(xlsx, lambda table: as_file("casecite-cases.xlsx", XLSX_TYPE, _check(table).to_xlsx()), [table])
        tab.select(self._make, conversation, [table, shown], show_progress_on=shown, api_visibility="private")

    def _make(self, conversation: Conversation) -> tuple[CaseTable | None, str]:
        if conversation and conversation[-1].is_open:
            return None, render_table(None, hint=STILL_OPEN)
        answers = [answer for answer in answers_of(conversation) if answer.citations]
        if not answers:
            return None, render_table(None)
        table = self._assistant.tabulate(answers[-1])
        return table, render_table(table, answers[-1].question, LIST_NOTE if answers[-1].kind == "list" else "")


def render_table(table: CaseTable | None, question: str = "", hint: str = NOTHING_YET) -> str:
    """The table as HTML; each cell opens to its source sentence. Without a table only the hint."""
    return fill("case_table.html", table=table, question=question, hint=hint, short_reference=short_reference)


def _check(table: CaseTable | None) -> CaseTable:
    if table is None:
        raise gr.Error("There is no table yet. Ask a question first.", print_exception=False)
    return table
