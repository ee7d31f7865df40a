"""Reads BibTeX, as reference managers and databases export it: `@article{key, field = {value}, ...}`."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from io import BufferedReader
from typing import TYPE_CHECKING, Any

from index.ingest.formats.raw_record import RawRecord, reject
from index.ingest.formats.text import Entry, open_text, read_lines
from index.types import Rejection

if TYPE_CHECKING:
    from bibtexparser.model import Entry as EntryBlock
    from bibtexparser.model import ParsingFailedBlock
    from pylatexenc.latex2text import LatexNodes2Text

# The BibTeX fields of each field of a record, in order of preference.
FIELDS = {
    "title": ("title",),
    "abstract": ("abstract",),
    "authors": ("author",),
    "journal": ("journal", "journaltitle", "booktitle"),
    "year": ("year", "date"),
    "volume": ("volume",),
    "pages": ("pages",),
    "doi": ("doi",),
    "pmid": ("pmid", "pubmed_id"),
    "pmcid": ("pmcid", "pmc"),
    "url": ("url",),
    "publication_types": ("document_type", "type"),
    "source": ("source",),
}
VERBATIM = {"doi", "pmid", "pmcid", "url"}  # not LaTeX, apart from some escaped characters
MAX_MACROS = 1_000
MAX_MACRO_CHARS = 1_000
MAX_BIBTEX_CHARS = 1_000_000  # of an entry; the parser would take minutes for a longer one
MAX_LATEX_CHARS = 50_000  # of a value, for the same reason
MAX_DECODED_WORDS = 1_000  # in the cache

_BLOCK = re.compile(r"^[ \t]*@[ \t]*(\w+)[ \t]*[{(]", re.MULTILINE)
_COMMENTS = {"comment", "preamble"}
# LaTeX markup, and words with a macro, braces or mathematics including their content.
_LATEX = re.compile(r"[\\${}~]|--|``|''")
_WORD = re.compile(r"(?:\\.|\$[^$]*\$|\{(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.)*\})*\}|[^\s\\${}])+", re.DOTALL)
# Characters that are no markup if a program without LaTeX support wrote them: 5%, 140\90, ~4 mm, $5 and $6.
_COMMENT = re.compile(r"(?<!\\)%")
_BACKSLASH = re.compile(r"\\(?=\d)")
_TILDE = re.compile(r"(?<![\w.,;:)}$\\])~|~(?!\S)")
_DOLLARS = re.compile(r"(?<!\\)\$([^$]*)(?<!\\)\$")
_MATHEMATICS = re.compile(r".*[\\^_=<>{}+]|[A-Za-z]?$|[\d.,\s%-]+$", re.DOTALL)
_SCRIPT = re.compile(r"(?:\$\s*([_^])\s*(?:\{([^{}$]*)\}|([^{}$\\]))\s*\$)|\\text(sub|super)script\{([^{}]*)\}")
_SCRIPT_TAGS = {"_": "sub", "sub": "sub", "^": "sup", "super": "sup"}
_ESCAPED = re.compile(r"\\([_%&#$])")
_DASH = re.compile("[-\u2010-\u2015]+")


def is_bibtex(head: str) -> bool:
    """Whether the first text of a file is BibTeX."""
    return bool(_BLOCK.search(head))


def read_bibtex(stream: BufferedReader, file: str) -> Iterator[RawRecord | Rejection]:
    """The entries of a file; malformed ones are rejected."""
    macros: dict[str, str] = {}
    with open_text(stream) as text:
        for kind, block in _split_blocks(read_lines(text)):
            if kind not in _COMMENTS:
                yield from _read_block(kind, block, macros, file)
            elif "@" in block.text.lstrip(" \t@"):  # an entry may start on the same line
                yield from (item for item in _read_block(kind, block, macros, file) if isinstance(item, RawRecord))


def _split_blocks(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[str, Entry]]:
    """The kind and the lines of each block; every line that starts a block ends the one before."""
    kind, block = "comment", Entry()
    for number, line in lines:
        if found := _BLOCK.match(line):
            if block:
                yield kind, block
            kind, block = found[1].lower(), Entry()
        block.add(number, line)
    if block:
        yield kind, block


def _read_block(kind: str, block: Entry, macros: dict[str, str], file: str) -> Iterator[RawRecord | Rejection]:
    """The entries of a block, several if they start on one line. Its macros are added to `macros`."""
    from bibtexparser.entrypoint import parse_string
    from bibtexparser.model import Entry as EntryBlock
    from bibtexparser.model import ParsingFailedBlock, String

    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # its warnings become rejections
    whole = block.text
    too_long = f"longer than {MAX_BIBTEX_CHARS:,} characters, the limit" if len(whole) > MAX_BIBTEX_CHARS else None
    if problem := block.problem or too_long:
        yield reject(file, problem, block.start, whole)
        return
    used_macros = "".join(text for name, text in macros.items() if name in whole)
    is_empty = True
    for part in parse_string(used_macros + whole).blocks:
        if isinstance(part, String):
            is_empty = is_empty and kind != "string"
            if part.key and len(macros) < MAX_MACROS and len(part.raw or "") <= MAX_MACRO_CHARS:
                macros[part.key] = f"{part.raw}\n"
        elif isinstance(part, EntryBlock | ParsingFailedBlock):
            is_empty = False
            try:
                yield RawRecord(file=file, line=block.start, data=_as_data(part))
            except ValueError as error:
                yield reject(file, f"not BibTeX: {error}", block.start, whole)
    if is_empty:
        yield reject(file, "not BibTeX: no entry", block.start, whole)


def _as_data(block: EntryBlock | ParsingFailedBlock) -> dict[str, Any]:
    from bibtexparser.middlewares.names import parse_single_name_into_parts, split_multiple_persons_names

    fields = _get_fields(block)
    values = {name: next((fields[key] for key in keys if fields.get(key)), "") for name, keys in FIELDS.items()}
    names = split_multiple_persons_names(values.pop("authors"))
    authors = [parse_single_name_into_parts(name, strict=False) for name in names]
    data: dict[str, Any] = {
        name: _ESCAPED.sub(r"\1", value) if name in VERBATIM else _decode_latex(value) for name, value in values.items()
    }
    return data | {
        "authors": [_decode_latex(author.merge_first_name_first) for author in authors if author.last != ["others"]],
        "pages": _DASH.sub("-", data["pages"]),
    }


def _get_fields(block: EntryBlock | ParsingFailedBlock) -> dict[str, str]:
    """The fields of an entry by lower-case name; of repeated fields the first."""
    from bibtexparser.model import DuplicateFieldKeyBlock
    from bibtexparser.model import Entry as EntryBlock

    entry = block.ignore_error_block if isinstance(block, DuplicateFieldKeyBlock) else block
    if not isinstance(entry, EntryBlock):
        raise ValueError(getattr(getattr(block, "error", None), "abort_reason", "no entry"))
    return {field.key.casefold(): str(field.value) for field in reversed(entry.fields)}


def _decode_latex(value: str) -> str:
    """LaTeX as plain text or HTML, with its line breaks.

    Raises:
        ValueError: it is too long.
    """
    if not _LATEX.search(_ESCAPED.sub("", value)):
        return _ESCAPED.sub(r"\1", value)
    if len(value) > MAX_LATEX_CHARS:
        raise ValueError(f"a value in LaTeX is longer than {MAX_LATEX_CHARS:,} characters, the limit")
    value = _TILDE.sub(r"\\textasciitilde{}", _BACKSLASH.sub(r"\\textbackslash{}", value))
    # Dollars around text that is not mathematics are dollar signs.
    value = _DOLLARS.sub(lambda found: found[0] if _MATHEMATICS.match(found[1].strip()) else rf"\${found[1]}\$", value)
    return _WORD.sub(lambda found: _decode_word(found[0]), _SCRIPT.sub(_mark_script, value))


@lru_cache(maxsize=MAX_DECODED_WORDS)
def _decode_word(word: str) -> str:
    """A word as plain text; the decoder is slow, so it gets only words with markup."""
    if not _LATEX.search(word):
        return word
    try:
        return str(_load_decoder().latex_to_text(_COMMENT.sub(r"\%", word)))
    except Exception:  # for example for a macro without its arguments
        return word


def _mark_script(found: re.Match[str]) -> str:
    tag = _SCRIPT_TAGS[found[1] or found[4]]
    return f"<{tag}>{found[2] or found[3] or found[5] or ''}</{tag}>"


@cache
def _load_decoder() -> LatexNodes2Text:
    from pylatexenc.latex2text import LatexNodes2Text

    logging.getLogger("pylatexenc").setLevel(logging.CRITICAL)  # words that it cannot decode stay unchanged
    return LatexNodes2Text(math_mode="text")
