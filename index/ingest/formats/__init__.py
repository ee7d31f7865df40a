"""The formats that records come in, each found by its content.

A format is a module with a function that tells it from the beginning of a file and one that reads it; another one
needs such a module and a line in `FORMATS`. Readers are given an open file and its name for rejections, yield
raw records in the shape that `index.ingest.records` checks, and go on after what they cannot read.
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
    """`matches` is given the beginning of a file as text without leading white space; `read` the file and its name."""

    name: str
    suffixes: tuple[str, ...]
    matches: Callable[[str], bool]
    read: Callable[[BufferedReader, str], Iterator[RawRecord | Rejection]]


JSON = Format(name="JSON or JSONL", suffixes=(".json", ".jsonl", ".ndjson", ".txt"), matches=is_json, read=read_json)


def formats_with(column_map: ColumnMap) -> tuple[Format, ...]:
    """Every format, the first one that matches to be taken; tables are read by the user's columns first.

    Raises:
        WrongUseError: a field of the column map is none.
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
    """The format of a file from its first bytes or, where they tell nothing, from its name; None for no format at all.

    In a file that is not named as files of records are, which may quote a format, its first line has to tell it.
    """
    text = decode_head(head)
    suffix = _suffix(name)
    is_named = suffix in RECORD_SUFFIXES or name == STDIN_NAME
    shown = text if is_named else text.partition("\n")[0]
    if shown and (by_content := next((kind for kind in formats if kind.matches(shown)), None)):
        return by_content
    if not is_named or is_binary(head):
        return None
    return next((kind for kind in formats if text and suffix in kind.suffixes), JSON)


def _suffix(name: str) -> str:
    return PurePath(name.lower().removesuffix(".gz")).suffix
