"""Records in MEDLINE format (.nbib), as PubMed saves them: `TAG - value`, longer values indented on further lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from io import BufferedReader
from typing import Any

from index.ingest.formats.raw_record import RawRecord, excerpt
from index.ingest.formats.text import NOT_UTF_8, TOO_LONG, Entry, given_name_first, is_decoded, open_text, read_lines
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
LAST_TAG = "SO"  # PubMed ends each entry with where it was published

_TAG = re.compile(r"[A-Z][A-Z0-9]{1,3} *- ?")
_START = re.compile(r"^PMID- *\d", re.MULTILINE)
_DOI = re.compile(r"(?<!\S)(\S+) \[doi\]")


def is_medline(head: str) -> bool:
    """Whether a file that begins so is in MEDLINE format."""
    return bool(_START.search(head))


def read_medline(stream: BufferedReader, file: str) -> Iterator[RawRecord | Rejection]:
    """The entries of a file; one that is malformed is rejected, and the next is read."""
    with open_text(stream) as text:
        have_ends = False
        for entry, is_last in _split_entries(read_lines(text)):
            has_end = any(line.startswith(LAST_TAG) for _, line in entry.lines)
            have_ends = have_ends or has_end
            yield _read_entry(entry, file, is_cut=is_last and have_ends and not has_end)


def _split_entries(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[Entry, bool]]:
    """The lines of each entry, and whether it is the last: one starts after an empty line, or with a further PMID."""
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


def _read_entry(entry: Entry, file: str, *, is_cut: bool) -> RawRecord | Rejection:
    from Bio import Medline

    stray = [number for number, line in entry.lines if not (_TAG.match(line) or line.startswith(CONTINUATION))]
    whole = entry.text
    reason = None
    if entry.is_too_long:
        reason = TOO_LONG
    elif stray or whole.startswith(CONTINUATION):
        reason = "not MEDLINE: a line is neither a tag and its value nor indented by six blanks"
    elif not is_decoded(whole):
        reason = NOT_UTF_8
    elif is_cut:
        reason = f"the entry has no end ({LAST_TAG}), as the others have: the file may be cut off"
    if reason:
        line = entry.start if entry.is_too_long else (stray or [entry.start])[0]
        return Rejection(file=file, line=line, field=None, reason=reason, raw=excerpt(whole))
    values = Medline.read(line for _, line in entry.lines)  # type: ignore[no-untyped-call]
    return RawRecord(file=file, line=entry.start, data=_as_data(values))


def _as_data(entry: dict[str, Any]) -> dict[str, Any]:
    data = {name: next((entry[tag] for tag in tags if entry.get(tag)), None) for name, tags in FIELDS.items()}
    data["authors"] = [given_name_first(name) for name in entry.get("FAU") or entry.get("AU", [])] + entry.get("CN", [])
    found = _DOI.search(" ".join([entry.get("LID", ""), *entry.get("AID", [])]))
    source = "PubMed" if data["pmid"] else None
    return data | {"source": source, "doi": found[1] if found else None, "retracted": "RIN" in entry}
