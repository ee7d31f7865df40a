"""Reads tables with one record per row: CSV, or separated by tabs or semicolons. Columns are found by name."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from io import BufferedReader
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from index.ingest.formats.raw_record import RawRecord, excerpt, reject
from index.ingest.formats.text import NOT_UTF_8, is_decoded, open_text, read_lines, split_names
from index.types import Rejection

if TYPE_CHECKING:
    import _csv

# The columns of each field, in order of preference, as PubMed, Scopus, Web of Science, Embase, Cochrane, Covidence,
# Rayyan and Zotero name them; only letters and digits count, in any case.
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
MAX_ROW_CHARS = 1_000_000  # a cell has a lower limit, that of the csv module

_PUNCTUATION = re.compile(r"[\W_]+")

ColumnMap = Mapping[str, str]
"""The name of the column that the user gives for each field."""
NO_COLUMN_MAP: ColumnMap = MappingProxyType({})


def is_table(head: str, column_map: ColumnMap = NO_COLUMN_MAP) -> bool:
    """Whether the first line of a file names a title or abstract and another known column, or one of the user's."""
    header = _read_header(head.partition("\n")[0], column_map)
    is_known = len(header.fields) > 1 and bool(header.fields.keys() & {"title", "abstract"})
    return is_known or bool(set(map(_fold, column_map.values())) & set(map(_fold, header.names)))


def read_table(
    stream: BufferedReader, file: str, column_map: ColumnMap = NO_COLUMN_MAP
) -> Iterator[RawRecord | Rejection]:
    """The rows of a file; malformed ones are rejected."""
    with open_text(stream) as text:
        lines = read_lines(text, MAX_ROW_CHARS)
        line, first = next(((number, line) for number, line in lines if line.strip()), (1, ""))
        header = _read_header(first, column_map)
        if missing := next((field for field in ("abstract", *column_map) if field not in header.fields), None):
            there = excerpt(", ".join(header.names))
            if missing in column_map:
                reason = f"no column {column_map[missing]!r} among {there}; give the column name as it is written there"
            else:
                remedy = "name it in the column map; PubMed's own CSV has none: export .nbib (PubMed) or XML instead"
                reason = f"no column of abstracts among {there}; {remedy}"
            yield Rejection(file=file, line=line, field=missing, reason=reason, raw=excerpt(first))
        else:
            reader = csv.reader((line for _, line in lines), delimiter=header.delimiter, strict=True)
            yield from _read_rows(reader, header, file, line)


class _Header(NamedTuple):
    """The delimiter, the column names, and the column numbers of each field."""

    delimiter: str
    names: Sequence[str]
    fields: Mapping[str, Sequence[int]]


def _read_header(line: str, column_map: ColumnMap) -> _Header:
    """The header with the delimiter that gives most fields."""
    headers = []
    for delimiter in DELIMITERS:
        try:
            names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
        except csv.Error:  # a name of 100,000 characters, for example
            names = []
        headers.append(_Header(delimiter, names, _find_fields(names, column_map)))
    return max(headers, key=lambda header: (len(header.fields), len(header.names)))


def _find_fields(names: Sequence[str], column_map: ColumnMap) -> dict[str, list[int]]:
    """The column numbers of each field: the user's column if it exists, otherwise the usual ones in order."""
    known = [_fold(name) for name in names]
    mapped = {field: _fold(column) for field, column in column_map.items() if _fold(column) in known}
    found = {field: [known.index(column)] for field, column in mapped.items()}
    for field in [field for field in COLUMNS if field not in mapped]:
        usual = [_fold(alias) for alias in COLUMNS[field]]
        found[field] = [known.index(name) for name in usual if name in known and name not in mapped.values()]
    return {field: columns for field, columns in found.items() if columns}


def _fold(name: str) -> str:
    return _PUNCTUATION.sub("", name.casefold()) or name


def _read_rows(reader: _csv.Reader, header: _Header, file: str, header_line: int) -> Iterator[RawRecord | Rejection]:
    while True:
        line = header_line + reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            if not reader.line_num:
                yield reject(file, "no row below the column names", header_line)
            return
        except csv.Error as error:
            yield reject(file, f"not CSV: {error}; reading continues after line {header_line + reader.line_num}", line)
            continue
        if any(cells):
            raw = RawRecord(file=file, line=line, data=_as_data(cells[: len(header.names)], header.fields))
            problem = _find_problem(cells, len(header.names))
            yield raw.reject(None, problem) if problem else raw


def _find_problem(cells: Sequence[str], columns: int) -> str | None:
    if len(cells) + sum(map(len, cells)) > MAX_ROW_CHARS:
        return f"longer than {MAX_ROW_CHARS:,} characters, the limit"
    if any(cells[columns:]):
        return f"{len(cells)} cells in {columns} columns: is a quotation mark missing?"
    return None if is_decoded("".join(cells)) else NOT_UTF_8


def _as_data(cells: Sequence[str], fields: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """The first non-empty cell of each field."""
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
