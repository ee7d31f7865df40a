"""Abstracts as they are published (HTML, or plain text with headings) to plain text and labelled sections."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from index.text.cleaning import clean_line, clean_text
from index.text.normalisation import fold_text
from index.types import Section


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


HEADING_TAGS = _words("h1 h2 h3 h4 h5 h6 title")
BLOCK_TAGS = HEADING_TAGS | _words(
    "abstract address article aside blockquote body br caption center dd div dl dt fieldset figcaption figure footer "
    "form head header hr html legend li list list-item main nav ol option p pre sec section table tbody tfoot thead tr "
    "ul"
)
BOLD_TAGS = _words("b bold strong")
SCRIPT_TAGS = _words("sub sup")
HIDDEN_TAGS = _words("script style")
INLINE_TAGS = (BOLD_TAGS | SCRIPT_TAGS) | _words(
    "a abbr acronym audio base bdi bdo big button canvas cite code col colgroup del dfn disp-formula em embed ext-link "
    "font i iframe img inline-formula input ins italic kbd label link mark meta monospace named-content nobr noscript "
    "object overline param path q roman s samp sans-serif sc select small source span strike styled-content svg td "
    "template tex-math textarea th tt u underline var video wbr xref"
)
KNOWN_TAGS = BLOCK_TAGS | INLINE_TAGS | HIDDEN_TAGS
MAX_LABEL_CHARS = 80
MAX_TAG_CHARS = 5_000
# Aggregators escape what is escaped already: `&amp;lt;i&amp;gt;`. More layers than this are text.
MAX_READINGS = 8

_SUPERSCRIPTS = dict(zip("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ", strict=True))
_SUBSCRIPTS = dict(zip("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎", strict=True))


class PlainAbstract(NamedTuple):
    """An abstract in plain text, and its labelled sections as spans over it."""

    text: str
    sections: tuple[Section, ...]


class _Part(NamedTuple):
    """A paragraph, or a piece of one, with the label that stands before it."""

    label: str | None
    text: str


class _Run(NamedTuple):
    text: str
    is_bold: bool


@dataclass(slots=True)
class _Block:
    """A heading or a paragraph, in runs of plain and of bold text."""

    is_heading: bool = False
    runs: list[_Run] = field(default_factory=list)

    @property
    def text(self) -> str:
        return _one_line("".join(run.text for run in self.runs))


def read_inline(markup: str) -> str:
    """A title or a name, which may carry markup (once more escaped, even), as one line of plain text."""
    text = clean_line(markup)
    for _ in range(MAX_READINGS):
        before, text = text, clean_line(" ".join(block.text for block in _read_blocks(text)))
        if text == before:
            break
    return text


def read_abstract(markup: str) -> PlainAbstract:
    """An abstract in HTML, JATS or plain text as plain text with its sections; headings are taken out of the text."""
    blocks = _read_blocks(_unwrap(clean_text(markup)))
    paragraphs = _join_headings(part for block in blocks for part in _split_at_bold(block))
    pieces: list[str] = []
    sections: list[Section] = []
    position = 0
    for label, text in (part for paragraph in paragraphs for part in _split_at_labels(paragraph) if part.text):
        end = position + len(text)
        if label and sections and sections[-1].label == label and sections[-1].end + 1 == position:
            sections[-1] = Section(label, sections[-1].start, end)
        elif label:
            sections.append(Section(label, position, end))
        pieces.append(text)
        position = end + 1
    return PlainAbstract("\n".join(pieces), tuple(sections))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _unwrap(markup: str) -> str:
    """Markup that was escaped as a whole, as it was before."""
    for _ in range(MAX_READINGS):
        decoded = clean_text(unescape(markup))
        if decoded == markup or "<" in _escape_text(markup) or "<" not in _escape_text(decoded):
            break
        markup = decoded
    return markup


def _read_blocks(markup: str) -> list[_Block]:
    escaped = _escape_text(markup)
    if "<" not in escaped:
        return list(_read_lines(unescape(markup)))
    parser = _BlockParser()
    parser.feed(escaped)
    parser.close()
    runs = [run for block in parser.blocks for run in block.runs]
    # Tags within the lines of a plain text, as in "H<sub>2</sub>O": its paragraphs are those of the plain text.
    if not parser.has_blocks and not any(run.is_bold for run in runs):
        return list(_read_lines("".join(run.text for run in runs)))
    return parser.blocks


def _read_lines(text: str) -> Iterator[_Block]:
    """The paragraphs of plain text: they end at an empty line and before a line that begins with a heading."""
    block = _Block()
    for line in text.split("\n"):
        is_heading = line.strip()[:1].isupper() and _is_label(line)
        if is_heading or not line.strip() or _FIRST_LABEL.match(line.lstrip()):
            yield block
            block = _Block(is_heading)
        block.runs.append(_Run(f"{line}\n", is_bold=False))
        if is_heading:
            yield block
            block = _Block()
    yield block


def _escape_text(markup: str) -> str:
    """Every `<` that begins no tag we know escaped: "IgG<IgM", `p<0.05` and `<5 mg>` in an abstract are its text.

    What is left for the parser is complete tags, so that it neither swallows text nor slows down on hostile input.
    """
    head, *pieces = markup.split("<")
    lowered = markup.lower()
    last_ends = {name: lowered.rfind(end) for name, end in _LATE_ENDS.items()}
    escaped, position = [head], len(head)
    for piece in pieces:
        name = _tag_name(piece)
        is_tag = name is not None and position < last_ends.get(name, len(markup))
        escaped += ["<" if is_tag else "&lt;", piece]
        position += 1 + len(piece)
    return "".join(escaped)


def _tag_name(piece: str) -> str | None:
    """The name of the tag that `<` and this piece begin, or None where it is no tag that we know."""
    if piece.startswith("!--"):
        return "!--"
    inside, closed, _ = piece[:MAX_TAG_CHARS].partition(">")
    name, _, attributes = inside.removesuffix("/").replace("\n", " ").partition(" ")
    name = name.lower()
    if not closed or not (name.startswith(("!doctype", "?xml", "mml:", "/mml:")) or _known(name)):
        return None
    # "a<b and c>d": a name of one letter is a tag by itself, or with attributes that have values.
    is_text = attributes.strip() and "=" not in attributes and (len(name) == 1 or name.startswith("/"))
    return None if is_text else _local_name(name)


def _known(name: str) -> bool:
    return _local_name(name.removeprefix("/")) in KNOWN_TAGS


def _local_name(name: str) -> str:
    return name.removeprefix("jats:")


class _BlockParser(HTMLParser):
    """Collects headings and paragraphs from markup in which only known tags stand."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks = [_Block()]
        self.has_blocks = False
        self._open: Counter[str] = Counter()

    def set_cdata_mode(self, elem: str, **options: Any) -> None:
        # Later versions of Python would not read the tags in a <title> either.
        if elem in HIDDEN_TAGS:
            super().set_cdata_mode(elem, **options)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        name = _local_name(tag)
        self._open[name] += 1
        if name in BLOCK_TAGS:
            self._start_block(is_heading=name in HEADING_TAGS)
        elif name in {"td", "th"}:
            self.handle_data(" ")

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        if _local_name(tag) in BLOCK_TAGS:
            self._start_block()

    def handle_endtag(self, tag: str) -> None:
        name = _local_name(tag)
        self._open[name] = max(0, self._open[name] - 1)
        if name in BLOCK_TAGS:
            self._start_block()

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            return
        script = next((name for name in SCRIPT_TAGS if self._open[name]), None)
        text = _shift_script(data, script) if script else data
        self.blocks[-1].runs.append(_Run(text, any(self._open[name] for name in BOLD_TAGS)))

    def _start_block(self, is_heading: bool = False) -> None:
        self.has_blocks = True
        for name in SCRIPT_TAGS:  # one that was not closed ends here
            self._open[name] = 0
        self.blocks.append(_Block(is_heading))


def _shift_script(text: str, tag: str) -> str:
    """`2` in `<sup>` becomes `²`; what has no such character stays, after `^` where a power would be misread."""
    table = _SUPERSCRIPTS if tag == "sup" else _SUBSCRIPTS
    stripped = text.strip()
    if all(character in table for character in stripped):
        return "".join(table[character] for character in stripped)
    return f"^{stripped}" if tag == "sup" and any(map(str.isdigit, stripped)) else text


def _split_at_bold(block: _Block) -> Iterator[_Part]:
    """A block cut at its bold headings; a part that is a heading and nothing else has no text."""
    if block.is_heading:
        yield _Part(block.text, "")
        return
    label, text = None, ""
    groups = [_Run("".join(run.text for run in runs), bold) for bold, runs in groupby(block.runs, lambda run: run[1])]
    for run, after in pairwise([*groups, _Run("", is_bold=False)]):
        if run.is_bold and _is_bold_heading(run.text.strip(), text, after.text.lstrip()):
            yield _Part(label, _one_line(text))
            label, text = run.text, ""
        else:
            text += run.text if text or not label else run.text.lstrip().removeprefix(":")
    yield _Part(label, _one_line(text))


def _is_bold_heading(bold: str, before: str, after: str) -> bool:
    """Whether bold text heads what follows, rather than stands out in a sentence."""
    if not bold.strip(" :.") or len(bold) > MAX_LABEL_CHARS:
        return False
    if bold.endswith(":") or after.startswith(":"):
        return not before.strip() or _is_label(bold)
    return not before.strip() and _is_label(bold) and (not after or after[0].isupper())


def _is_label(text: str) -> bool:
    return len(text) <= MAX_LABEL_CHARS and fold_text(text.rstrip(" :.\n\r\t")) in _LABELS


def _join_headings(parts: Iterator[_Part]) -> Iterator[_Part]:
    """Headings that stand alone given to the paragraphs up to the next heading; one that heads nothing is text."""
    heading: str | None = None
    is_used = True
    for label, text in parts:
        if heading and not is_used and label:
            yield _Part(None, heading)
            heading = None
        if text:
            is_used = True
            yield _Part(_as_label(label) if label else heading, text)
        elif label:
            heading, is_used = _as_label(label), False
            if not heading and not _is_label(label):
                yield _Part(None, _one_line(label))
    if heading and not is_used:
        yield _Part(None, heading)


def _as_label(heading: str) -> str | None:
    """A heading as it is shown; None for the word "Abstract", and for what is too long to head anything."""
    label = read_inline(heading).strip(" :.")
    return label if label and len(label) <= MAX_LABEL_CHARS and fold_text(label) != "abstract" else None


def _split_at_labels(part: _Part) -> Iterator[_Part]:
    """A paragraph cut at the headings in its text: "BACKGROUND: ... CASE: ...".

    In capitals they are taken for headings after any sentence, else only in a paragraph that begins with one.
    """
    label, text = part.label, read_inline(part.text)
    inner = _CAPITAL_LABEL
    while first := _FIRST_LABEL.match(text):
        label, text, inner = _as_label(first[1]), text[first.end() :], _INNER_LABEL
    pieces = inner.split(text)
    for piece_label, piece in zip([label, *map(_as_label, pieces[1::2])], pieces[::2], strict=True):
        yield _Part(piece_label, piece.strip())


_LATE_ENDS = {"script": "</script>", "style": "</style>", "!--": "-->"}
_LABELS = frozenset(files("index.ingest").joinpath("section_labels.txt").read_text("utf-8").split("\n")) - {""}
_ALTERNATIVES = "|".join(re.escape(label) for label in sorted(_LABELS, key=len, reverse=True))
_FIRST_LABEL = re.compile(rf"(?=[A-Z])((?i:{_ALTERNATIVES}))\s*:(?:\s+|(?=[A-Z]))")
_INNER_LABEL = re.compile(
    r"(?<=[.!?)\u2019\u201d])\s*(?=[A-Z][^a-z:]{1,60}:|[A-Z][^:]{1,60}:\s*[^\sa-z])"  # capitals, or before a sentence
    rf"((?i:{_ALTERNATIVES}))\s*:\s*(?=\S)"
)
_CAPITAL_LABEL = re.compile(rf"(?<=[.!?)])\s+({_ALTERNATIVES.upper()})\s*:\s+(?=\S)")
