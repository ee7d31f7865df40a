"""The search options: filters, how many reports are read, and quotes or a chat model's text."""

from __future__ import annotations

from typing import Any

import gradio as gr

from assistant.assistant import Assistant
from index.overview import LibraryOverview
from index.types import Filters

QUOTES = "Quotes"
MAX_READ_RECORDS = 20
ANY_YEAR = ("Any", 0)


class Controls:
    """The components of the search options on the page that is being built."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        with gr.Accordion("Search options", open=False, elem_id="options"):
            with gr.Row():
                self.year_from = gr.Dropdown(label="From year", choices=[ANY_YEAR], value=0, min_width=110)
                self.year_to = gr.Dropdown(label="To year", choices=[ANY_YEAR], value=0, min_width=110)
                self.top_k = gr.Slider(
                    label="Reports to read",
                    minimum=1,
                    maximum=max(MAX_READ_RECORDS, assistant.settings.top_k),
                    step=1,
                    value=assistant.settings.top_k,
                    min_width=200,
                )
            with gr.Row():
                self.journals = gr.Dropdown(label="Journals", multiselect=True, choices=[], min_width=200)
                self.types = gr.Dropdown(label="Article types", multiselect=True, choices=[], min_width=200)
            self.open_access = gr.Checkbox(label="Open access only", min_width=160)
            self.style = gr.Radio(
                label="Answers are made of",
                choices=self._styles(),
                value=self._styles()[-1],
                info=None if assistant.chat_model else "No chat model is set up; CASECITE_LLM names one.",
                min_width=240,
            )

    @property
    def all(self) -> list[Any]:
        """The components whose values `filters` and `adapt` take, in this order."""
        return [self.year_from, self.year_to, self.journals, self.types, self.open_access, self.top_k, self.style]

    @property
    def offered(self) -> list[Any]:
        """The components whose choices depend on the library."""
        return [self.year_from, self.year_to, self.journals, self.types]

    def offer(self, overview: LibraryOverview) -> list[Any]:
        """The choices for a library, in the order of `offered`."""
        years = [ANY_YEAR, *((str(year), year) for year in reversed(overview.years))]
        types = sorted(overview.publication_types, key=str.casefold)
        return [gr.Dropdown(choices=choices) for choices in (years, years, overview.journal_names, types)]

    @staticmethod
    def filters(year_from: Any, year_to: Any, journals: Any, types: Any, open_access: Any, *_: Any) -> Filters:
        """The filters from the components' values.

        Raises:
            WrongUseError: the first year is later than the last.
        """
        return Filters(
            year_from=year_from or None,
            year_to=year_to or None,
            journals=tuple(journals or ()),
            publication_types=tuple(types or ()),
            open_access=True if open_access else None,
        )

    def adapt(self, *values: Any) -> Assistant:
        """The assistant with the options from the components' values."""
        *_, top_k, style = values
        return self._assistant.with_options(top_k=int(top_k), quotes_only=style == QUOTES)

    def _styles(self) -> list[str]:
        model = self._assistant.chat_model
        return [QUOTES, f"Text by {model.name}, each statement checked"] if model else [QUOTES]
