"""Records in BibTeX, as reference managers and databases save them: `@article{key, field = {value}, ...}`."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache, partial
from io import BufferedReader
from typing import TYPE_CHECKING, Any

from index.ingest.formats.raw_record import RawRecord, excerpt
from index.ingest.formats.text import NOT_UTF_8, Entry, is_decoded, open_text, read_lines
from index.types import Rejection

if TYPE_CHECKING:
    from bibtexparser.model import Entry as EntryBlock
    from bibtexparser.model import ParsingFailedBlock, String
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
MAX_LATEX_CHARS = 50_000  # of a value, likewise
MAX_DECODED_WORDS = 1_000  # that are remembered

_BLOCK = re.compile(r"^[ \t]*@[ \t]*(\w+)[ \t]*[{(]", re.MULTILINE)
_COMMENTS = {"comment", "preamble"}
# What LaTeX marks: a word with a macro, braces or mathematics in it, and what these hold.
_LATEX = re.compile(r"[\\${}~]|--|``|''")
_WORD = re.compile(r"(?:\\.|\$[^$]*\$|\{(?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.)*\})*\}|[^\s\\${}])+", re.DOTALL)
# What stands for itself where a program that knows no LaTeX wrote it: 5%, 140\90, ~4 mm, $5 and $6.
_COMMENT = re.compile(r"(?<!\\)%")
_BACKSLASH = re.compile(r"\\(?=\d)")
_TILDE = re.compile(r"(?<![\w.,;:)}$\\])~|~(?!\S)")
_DOLLARS = re.compile(r"(?<!\\)\$([^$]*)(?<!\\)\$")
_MATHEMATICS = re.compile(r".*[\\^_=<>{}+]|[A-Za-z]?$|[\d.,\s%-]+$", re.DOTALL)
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
        for kind, block in _split_blocks(read_lines(text)):
            if kind not in _COMMENTS:
                yield from _read_block(kind, block, macros, file)
            elif "@" in block.text.lstrip(" \t@"):  # an entry may begin in the same line
                yield from (item for item in _read_block(kind, block, macros, file) if isinstance(item, RawRecord))


def _split_blocks(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[str, Entry]]:
    """Each block, from the line that begins it to the next one that does, with its kind."""
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
    """What a block holds: an entry, or several that begin in one line. Its macros are kept for those that follow."""
    from bibtexparser.model import String

    whole = block.text
    reject = partial(Rejection, file=file, line=block.start, field=None, raw=excerpt(whole))
    if block.is_too_long or len(whole) > MAX_BIBTEX_CHARS:
        yield reject(reason=f"longer than {MAX_BIBTEX_CHARS:,} characters, which no record is")
        return
    if not is_decoded(whole):
        yield reject(reason=NOT_UTF_8)
        return
    is_empty = True
    for part in _parse("".join(text for name, text in macros.items() if name in whole) + whole):
        if isinstance(part, String):
            _keep_macro(part, macros)
            is_empty = is_empty and kind != "string"
            continue
        is_empty = False
        try:
            yield RawRecord(file=file, line=block.start, data=_as_data(part))
        except ValueError as error:
            yield reject(reason=f"not BibTeX: {error}")
    if is_empty:
        yield reject(reason="not BibTeX: no entry")


def _parse(text: str) -> Iterator[EntryBlock | ParsingFailedBlock | String]:
    """The entries and the macros of a text, and what fails to be one."""
    from bibtexparser.entrypoint import parse_string
    from bibtexparser.model import Entry, ParsingFailedBlock, String

    logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)  # what it warns of is rejected
    blocks = parse_string(text).blocks
    return (block for block in blocks if isinstance(block, Entry | ParsingFailedBlock | String))


def _keep_macro(macro: String, macros: dict[str, str]) -> None:
    if macro.key and len(macros) < MAX_MACROS and len(macro.raw or "") <= MAX_MACRO_CHARS:
        macros[macro.key] = f"{macro.raw}\n"


def _as_data(block: EntryBlock | ParsingFailedBlock) -> dict[str, Any]:
    fields = _get_fields(block)
    values = {name: next((fields[key] for key in keys if fields.get(key)), "") for name, keys in FIELDS.items()}
    authors = values.pop("authors")
    data: dict[str, Any] = {
        name: _ESCAPED.sub(r"\1", value) if name in VERBATIM else _read_latex(value) for name, value in values.items()
    }
    return data | {
        "authors": _split_authors(authors),
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
    """What a value says in LaTeX as plain text or HTML, in the lines that it came in.

    Raises:
        ValueError: it is too long.
    """
    if not _LATEX.search(_ESCAPED.sub("", value)):
        return _ESCAPED.sub(r"\1", value)
    if len(value) > MAX_LATEX_CHARS:
        raise ValueError(f"a value in LaTeX is longer than {MAX_LATEX_CHARS:,} characters, which none is")
    value = _DOLLARS.sub(
        _escape_dollars, _TILDE.sub(r"\\textasciitilde{}", _BACKSLASH.sub(r"\\textbackslash{}", value))
    )
    return _WORD.sub(lambda found: _decode_word(found[0]), _SCRIPT.sub(_mark_script, value))


def _escape_dollars(found: re.Match[str]) -> str:
    """Mathematics as it is; dollars that stand around words are dollars."""
    return found[0] if _MATHEMATICS.match(found[1].strip()) else rf"\${found[1]}\$"


@lru_cache(maxsize=MAX_DECODED_WORDS)
def _decode_word(word: str) -> str:
    """A word as plain text; only those that LaTeX marks are decoded, as that takes its time."""
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

    logging.getLogger("pylatexenc").setLevel(logging.CRITICAL)  # a word that it cannot decode stays as it is
    return LatexNodes2Text(math_mode="text")
