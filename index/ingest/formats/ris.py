"""Reads RIS, the export format of most databases and reference managers: entries from `TY  - ` to `ER  - `."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from io import BufferedReader
from typing import Any

from index.ingest.formats.raw_record import RawRecord, reject
from index.ingest.formats.text import Entry, given_name_first, open_text, read_lines
from index.types import Rejection

# The tags of each field, in order of preference.
FIELDS = {
    "title": ("TI", "T1"),
    "abstract": ("AB", "N2"),
    "authors": ("AU", "A1"),
    "journal": ("JF", "T2", "JO", "JA", "J2"),
    "year": ("PY", "Y1", "DA"),
    "volume": ("VL",),
    "doi": ("DO",),
    "url": ("UR",),
    "publication_types": ("M3",),
}

_START = re.compile(r"^TY  -", re.MULTILINE)
_URL = re.compile(r"https?://\S+?(?=\s|;http|$)")  # several are given on separate lines or after semicolons


def is_ris(head: str) -> bool:
    """Whether the first text of a file is RIS."""
    return bool(_START.search(head))


def read_ris(stream: BufferedReader, file: str) -> Iterator[RawRecord | Rejection]:
    """The entries of a file; malformed ones are rejected."""
    with open_text(stream) as text:
        for entry in _split_entries(read_lines(text)):
            if problem := _find_problem(entry):
                yield reject(file, problem, entry.start, entry.text)
            else:
                yield RawRecord(file=file, line=entry.start, data=_as_data(_parse(entry.text)))


def _split_entries(lines: Iterable[tuple[int, str]]) -> Iterator[Entry]:
    """The lines of each entry, and those between entries."""
    entry = Entry()
    for number, line in lines:
        if line.startswith("TY  -") and entry:
            yield entry
            entry = Entry()
        if entry or line.strip():
            entry.add(number, line)
        if line.startswith("ER  -"):
            yield entry
            entry = Entry()
    if entry:
        yield entry


def _find_problem(entry: Entry) -> str | None:
    if not entry.lines[0][1].startswith("TY  -"):
        return "not RIS: text outside of an entry (TY to ER)"
    if not entry.is_too_long and not entry.lines[-1][1].startswith("ER  -"):
        return "the entry has no end (ER): the file may be cut off"
    return entry.problem


def _parse(entry: str) -> dict[str, list[str]]:
    """The values of each tag of an entry; a line without a tag is another value of the tag before it."""
    from rispy import RisParser
    from rispy.config import TAG_KEY_MAPPING

    tags = {tag: tag for tag in TAG_KEY_MAPPING}
    parser = RisParser(mapping=tags, list_tags=list(tags), delimiter_tags_mapping={}, skip_unknown_tags=True)
    (values,) = parser.parse(entry)
    return {tag: values[tag] for tag in values if tag != "TY"}


def _as_data(entry: dict[str, list[str]]) -> dict[str, Any]:
    values = {name: next((entry[tag] for tag in tags if any(entry.get(tag, ()))), []) for name, tags in FIELDS.items()}
    database = " ".join(entry.get("DB", []))
    numbers = [name for name in entry.get("AN", []) if name.isdecimal() or name.casefold().startswith("pmid")]
    # The accession number of another database is no PubMed number, unless it is labelled as one.
    is_pubmed = any(word in database.casefold() for word in ("pubmed", "medline")) or not "".join(numbers).isdecimal()
    data: dict[str, Any] = {name: " ".join(lines) for name, lines in values.items()}
    return data | {
        "source": database,
        "abstract": "\n".join(values["abstract"]),
        "authors": [given_name_first(name) for name in values["authors"]],
        "publication_types": [name for name in values["publication_types"] if not name.startswith("10.")],
        "url": found[0] if (found := _URL.search(" ".join(values["url"]))) else None,
        "pages": "-".join(page for tag in ("SP", "EP") if (page := " ".join(entry.get(tag, [])))),
        "pmid": numbers[0] if numbers and is_pubmed else None,
        "pmcid": next((name for name in entry.get("C2", []) if re.fullmatch(r"PMC\d+", name)), None),
    }
