"""Records in BibTeX, as reference managers and databases save them: `@article{key, field = {value}, ...}`."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from io import BufferedReader
from typing import TYPE_CHECKING, Any

from index.formats.raw_record import RawRecord, excerpt
from index.formats.text import NOT_UTF_8, Entry, is_decoded, open_text, read_lines
from index.types import Rejection

if TYPE_CHECKING:
    from bibtexparser.model import Entry as EntryBlock
    from bibtexparser.model import ParsingFailedBlock
    from pylatexenc.latex2text import LatexNodes2Text

# The fields of each field of a record, the preferred one first.
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
VERBATIM = {"doi", "pmid", "pmcid", "url"}  # not LaTeX, but that some characters are escaped as there
MAX_MACROS = 1_000
MAX_MACRO_CHARS = 1_000
MAX_BIBTEX_CHARS = 1_000_000  # of an entry; a longer one would take its parser minutes

_BLOCK = re.compile(r"^[ \t]*@[ \t]*(\w+)[ \t]*[{(][ \t]*([^\s,={}\"]*)", re.MULTILINE)
_NO_RECORDS = {"comment", "preamble", "string"}
# What LaTeX marks: a word with a macro, braces or mathematics in it, and what these hold.
_LATEX = re.compile(r"[\\${}~]|--|``|''")
_WORD = re.compile(r"(?:\\.|\$[^$]*\$|\{(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.)*\})*\}|[^\s\\${}])+", re.DOTALL)
# What stands for itself where a program that knows no LaTeX wrote it: 5%, 140\90, ~4 mm, $5 and $6.
_COMMENT = re.compile(r"(?<!\\)%")
_BACKSLASH = re.compile(r"\\(?=\d)")
_TILDE = re.compile(r"(?<![\w.,;:)}$\\])~|~(?!\S)")
_DOLLARS = re.compile(r"(?<!\\)\$([^$]*)(?<!\\)\$")
_MATHEMATICS = re.compile(r".*[\\^_=<>{}+]|\s*(?:[A-Za-z]|[\d.,\s%-]+)\s*$", re.DOTALL)
_SCRIPT = re.compile(r"(?:\$\s*([_^])\s*(?:\{([^{}$]*)\}|([^{}$\\]))\s*\$)|\\text(sub|super)script\{([^{}]*)\}")
_SCRIPT_TAGS = {"_": "sub", "sub": "sub", "^": "sup", "super": "sup"}
_ESCAPED = re.compile(r"\\([_%&#$])")
_DASHES = re.compile("[-\u2010-\u2015]+")


def is_bibtex(head: str) -> bool:
    """Whether a file that begins so is BibTeX."""
    return bool(_BLOCK.search(head))


def read_bibtex(stream: BufferedReader, file: str) -> Iterator[RawRecord | Rejection]:
    """The entries of a file; one that is malformed is rejected, and the next is read."""
    macros: dict[str, str] = {}
    with open_text(stream) as text:
        for kind, name, entry in _split_blocks(read_lines(text)):
            if kind == "string" and len(macros) < MAX_MACROS and len(entry.text) <= MAX_MACRO_CHARS:
                macros[name] = entry.text
            elif kind not in _NO_RECORDS:
                yield from _read_entry(entry, macros, file)


def _split_blocks(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[str, str, Entry]]:
    """Each block, from the line that begins it to the next one that does, with its kind and its key."""
    kind, key, entry = "comment", "", Entry()
    for number, line in lines:
        if found := _BLOCK.match(line):
            yield kind, key, entry
            kind, key, entry = found[1].lower(), found[2], Entry()
        entry.add(number, line)
    yield kind, key, entry


def _read_entry(entry: Entry, macros: Mapping[str, str], file: str) -> Iterator[RawRecord | Rejection]:
    """What an entry holds, or the entries, where several begin in one line."""
    whole = entry.text
    reason = None if is_decoded(whole) else NOT_UTF_8
    if entry.is_too_long or len(whole) > MAX_BIBTEX_CHARS:
        reason = f"longer than {MAX_BIBTEX_CHARS:,} characters, which no record is"
    if reason:
        yield Rejection(file=file, line=entry.start, field=None, reason=reason, raw=excerpt(whole))
        return
    for block in _parse("".join(text for name, text in macros.items() if name in whole) + whole):
        try:
            data = _as_data(block)
        except ValueError as error:
            yield Rejection(file=file, line=entry.start, field=None, reason=f"not BibTeX: {error}", raw=excerpt(whole))
        else:
            yield RawRecord(file=file, line=entry.start, data=data)


def _parse(text: str) -> Iterator[EntryBlock | ParsingFailedBlock]:
    """The entries of a text, and what fails to be one."""
    from bibtexparser.entrypoint import parse_string
    from bibtexparser.model import Entry, ParsingFailedBlock

    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # what it warns of is rejected
    blocks = parse_string(text).blocks
    return (block for block in blocks if isinstance(block, Entry | ParsingFailedBlock))


def _as_data(block: EntryBlock | ParsingFailedBlock) -> dict[str, Any]:
    fields = _get_fields(block)
    values = {name: next((fields[key] for key in keys if fields.get(key)), "") for name, keys in FIELDS.items()}
    data: dict[str, Any] = {name: _ESCAPED.sub(r"\1", values[name]) for name in VERBATIM}
    data |= {name: _read_latex(value) for name, value in values.items() if name not in VERBATIM | {"authors"}}
    return data | {
        "authors": _split_authors(values["authors"]),
        "pages": _DASHES.sub("-", data["pages"]),
    }


def _get_fields(block: EntryBlock | ParsingFailedBlock) -> dict[str, str]:
    """The fields of an entry by name in small letters; of one that is given twice, the first."""
    from bibtexparser.model import DuplicateFieldKeyBlock
    from bibtexparser.model import Entry as EntryBlock

    entry = block.ignore_error_block if isinstance(block, DuplicateFieldKeyBlock) else block
    if not isinstance(entry, EntryBlock):
        raise ValueError(getattr(getattr(block, "error", None), "abort_reason", "no entry"))
    return {field.key.casefold(): str(field.value) for field in reversed(entry.fields)}


def _split_authors(names: str) -> list[str]:
    from bibtexparser.middlewares.names import parse_single_name_into_parts, split_multiple_persons_names

    parts = (parse_single_name_into_parts(name, strict=False) for name in split_multiple_persons_names(names))
    return [_read_latex(part.merge_first_name_first) for part in parts if part.last != ["others"]]


def _read_latex(value: str) -> str:
    """What a value says in LaTeX as plain text or HTML, in the lines that it came in."""
    if not _LATEX.search(_ESCAPED.sub("", value)):
        return _ESCAPED.sub(r"\1", value)
    value = _DOLLARS.sub(
        _escape_dollars, _TILDE.sub(r"\\textasciitilde{}", _BACKSLASH.sub(r"\\textbackslash{}", value))
    )
    return _WORD.sub(_decode_word, _SCRIPT.sub(_mark_script, value))


def _escape_dollars(found: re.Match[str]) -> str:
    """Mathematics as it is; dollars that stand around words are dollars."""
    return found[0] if _MATHEMATICS.match(found[1]) else rf"\${found[1]}\$"


def _decode_word(found: re.Match[str]) -> str:
    """A word as plain text; only those that LaTeX marks are decoded, as that takes its time."""
    word = found[0]
    if not _LATEX.search(word):
        return word
    try:
        return str(_load_decoder().latex_to_text(_COMMENT.sub(r"\%", word)))
    except Exception:  # the decoder's own, of a macro without its arguments, say
        return word


def _mark_script(found: re.Match[str]) -> str:
    tag = _SCRIPT_TAGS[found[1] or found[4]]
    return f"<{tag}>{found[2] or found[3] or found[5] or ''}</{tag}>"


@cache
def _load_decoder() -> LatexNodes2Text:
    from pylatexenc.latex2text import LatexNodes2Text

    return LatexNodes2Text(math_mode="text")
