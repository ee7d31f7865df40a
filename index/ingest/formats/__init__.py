"""The file formats of records, and their detection from content.

A format is a module with two functions: one detects the format from the beginning of a file, the other reads an open
file, yields raw records with the field names that `index.ingest.records` expects, and rejects and skips what it cannot
read. To add a format, write such a module and add a line to `formats_with`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from pathlib import PurePath

from index.errors import WrongUseError
from index.ingest.formats.bibtex import is_bibtex, read_bibtex
from index.ingest.formats.json_records import is_json, read_json
from index.ingest.formats.medline import is_medline, read_medline
from index.ingest.formats.pubmed_xml import is_xml, read_pubmed_xml
from index.ingest.formats.raw_record import RawRecord
from index.ingest.formats.ris import is_ris, read_ris
from index.ingest.formats.table import COLUMNS, NO_COLUMN_MAP, ColumnMap, is_table, read_table
from index.ingest.formats.text import decode_head, is_binary
from index.types import Rejection

STDIN_NAME = "<stdin>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """`matches` gets the first text of a file without leading white space, `read` the open file and its name."""

    name: str
    suffixes: tuple[str, ...]
    matches: Callable[[str], bool]
    read: Callable[[BufferedReader, str], Iterator[RawRecord | Rejection]]


JSON = Format(name="JSON or JSONL", suffixes=(".json", ".jsonl", ".ndjson", ".txt"), matches=is_json, read=read_json)


def formats_with(column_map: ColumnMap) -> tuple[Format, ...]:
    """Every format, in the order in which they are tried; tables prefer the columns of the user's map.

    Raises:
        WrongUseError: the column map has an unknown field.
    """
    if unknown := next((field for field in column_map if field not in COLUMNS), None):
        raise WrongUseError(f"no field {unknown!r} for a column", remedy=f"use one of {', '.join(COLUMNS)}")
    matches = partial(is_table, column_map=column_map)
    read = partial(read_table, column_map=column_map)
    return (
        JSON,
        Format(name="PubMed XML", suffixes=(".xml",), matches=is_xml, read=read_pubmed_xml),
        Format(name="RIS", suffixes=(".ris",), matches=is_ris, read=read_ris),
        Format(name="MEDLINE", suffixes=(".nbib", ".medline"), matches=is_medline, read=read_medline),
        Format(name="BibTeX", suffixes=(".bib", ".bibtex"), matches=is_bibtex, read=read_bibtex),
        Format(name="CSV or TSV", suffixes=(".csv", ".tsv"), matches=matches, read=read),
    )


FORMATS = formats_with(NO_COLUMN_MAP)
RECORD_SUFFIXES = tuple(suffix for kind in FORMATS for suffix in kind.suffixes)
FORMAT_NAMES = ", ".join(kind.name for kind in FORMATS)


def detect_format(head: bytes, name: str, formats: Sequence[Format] = FORMATS) -> Format | None:
    """The format of a file from its first bytes, otherwise from its name; None if it has none.

    In a file with an unknown suffix (documentation, say, which may quote a format) only the first line counts.
    """
    text = decode_head(head)
    suffix = PurePath(name.lower().removesuffix(".gz")).suffix
    is_named = suffix in RECORD_SUFFIXES or name == STDIN_NAME
    shown = text if is_named else text.partition("\n")[0]
    if shown and (by_content := next((kind for kind in formats if kind.matches(shown)), None)):
        return by_content
    if not is_named or is_binary(head):
        return None
    return next((kind for kind in formats if text and suffix in kind.suffixes), JSON)
