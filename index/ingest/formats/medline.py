"""Reads MEDLINE format (.nbib), as PubMed exports it: `TAG - value`, with continuation lines indented."""

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
    "pmid": ("PMID",),
    "pmcid": ("PMC",),
    "title": ("TI", "TT"),
    "abstract": ("AB",),
    "journal": ("JT", "TA"),
    "year": ("DP", "DEP"),
    "volume": ("VI",),
    "pages": ("PG",),
    "publication_types": ("PT",),
}
CONTINUATION = "      "
LAST_TAG = "SO"  # PubMed ends each entry with its citation

_TAG = re.compile(r"[A-Z][A-Z0-9]{1,3} *- ?")
_START = re.compile(r"^PMID- *\d", re.MULTILINE)
_DOI_VALUE = re.compile(r"(?<!\S)(\S+) \[doi\]")


def is_medline(head: str) -> bool:
    """Whether the first text of a file is in MEDLINE format."""
    return bool(_START.search(head))


def read_medline(stream: BufferedReader, file: str) -> Iterator[RawRecord | Rejection]:
    """The entries of a file; malformed ones are rejected."""
    from Bio import Medline

    with open_text(stream) as text:
        have_ends = False
        for entry, is_last in _split_entries(read_lines(text)):
            has_end = any(line.startswith(LAST_TAG) for _, line in entry.lines)
            have_ends = have_ends or has_end
            line, problem = _find_problem(entry)
            if not problem and is_last and have_ends and not has_end:
                problem = f"the entry has no end ({LAST_TAG}), unlike the others: the file may be cut off"
            if problem:
                yield reject(file, problem, line, entry.text)
            else:
                values = Medline.read(line for _, line in entry.lines)  # type: ignore[no-untyped-call]
                yield RawRecord(file=file, line=entry.start, data=_as_data(values))


def _split_entries(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[Entry, bool]]:
    """The lines of each entry, and whether it is the last; one starts after an empty line or with another PMID."""
    entry = Entry()
    has_pmid = is_after_blank = False
    for number, line in lines:
        is_pmid = line.startswith("PMID-")
        if entry and ((is_pmid and has_pmid) or (is_after_blank and _TAG.match(line))):
            yield entry, False
            entry, has_pmid = Entry(), False
        has_pmid = has_pmid or is_pmid
        is_after_blank = not line.strip() and not line.startswith(CONTINUATION)
        if not is_after_blank:
            entry.add(number, line)
    if entry:
        yield entry, True


def _find_problem(entry: Entry) -> tuple[int, str | None]:
    """The line of a problem and its description."""
    stray = [number for number, line in entry.lines if not (_TAG.match(line) or line.startswith(CONTINUATION))]
    if not entry.is_too_long and (stray or entry.lines[0][1].startswith(CONTINUATION)):
        problem = "not MEDLINE: a line is neither a tag and its value nor indented by six spaces"
        return (stray or [entry.start])[0], problem
    return entry.start, entry.problem


def _as_data(entry: dict[str, Any]) -> dict[str, Any]:
    data = {name: next((entry[tag] for tag in tags if entry.get(tag)), None) for name, tags in FIELDS.items()}
    data["authors"] = [given_name_first(name) for name in entry.get("FAU") or entry.get("AU", [])] + entry.get("CN", [])
    found = _DOI_VALUE.search(" ".join([entry.get("LID", ""), *entry.get("AID", [])]))
    source = "PubMed" if data["pmid"] else None
    return data | {"source": source, "doi": found[1] if found else None, "retracted": "RIN" in entry}
