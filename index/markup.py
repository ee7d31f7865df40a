"""Abstracts as they are published (HTML, or plain text with headings) to plain text and labelled sections."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from typing import NamedTuple

from index.folding import fold_text
from index.types import Section

HEADING_TAGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "title"})
BLOCK_TAGS = HEADING_TAGS | {"abstract", "article", "br", "div", "li", "ol", "p", "sec", "section", "table", "tr", "ul"}
BOLD_TAGS = frozenset({"b", "bold", "strong"})
INLINE_TAGS = BOLD_TAGS | {"a", "big", "em", "font", "i", "italic", "sc", "small", "span", "sub", "sup", "td", "u"}
HIDDEN_TAGS = frozenset({"script", "style"})
KNOWN_TAGS = BLOCK_TAGS | INLINE_TAGS | HIDDEN_TAGS
MAX_LABEL_CHARS = 80

# Characters that cannot be stored, cannot be seen, or turn the direction of the text around them.
_UNSEEN = dict.fromkeys([*range(0x9), 0xB, *range(0xE, 0x20), *range(0x7F, 0xA0), 0xAD, 0x200B, 0xFEFF])
_BIDI_CONTROLS = dict.fromkeys([0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")
_CLEANING = {**_UNSEEN, **_BIDI_CONTROLS, **_SURROGATES}

_SUPERSCRIPTS = dict(zip("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ", strict=True))
_SUBSCRIPTS = dict(zip("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎", strict=True))


class PlainAbstract(NamedTuple):
    """An abstract in plain text, and its labelled sections as spans over it."""

    text: str
    sections: tuple[Section, ...]


@dataclass(slots=True)
class _Block:
    """A paragraph, with the heading that stands before it."""

    label: str | None = None
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(self.parts).split())


def clean_text(text: str) -> str:
    """The text without characters that cannot be stored or seen; lone surrogates become U+FFFD."""
    return text.translate(_CLEANING)


def read_inline(markup: str) -> str:
    """A title or a name, which may carry markup, as one line of plain text."""
    return " ".join(block.text for block in _read_blocks(clean_text(markup)) if block.text)


def read_abstract(markup: str) -> PlainAbstract:
    """An abstract in HTML, JATS or plain text as plain text with its sections; headings are taken out of the text."""
    blocks = [part for block in _read_blocks(clean_text(markup)) for part in _split_at_labels(block) if part.text]
    text = ""
    sections: list[Section] = []
    for block in blocks:
        start = len(text) + bool(text)
        text = f"{text}\n{block.text}" if text else block.text
        if block.label and sections and sections[-1].label == block.label and sections[-1].end + 1 == start:
            sections[-1] = Section(block.label, sections[-1].start, len(text))
        elif block.label:
            sections.append(Section(block.label, start, len(text)))
    return PlainAbstract(text, tuple(sections))


def _read_blocks(markup: str) -> list[_Block]:
    parser = _AbstractParser()
    if "<" in markup:
        parser.feed(markup)
        parser.close()
    if parser.knows_markup:
        return parser.blocks
    # "IgG<IgM" is no tag: text without a tag that we know is taken as it stands.
    return [_Block(parts=[unescape(paragraph)]) for paragraph in re.split(r"\n\s*\n|\n(?=[A-Z][\w ,/-]*:)", markup)]


class _AbstractParser(HTMLParser):
    """Collects paragraphs and their headings. A tag that is not known is text: `<5 mg>` in an abstract is no markup."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.knows_markup = False
        self.blocks = [_Block()]
        self._heading: str | None = None
        self._captured: list[str] | None = None
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        name = tag.removeprefix("jats:")
        if name not in KNOWN_TAGS:
            self.handle_data(self.get_starttag_text() or "")
            return
        self.knows_markup = True
        self._hidden = name in HIDDEN_TAGS
        if name in BLOCK_TAGS:
            self._start_block(self._heading)
        if name in BOLD_TAGS or name in HEADING_TAGS or name in {"sub", "sup"}:
            self._release()
            self._captured = []

    def handle_endtag(self, tag: str) -> None:
        name = tag.removeprefix("jats:")
        if name not in KNOWN_TAGS:
            self.handle_data(f"</{tag}>")
            return
        self.knows_markup = True
        captured = "".join(self._captured or [])
        self._hidden = False
        if name in HEADING_TAGS:
            self._captured = None
            self._heading = _as_label(captured)
            self._start_block(self._heading)
        elif name in BOLD_TAGS and self._is_heading(captured):
            self._captured = None
            self._start_block(_as_label(captured))
        elif name in {"sub", "sup"}:
            self._captured = None
            self.handle_data(_shift_script(captured, name))
        else:
            self._release()
        if name in BLOCK_TAGS - HEADING_TAGS:
            self._start_block(self._heading)

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            (self.blocks[-1].parts if self._captured is None else self._captured).append(data)

    def close(self) -> None:
        super().close()
        self._release()

    def _release(self) -> None:
        """Give text that was held back as a possible heading to its paragraph."""
        if self._captured is not None:
            self.blocks[-1].parts.append("".join(self._captured))
            self._captured = None

    def _start_block(self, label: str | None) -> None:
        self._release()
        self.blocks.append(_Block(label))

    def _is_heading(self, bold: str) -> bool:
        known = fold_text(bold.rstrip(" :.")) in known_labels()
        return bold.rstrip().endswith(":") and (known or not self.blocks[-1].text) and len(bold) <= MAX_LABEL_CHARS


def known_labels() -> frozenset[str]:
    """The headings of structured abstracts, case folded."""
    return _LABELS


def _as_label(heading: str) -> str | None:
    label = " ".join(heading.split()).rstrip(" :.")
    return label if label and fold_text(label) != "abstract" else None


def _shift_script(text: str, tag: str) -> str:
    """`2` in `<sup>` becomes `²`; what has no such character stays, after `^` where a power would be misread."""
    table = _SUPERSCRIPTS if tag == "sup" else _SUBSCRIPTS
    if all(character in table for character in text):
        return "".join(table[character] for character in text)
    return f"^{text}" if tag == "sup" and any(map(str.isdigit, text)) else text


def _split_at_labels(block: _Block) -> list[_Block]:
    """A plain paragraph cut at the headings in it: "BACKGROUND: ... CASE: ..."."""
    text, blocks = block.text, []
    if first := _FIRST_LABEL.match(text):
        block, text = _Block(first[1]), text[first.end() :]
    pieces = _CAPITAL_LABEL.split(text)
    for label, piece in zip([block.label, *pieces[1::2]], pieces[::2], strict=True):
        blocks.append(_Block(label, [piece]))
    return blocks


_LABELS = frozenset(files("index").joinpath("section_labels.txt").read_text("utf-8").split("\n")) - {""}
_ALTERNATIVES = "|".join(re.escape(label) for label in sorted(_LABELS, key=len, reverse=True))
_FIRST_LABEL = re.compile(rf"({_ALTERNATIVES})\s*:\s+", re.IGNORECASE)
_CAPITAL_LABEL = re.compile(rf"(?<=[.!?)])\s+({_ALTERNATIVES.upper()})\s*:\s+")
