"""Records in a table, a row each: CSV, or with tabs or semicolons between cells. Columns are told by their names."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from io import BufferedReader
from typing import TYPE_CHECKING, Any

from index.formats.raw_record import RawRecord, excerpt
from index.formats.text import NOT_UTF_8, given_name_first, is_decoded, open_text
from index.types import Rejection

if TYPE_CHECKING:
    import _csv

# The columns of each field, as PubMed, Scopus, Web of Science, Embase, Cochrane, Covidence, Rayyan and Zotero name
# them, the preferred one first; case, blanks and signs do not count.
COLUMNS = {
    "abstract": ("abstract", "abstract note", "AB"),
    "title": ("title", "article title", "document title", "TI"),
    "authors": ("authors", "author", "author names", "author(s)", "AU"),
    "journal": ("journal", "journal/book", "source title", "publication title", "journal title", "source", "SO"),
    "year": ("year", "publication year", "published year", "publication date", "date", "PY"),
    "volume": ("volume", "VL"),
    "pages": ("pages", "page range"),
    "first_page": ("page start", "start page", "first page", "BP"),
    "last_page": ("page end", "end page", "last page", "EP"),
    "doi": ("doi", "DI"),
    "pmid": ("pmid", "pubmed id", "medline pmid", "PM"),
    "pmcid": ("pmcid", "pmc id"),
    "url": ("url", "link"),
    "publication_types": ("publication types", "publication type", "document type", "DT"),
    "is_open_access": ("is open access",),
    "retracted": ("retracted", "is retracted"),
    "source_id": ("id", "source id", "record id", "key"),
}
DELIMITERS = (",", "\t", ";")

_SIGNS = re.compile(r"[\W_]+")


def is_table(head: str) -> bool:
    """Whether the first line of a file names a title or an abstract, and one more of the columns."""
    fields = _find_fields(_read_header(head.partition("\n")[0])[1])
    return len(fields) > 1 and bool(fields.keys() & {"title", "abstract"})


def read_table(stream: BufferedReader, file: str) -> Iterator[RawRecord | Rejection]:
    """The rows of a file; one that is malformed is rejected, and the next is read."""
    with open_text(stream) as text:
        line, first = next((number, line) for number, line in enumerate(text, start=1) if line.strip())
        delimiter, names = _read_header(first)
        fields = _find_fields(names)
        if "abstract" in fields:
            yield from _read_rows(csv.reader(text, delimiter=delimiter, strict=True), names, file, line)
        else:
            reason = f"no column of abstracts among {', '.join(names)}"
            hint = "; PubMed's own CSV has none: save its formats PubMed (.nbib) or XML"
            yield Rejection(file=file, line=line, field="abstract", reason=excerpt(reason) + hint, raw=excerpt(first))


def _read_header(line: str) -> tuple[str, list[str]]:
    """What stands between the cells, and the names of the columns."""
    headers = [(delimiter, _split(line, delimiter)) for delimiter in DELIMITERS]
    return max(headers, key=lambda header: len(_find_fields(header[1])))


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:  # no header: a name of 100,000 characters, say
        return []


def _find_fields(names: Sequence[str]) -> dict[str, list[int]]:
    """The columns that give each field, by number, the preferred one first."""
    known = [_fold(name) for name in names]
    found = {
        field: [known.index(_fold(alias)) for alias in aliases if _fold(alias) in known]
        for field, aliases in COLUMNS.items()
    }
    return {field: columns for field, columns in found.items() if columns}


def _fold(name: str) -> str:
    return _SIGNS.sub("", name.casefold())


def _read_rows(
    reader: _csv.Reader, names: Sequence[str], file: str, header_line: int
) -> Iterator[RawRecord | Rejection]:
    fields = _find_fields(names)
    while True:
        line = header_line + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            if not reader.line_num:
                yield Rejection(file=file, line=header_line, field=None, reason="no row below the columns' names")
            return
        except csv.Error as error:
            reason = f"not CSV: {error}; it is read on after line {header_line + reader.line_num}"
            yield Rejection(file=file, line=line, field=None, reason=reason)
            continue
        if any(cells):
            yield _check_row(cells, names, RawRecord(file=file, line=line, data=_as_data(cells, fields)))


def _check_row(cells: Sequence[str], names: Sequence[str], raw: RawRecord) -> RawRecord | Rejection:
    if any(cells[len(names) :]):
        return raw.reject(None, f"{len(cells)} cells in {len(names)} columns: is a quotation mark missing?")
    return raw if is_decoded("".join(cells)) else raw.reject(None, NOT_UTF_8)


def _as_data(cells: Sequence[str], fields: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """The first cell of each field that holds anything."""
    filled = {number for number, cell in enumerate(cells) if cell.strip()}
    data: dict[str, Any] = {
        field: next((cells[number] for number in columns if number in filled), None)
        for field, columns in fields.items()
    }
    pages = [data.pop(name, None) for name in ("first_page", "last_page")]
    if not data.get("pages"):
        data["pages"] = "-".join(page for page in pages if page)
    if ";" in (data.get("authors") or ""):
        data["authors"] = [given_name_first(name) for name in data["authors"].split(";")]
    return data
