"""Parses published titles and abstracts (HTML, JATS, or plain text with headings) to plain text and sections."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from importlib.resources import files
from itertools import groupby, pairwise
from typing import NamedTuple

from index.ingest.html_blocks import Block, Run, escape_text, parse_blocks
from index.text.cleaning import clean_line, clean_text
from index.text.normalisation import fold_text
from index.types import Section

MAX_LABEL_CHARS = 80
MAX_ESCAPES = 8  # aggregators escape text repeatedly: `&amp;lt;i&amp;gt;`

_LABELS = frozenset(files("index.ingest").joinpath("section_labels.txt").read_text("utf-8").split("\n")) - {""}
_ALTERNATIVES = "|".join(re.escape(label) for label in sorted(_LABELS, key=len, reverse=True))
_FIRST_LABEL = re.compile(rf"(?=[A-Z])((?i:{_ALTERNATIVES}))\s*:(?:\s+|(?=[A-Z]))")
_INNER_LABEL = re.compile(
    r"(?<=[.!?)\u2019\u201d])\s*(?=[A-Z][^a-z:]{1,60}:|[A-Z][^:]{1,60}:\s*[^\sa-z])"  # capitals, or before a sentence
    rf"((?i:{_ALTERNATIVES}))\s*:\s*(?=\S)"
)
_CAPITAL_LABEL = re.compile(rf"(?<=[.!?)])\s+({_ALTERNATIVES.upper()})\s*:\s+(?=\S)")


class PlainAbstract(NamedTuple):
    """The text of an abstract, and its labelled sections as spans of it."""

    text: str
    sections: tuple[Section, ...]


class _Part(NamedTuple):
    """A paragraph, or a piece of one, with the heading before it; a heading alone has no text."""

    label: str | None
    text: str


def read_inline(markup: str) -> str:
    """A title or a name, which may contain (repeatedly escaped) markup, as one line of plain text."""
    text = clean_line(markup)
    for _ in range(MAX_ESCAPES):
        parsed = parse_blocks(text)
        plain = parsed if isinstance(parsed, str) else " ".join(block.text for block in parsed)
        before, text = text, clean_line(plain)
        if text == before:
            break
    return text


def read_abstract(markup: str) -> PlainAbstract:
    """An abstract in HTML, JATS or plain text as plain text without its headings, and the sections they label."""
    parsed = parse_blocks(_unescape(clean_text(markup)))
    blocks = _split_lines(parsed) if isinstance(parsed, str) else parsed
    paragraphs = _attach_headings(part for block in blocks for part in _split_at_bold(block))
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


def _unescape(markup: str) -> str:
    """Unescape markup that was escaped as a whole."""
    for _ in range(MAX_ESCAPES):
        decoded = clean_text(unescape(markup))
        if decoded == markup or "<" in escape_text(markup) or "<" not in escape_text(decoded):
            break
        markup = decoded
    return markup


def _split_lines(text: str) -> Iterator[Block]:
    """The paragraphs of plain text: they end at an empty line and before a line that starts with a heading."""
    block = Block()
    for line in text.split("\n"):
        is_heading = line.strip()[:1].isupper() and _is_label(line)
        if is_heading or not line.strip() or _FIRST_LABEL.match(line.lstrip()):
            yield block
            block = Block(is_heading)
        block.runs.append(Run(f"{line}\n", is_bold=False))
        if is_heading:
            yield block
            block = Block()
    yield block


def _split_at_bold(block: Block) -> Iterator[_Part]:
    """A block cut at its bold headings."""
    if block.is_heading:
        yield _Part(block.text, "")
        return
    label, text = None, ""
    groups = [Run("".join(run.text for run in runs), bold) for bold, runs in groupby(block.runs, lambda run: run[1])]
    for run, after in pairwise([*groups, Run("", is_bold=False)]):
        if run.is_bold and _is_bold_heading(run.text.strip(), text, after.text.lstrip()):
            yield _Part(label, " ".join(text.split()))
            label, text = run.text, ""
        else:
            text += run.text if text or not label else run.text.lstrip().removeprefix(":")
    yield _Part(label, " ".join(text.split()))


def _is_bold_heading(bold: str, before: str, after: str) -> bool:
    """Whether bold text is a heading, and not emphasis within a sentence."""
    if not bold.strip(" :.") or len(bold) > MAX_LABEL_CHARS:
        return False
    if bold.endswith(":") or after.startswith(":"):
        return not before.strip() or _is_label(bold)
    return not before.strip() and _is_label(bold) and (not after or after[0].isupper())


def _is_label(text: str) -> bool:
    return len(text) <= MAX_LABEL_CHARS and fold_text(text.rstrip(" :.\n\r\t")) in _LABELS


def _attach_headings(parts: Iterator[_Part]) -> Iterator[_Part]:
    """Label paragraphs with the heading that stands alone before them; a heading without a paragraph becomes text."""
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
                yield _Part(None, " ".join(label.split()))
    if heading and not is_used:
        yield _Part(None, heading)


def _as_label(heading: str) -> str | None:
    """A heading as a section label; None for "Abstract" and for overlong text."""
    label = read_inline(heading).strip(" :.")
    return label if label and len(label) <= MAX_LABEL_CHARS and fold_text(label) != "abstract" else None


def _split_at_labels(part: _Part) -> Iterator[_Part]:
    """A paragraph cut at the headings in its text: "BACKGROUND: ... CASE: ...".

    Headings in capitals count after any sentence, others only in a paragraph that starts with a heading.
    """
    label, text = part.label, read_inline(part.text)
    inner = _CAPITAL_LABEL
    while first := _FIRST_LABEL.match(text):
        label, text, inner = _as_label(first[1]), text[first.end() :], _INNER_LABEL
    pieces = inner.split(text)
    for piece_label, piece in zip([label, *map(_as_label, pieces[1::2])], pieces[::2], strict=True):
        yield _Part(piece_label, piece.strip())
