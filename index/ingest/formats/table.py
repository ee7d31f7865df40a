"""Records in a table, a row each: CSV, or with tabs or semicolons between cells. Columns are told by their names."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from io import BufferedReader
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from index.ingest.formats.raw_record import RawRecord, excerpt
from index.ingest.formats.text import NOT_UTF_8, is_decoded, open_text, read_lines, split_names
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
MAX_ROW_CHARS = 1_000_000  # a cell ends sooner, at csv's own limit

_SIGNS = re.compile(r"[\W_]+")

ColumnMap = Mapping[str, str]
"""Which column the user says gives a field, by field."""
NO_COLUMN_MAP: ColumnMap = MappingProxyType({})


def is_table(head: str, column_map: ColumnMap = NO_COLUMN_MAP) -> bool:
    """Whether the first line of a file names a title or an abstract and one more column, or one of the user's."""
    header = _read_header(head.partition("\n")[0], column_map)
    is_known = len(header.fields) > 1 and bool(header.fields.keys() & {"title", "abstract"})
    return is_known or bool(set(map(_fold, column_map.values())) & set(map(_fold, header.names)))


def read_table(
    stream: BufferedReader, file: str, column_map: ColumnMap = NO_COLUMN_MAP
) -> Iterator[RawRecord | Rejection]:
    """The rows of a file; one that is malformed is rejected, and the next is read."""
    with open_text(stream) as text:
        lines = read_lines(text, MAX_ROW_CHARS)
        line, first = next(((number, line) for number, line in lines if line.strip()), (1, ""))
        header = _read_header(first, column_map)
        if missing := next((field for field in ("abstract", *column_map) if field not in header.fields), None):
            reason = _explain_missing(missing, header, column_map)
            yield Rejection(file=file, line=line, field=missing, reason=reason, raw=excerpt(first))
        else:
            reader = csv.reader((line for _, line in lines), delimiter=header.delimiter, strict=True)
            yield from _read_rows(reader, header, file, line)


class _Header(NamedTuple):
    """What stands between the cells, the names of the columns, and the numbers of those that give each field."""

    delimiter: str
    names: Sequence[str]
    fields: Mapping[str, Sequence[int]]


def _read_header(line: str, column_map: ColumnMap) -> _Header:
    headers = []
    for delimiter in DELIMITERS:
        names = _split(line, delimiter)
        headers.append(_Header(delimiter, names, _find_fields(names, column_map)))
    return max(headers, key=lambda header: (len(header.fields), len(header.names)))


def _explain_missing(field: str, header: _Header, column_map: ColumnMap) -> str:
    there = excerpt(", ".join(header.names))
    if field in column_map:
        return f"no column {column_map[field]!r} among {there}; name the column of this field as it is written there"
    hint = "name it in the column map; PubMed's own CSV has none: save its formats PubMed (.nbib) or XML"
    return f"no column of abstracts among {there}; {hint}"


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:  # no header: a name of 100,000 characters, say
        return []


def _find_fields(names: Sequence[str], column_map: ColumnMap) -> dict[str, list[int]]:
    """The columns that give each field, by number: the user's where it is there, else the usual ones in their order."""
    known = [_fold(name) for name in names]
    mapped = {field: _fold(column) for field, column in column_map.items() if _fold(column) in known}
    found = {field: [known.index(column)] for field, column in mapped.items()}
    for field in [field for field in COLUMNS if field not in mapped]:
        usual = [_fold(alias) for alias in COLUMNS[field]]
        found[field] = [known.index(name) for name in usual if name in known and name not in mapped.values()]
    return {field: columns for field, columns in found.items() if columns}


def _fold(name: str) -> str:
    return _SIGNS.sub("", name.casefold()) or name


def _read_rows(reader: _csv.Reader, header: _Header, file: str, header_line: int) -> Iterator[RawRecord | Rejection]:
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
            yield _check_row(
                cells,
                header.names,
                RawRecord(file=file, line=line, data=_as_data(cells[: len(header.names)], header.fields)),
            )


def _check_row(cells: Sequence[str], names: Sequence[str], raw: RawRecord) -> RawRecord | Rejection:
    if len(cells) + sum(map(len, cells)) > MAX_ROW_CHARS:
        return raw.reject(None, f"longer than {MAX_ROW_CHARS:,} characters, which no record is")
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
    data["authors"] = split_names(data.get("authors") or "")
    return data
