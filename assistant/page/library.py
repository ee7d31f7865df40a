"""The tab with what the library holds, and for those who may, where records are added."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import gradio as gr

from assistant.assistant import Assistant
from assistant.page.settings import PageSettings
from assistant.page.templating import fill
from index.build import build_index
from index.errors import CaseciteError
from index.overview import LibraryOverview, describe_library, read_rejections
from index.search import OpenBuild
from index.types import BuildReport

SHOWN_JOURNALS = 15
SHOWN_REJECTIONS = 100
_PRIVATE: dict[str, Any] = {"api_visibility": "private"}


class LibraryTab:
    """Counts, plots, the last build and its rejections, and the form that adds records."""

    def __init__(self, assistant: Assistant, settings: PageSettings) -> None:
        """Add the tab's parts to the page that is being built."""
        self._assistant, self._settings = assistant, settings
        self.facts = gr.HTML(elem_id="library", js_on_load=None)
        with gr.Row():
            self.years = gr.BarPlot(x="year", y="reports", title="Reports by year", height=260, min_width=300)
            self.journals = gr.BarPlot(
                x="journal",
                y="reports",
                title="Reports by journal",
                height=260,
                x_label_angle=-40,
                sort="-y",
                min_width=300,
            )
        self.rejections = gr.HTML(elem_id="rejections", js_on_load=None)
        with gr.Group(visible=False) as self.form:
            files = gr.File(label="New records: JSON, XML, nbib, RIS or CSV", file_count="multiple")
            add = gr.Button("Add to the library", variant="primary")
            self.outcome = gr.HTML(elem_id="outcome", js_on_load=None)
        self.permission = gr.Markdown(elem_classes="muted")
        added = add.click(self._add, files, [self.outcome, files], concurrency_limit=1, **_PRIVATE)
        self.added = added.then(self.show, None, self.shown, show_progress="hidden", **_PRIVATE)

    @property
    def shown(self) -> list[Any]:
        """The components that `show` fills."""
        return [self.facts, self.years, self.journals, self.rejections]

    def show(self) -> tuple[Any, ...]:
        """What the library holds now."""
        build = self._assistant.index.current()
        overview = read_overview(build)
        years = {"year": [str(year) for year in overview.years], "reports": list(overview.years.values())}
        most = dict(list(overview.journals.items())[:SHOWN_JOURNALS])
        journals = {"journal": list(most), "reports": list(most.values())}
        rejections = read_rejections(build, SHOWN_REJECTIONS)
        return (
            fill("library.html", overview=overview),
            _as_frame(years),
            _as_frame(journals),
            fill("rejections.html", overview=overview, rejections=rejections),
        )

    def permit(self, request: gr.Request) -> tuple[Any, str]:
        """The form for those who may add records, for others who may."""
        if self._settings.may_edit(request.username):
            return gr.Group(visible=True), ""
        who = "Only users named in CASECITE_EDITORS" if self._settings.editors else "Nobody"
        return gr.Group(visible=False), (
            f"{who} may add records from this page; on the computer that serves it, `casecite index update FILES` does."
        )

    def _add(
        self,
        files: Sequence[str] | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[str, None]:
        if not self._settings.may_edit(request.username):
            raise gr.Error("You may not add records here.", print_exception=False)
        if not files:
            raise gr.Error("Choose the files to add first.", print_exception=False)

        def tell(step: str, done: int, total: int | None) -> None:
            progress((done, total) if total else None, desc=step)

        try:
            report = build_index(list(files), self._assistant.index.index_dir, "update", tell)
        except CaseciteError as error:
            raise gr.Error(str(error), print_exception=False, duration=None) from error
        return render_report(report), None


def render_report(report: BuildReport) -> str:
    """What became of the files that were added."""
    return fill("report.html", report=report)


@lru_cache(maxsize=1)
def read_overview(build: OpenBuild) -> LibraryOverview:
    """The overview of a build, which never changes."""
    return describe_library(build)


def _as_frame(columns: dict[str, list[Any]]) -> Any:
    from pandas import DataFrame

    return DataFrame(columns)
