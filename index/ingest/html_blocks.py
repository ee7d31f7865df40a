"""Parses HTML or JATS to blocks (headings and paragraphs) of plain and bold text, even if the markup is malformed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from typing import Any, NamedTuple

HEADING_TAGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6", "title"))
BOLD_TAGS = frozenset(("b", "bold", "strong"))
SCRIPT_TAGS = ("sub", "sup")
HIDDEN_TAGS = frozenset(("script", "style"))
_OTHER_BLOCK_TAGS = """
    abstract address article aside blockquote body br caption center dd div dl dt fieldset figcaption figure footer form
    head header hr html legend li list list-item main nav ol option p pre sec section table tbody tfoot thead tr ul
"""
_OTHER_INLINE_TAGS = """
    a abbr acronym audio base bdi bdo big button canvas cite code col colgroup del dfn disp-formula em embed ext-link
    font i iframe img inline-formula input ins italic kbd label link mark meta monospace named-content nobr noscript
    object overline param path q roman s samp sans-serif sc select small source span strike styled-content svg td
    template tex-math textarea th tt u underline var video wbr xref
"""
BLOCK_TAGS = HEADING_TAGS.union(_OTHER_BLOCK_TAGS.split())
KNOWN_TAGS = BLOCK_TAGS.union(BOLD_TAGS, SCRIPT_TAGS, HIDDEN_TAGS, _OTHER_INLINE_TAGS.split())
MAX_TAG_CHARS = 5_000

_END_TAGS = {"script": "</script>", "style": "</style>", "!--": "-->"}
_SUPERSCRIPTS = dict(zip("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ", strict=True))
_SUBSCRIPTS = dict(zip("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎", strict=True))


class Run(NamedTuple):
    """Text that is entirely bold or entirely plain."""

    text: str
    is_bold: bool


@dataclass(slots=True)
class Block:
    """A heading or a paragraph, as runs of plain and bold text."""

    is_heading: bool = False
    runs: list[Run] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text on one line."""
        return " ".join("".join(run.text for run in self.runs).split())


def parse_blocks(markup: str) -> list[Block] | str:
    """The blocks of HTML or JATS; the text if the markup has no block and no bold text, so that its lines count."""
    escaped = escape_text(markup)
    if "<" not in escaped:
        return unescape(markup)
    parser = _BlockParser()
    parser.feed(escaped)
    parser.close()
    runs = [run for block in parser.blocks for run in block.runs]
    if not parser.has_blocks and not any(run.is_bold for run in runs):
        return "".join(run.text for run in runs)
    return parser.blocks


def escape_text(markup: str) -> str:
    """Escape every `<` that starts no known, complete tag: "IgG<IgM", `p<0.05` and `<5 mg>` are text.

    Otherwise the HTML parser would drop text, and its time on hostile input would be quadratic.
    """
    head, *pieces = markup.split("<")
    lowered = markup.lower()
    last_ends = {name: lowered.rfind(end) for name, end in _END_TAGS.items()}
    escaped, position = [head], len(head)
    for piece in pieces:
        name = _tag_name(piece)
        is_tag = name is not None and position < last_ends.get(name, len(markup))
        escaped += ["<" if is_tag else "&lt;", piece]
        position += 1 + len(piece)
    return "".join(escaped)


def _tag_name(piece: str) -> str | None:
    """The name of the tag that starts with `<` and this piece; None if it is not a known tag."""
    if piece.startswith("!--"):
        return "!--"
    inside, closed, _ = piece[:MAX_TAG_CHARS].partition(">")
    name, _, attributes = inside.removesuffix("/").replace("\n", " ").partition(" ")
    name = name.lower()
    is_known = _local_name(name.removeprefix("/")) in KNOWN_TAGS
    if not closed or not (is_known or name.startswith(("!doctype", "?xml", "mml:", "/mml:"))):
        return None
    # "a<b and c>d": after a one-letter name only attributes with values make it a tag.
    is_text = attributes.strip() and "=" not in attributes and (len(name) == 1 or name.startswith("/"))
    return None if is_text else _local_name(name)


def _local_name(name: str) -> str:
    return name.removeprefix("jats:")


class _BlockParser(HTMLParser):
    """Collects headings and paragraphs from markup that contains only known tags."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks = [Block()]
        self.has_blocks = False
        self._open: Counter[str] = Counter()

    def set_cdata_mode(self, elem: str, **options: Any) -> None:
        # Newer versions of Python would also ignore the tags in a <title>.
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
        text = _convert_script(data, script) if script else data
        self.blocks[-1].runs.append(Run(text, any(self._open[name] for name in BOLD_TAGS)))

    def _start_block(self, is_heading: bool = False) -> None:
        self.has_blocks = True
        for name in SCRIPT_TAGS:  # unclosed ones end with the block
            self._open[name] = 0
        self.blocks.append(Block(is_heading))


def _convert_script(text: str, tag: str) -> str:
    """`2` in `<sup>` becomes `²`; text without such characters stays, with `^` before a power."""
    table = _SUPERSCRIPTS if tag == "sup" else _SUBSCRIPTS
    stripped = text.strip()
    if all(character in table for character in stripped):
        return "".join(table[character] for character in stripped)
    return f"^{stripped}" if tag == "sup" and any(map(str.isdigit, stripped)) else text
