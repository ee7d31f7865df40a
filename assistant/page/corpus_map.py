"""The tab with the map of the library: a dot for each report, near similar ones; a click asks about it."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import gradio as gr

from assistant.assistant import Assistant
from assistant.page.templating import fill
from assistant.references.text import RETRACTED_NOTE
from index.corpus_map import CorpusMap, map_corpus
from index.search.snapshot import Snapshot

_PICK_SCRIPT = """
const pick = (event) => {
  const dot = event.target.closest('circle');
  if (dot && (event.type === 'click' || event.key === 'Enter')) trigger('select', { record_id: dot.dataset.record });
};
element.addEventListener('click', pick);
element.addEventListener('keydown', pick);
"""


class MapTab:
    """The map, drawn when the tab is opened and again when the library has changed."""

    def __init__(self, assistant: Assistant, tab: gr.Tab) -> None:
        self._assistant = assistant
        self._drawn: WeakKeyDictionary[Snapshot, str] = WeakKeyDictionary()
        self.map = gr.HTML(
            '<p class="hint">The map is being drawn.</p>',
            elem_id="corpus-map",
            js_on_load=_PICK_SCRIPT,
            apply_default_css=False,
        )
        tab.select(self._draw, None, self.map, show_progress_on=self.map, concurrency_limit=1, api_visibility="private")

    def question_about(self, event: gr.EventData) -> str:
        """A question about the report whose dot was clicked."""
        record = self._assistant.index.get_record(event.record_id)
        return f"What was the outcome in “{record.name.rstrip('.')}”?" if record else ""

    def _draw(self) -> str:
        build = self._assistant.index.current()
        if build not in self._drawn:
            self._drawn[build] = render_map(map_corpus(build))
        return self._drawn[build]


def render_map(corpus_map: CorpusMap) -> str:
    """The map as an SVG whose dots can be clicked and reached with the arrow keys."""
    return fill(
        "corpus_map.html",
        map=corpus_map,
        places={group: place for place, group in enumerate(corpus_map.groups, 1)},
        retracted_note=RETRACTED_NOTE,
    )
