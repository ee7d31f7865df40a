"""The tab that describes the library, and where editors add records."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr

from assistant.api.settings import PageSettings
from assistant.assistant import Assistant
from assistant.page.templating import fill
from index.building.build import build_index
from index.errors import CaseciteError
from index.overview import LibraryOverview, describe_library, read_rejections
from index.search.snapshot import Snapshot
from index.text.cleaning import clean_line
from index.types import BuildReport, Rejection

SHOWN_JOURNALS = 15
SHOWN_DATABASES = 10
LISTED_REJECTIONS = 100
_LOG = logging.getLogger(__name__)
_overviews: WeakKeyDictionary[Snapshot, LibraryOverview] = WeakKeyDictionary()


class LibraryTab:
    """Counts, plots, the last build and its rejections, and the form to add records."""

    def __init__(self, assistant: Assistant, settings: PageSettings) -> None:
        self._assistant, self._settings = assistant, settings
        self.facts = gr.HTML(elem_id="library", js_on_load=None, apply_default_css=False)
        with gr.Group(visible=False) as self.form:
            files = gr.File(label="New records: JSON, XML, nbib, RIS or CSV", file_count="multiple")
            add = gr.Button("Add to the library", variant="primary")
        self.outcome = gr.HTML(elem_id="outcome", js_on_load=None, apply_default_css=False)
        self.permission = gr.Markdown(elem_classes="muted")
        added = add.click(self._add, files, [self.outcome, files], concurrency_limit=1, api_visibility="private")
        self.added = added.then(self.show, None, self.facts, show_progress="hidden", api_visibility="private")

    def show(self) -> str:
        """The description of the current build as HTML."""
        build = self._assistant.index.current()
        return render_library(read_overview(build), read_rejections(build, LISTED_REJECTIONS))

    def permit(self, request: gr.Request) -> tuple[Any, str]:
        """The form for editors; for others a note on who may add records."""
        if self._settings.may_edit(request.username):
            return gr.Group(visible=True), ""
        who = "Only users named in CASECITE_EDITORS" if self._settings.editors else "Nobody"
        return gr.Group(visible=False), (
            f"{who} may add records from this page. On the server, `casecite index update FILES` adds them."
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

        def report_progress(step: str, done: int, total: int | None) -> None:
            progress((done, total) if total else None, desc=step)

        try:
            report = build_index(list(files), self._assistant.index.index_dir, "update", report_progress)
        except CaseciteError as error:
            _LOG.warning("records were not added: %s", error, exc_info=error.__cause__)
            raise gr.Error(str(error), print_exception=False, duration=None) from error
        return render_report(report), None


def render_library(overview: LibraryOverview, rejections: Sequence[Rejection]) -> str:
    """Facts, plots by year and journal, and rejected input as HTML."""
    years = overview.years
    return fill(
        "library.html",
        overview=overview,
        years={year: years.get(year, 0) for year in range(min(years), max(years) + 1)} if years else {},
        journals=dict(list(overview.journals.items())[:SHOWN_JOURNALS]),
        databases=list(overview.databases.items())[:SHOWN_DATABASES],
        sources=[_file_name(source) for source in overview.sources],
        rejections=[replace(item, file=_file_name(item.file)) for item in rejections],
    )


def _file_name(source: str) -> str:
    """The last part of a path; the page does not show folders of the server."""
    return clean_line(source.replace("\\", "/").rpartition("/")[2])


def render_report(report: BuildReport) -> str:
    """The result of adding files as HTML."""
    rejected = [replace(item, file=_file_name(item.file)) for item in report.rejected[:LISTED_REJECTIONS]]
    counts = [
        ("Added", report.added, "new to the library"),
        ("Changed", report.changed, "with new text or data"),
        ("Unchanged", report.unchanged, "already in the library"),
        ("Merged", report.merged, "into the record of the same report"),
        ("Repeated", report.duplicates, "given more than once"),
        ("Removed", report.removed, ""),
        ("Rejected", report.rejected_count, "not valid reports"),
    ]
    return fill("report.html", report=report, rejected=rejected, counts=counts)


def read_overview(build: Snapshot) -> LibraryOverview:
    """The overview of a build, cached."""
    if build not in _overviews:
        _overviews[build] = describe_library(build)
    return _overviews[build]
