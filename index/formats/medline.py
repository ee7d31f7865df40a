"""Records in MEDLINE format (.nbib), as PubMed saves them: `TAG - value`, longer values indented on further lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import BufferedReader
from typing import Any

from index.formats.raw_record import RawRecord, excerpt
from index.formats.text import NOT_UTF_8, given_name_first, is_decoded, open_text
from index.types import Rejection

# The tags of each field, the preferred one first.
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

_TAG = re.compile(r"[A-Z][A-Z0-9]{1,3} *- ?")
_START = re.compile(r"^PMID- *\d", re.MULTILINE)
_DOI = re.compile(r"(\S+) \[doi\]")

_Lines = Sequence[tuple[int, str]]


def is_medline(head: str) -> bool:
    """Whether a file that begins so is in MEDLINE format."""
    return bool(_START.search(head))


def read_medline(stream: BufferedReader, file: str) -> Iterator[RawRecord | Rejection]:
    """The entries of a file; one that is malformed is rejected, and the next is read."""
    with open_text(stream) as text:
        for entry in _split_entries(text):
            yield _read_entry(entry, file)


def _split_entries(text: Iterator[str]) -> Iterator[_Lines]:
    """The lines of each entry with their numbers: an entry starts after an empty line, or with a further PMID."""
    entry: list[tuple[int, str]] = []
    is_after_blank = False
    for number, line in enumerate(text, start=1):
        is_next_pmid = line.startswith("PMID-") and any(known.startswith("PMID-") for _, known in entry)
        if entry and (is_next_pmid or (is_after_blank and _TAG.match(line))):
            yield entry
            entry = []
        is_after_blank = not line.strip() and not line.startswith(CONTINUATION)
        if not is_after_blank:
            entry.append((number, line))
    if entry:
        yield entry


def _read_entry(entry: _Lines, file: str) -> RawRecord | Rejection:
    from Bio import Medline

    start, first = entry[0]
    whole = "".join(line for _, line in entry)
    stray = [number for number, line in entry if not (_TAG.match(line) or line.startswith(CONTINUATION))]
    if stray or first.startswith(CONTINUATION):
        reason = "not MEDLINE: a line is neither a tag and its value nor indented by six blanks"
        return Rejection(file=file, line=(stray or [start])[0], field=None, reason=reason, raw=excerpt(whole))
    if not is_decoded(whole):
        return Rejection(file=file, line=start, field=None, reason=NOT_UTF_8, raw=excerpt(whole))
    values = Medline.read(line for _, line in entry)  # type: ignore[no-untyped-call]
    return RawRecord(file=file, line=start, data=_as_data(values))


def _as_data(entry: dict[str, Any]) -> dict[str, Any]:
    data = {name: next((entry[tag] for tag in tags if entry.get(tag)), None) for name, tags in FIELDS.items()}
    data["authors"] = [given_name_first(name) for name in entry.get("FAU") or entry.get("AU", [])] + entry.get("CN", [])
    found = _DOI.search(" ".join([entry.get("LID", ""), *entry.get("AID", [])]))
    return data | {"doi": found[1] if found else None, "retracted": "RIN" in entry}
