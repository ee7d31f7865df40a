"""Records in RIS, as reference managers and most databases save them: `TY  - ` begins an entry, `ER  - ` ends it."""

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
_ADDRESS = re.compile(r"https?://\S+?(?=\s|;http|$)")  # several stand on lines of their own, or after semicolons
_PMCID = re.compile(r"PMC\d+")


def is_ris(head: str) -> bool:
    """Whether a file that begins so is RIS."""
    return bool(_START.search(head))


def read_ris(stream: BufferedReader, file: str) -> Iterator[RawRecord | Rejection]:
    """The entries of a file; one that is malformed is rejected, and the next is read."""
    with open_text(stream) as text:
        for entry in _split_entries(read_lines(text)):
            yield _read_entry(entry, file)


def _split_entries(lines: Iterable[tuple[int, str]]) -> Iterator[Entry]:
    """The lines of each entry, and of what stands between entries."""
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


def _read_entry(entry: Entry, file: str) -> RawRecord | Rejection:
    whole = entry.text
    if reason := _find_fault(entry, whole):
        return Rejection(file=file, line=entry.start, field=None, reason=reason, raw=excerpt(whole))
    return RawRecord(file=file, line=entry.start, data=_as_data(_parse(whole)))


def _find_fault(entry: Entry, whole: str) -> str | None:
    if entry.is_too_long:
        return TOO_LONG
    if not whole.startswith("TY  -"):
        return "not RIS: text outside of an entry (TY to ER)"
    if not entry.lines[-1][1].startswith("ER  -"):
        return "the entry has no end (ER): the file may be cut off"
    return None if is_decoded(whole) else NOT_UTF_8


def _parse(entry: str) -> dict[str, list[str]]:
    """The values of each tag of an entry; a line without a tag is one more value of the tag before it."""
    from rispy import RisParser
    from rispy.config import TAG_KEY_MAPPING

    tags = {tag: tag for tag in TAG_KEY_MAPPING}
    parser = RisParser(mapping=tags, list_tags=list(tags), delimiter_tags_mapping={}, skip_unknown_tags=True)
    (values,) = parser.parse(entry)
    return {tag: values[tag] for tag in values if tag != "TY"}


def _as_data(entry: dict[str, list[str]]) -> dict[str, Any]:
    values = {name: next((entry[tag] for tag in tags if any(entry.get(tag, ()))), []) for name, tags in FIELDS.items()}
    data: dict[str, Any] = {name: " ".join(lines) for name, lines in values.items()}
    return data | {
        "source": " ".join(entry.get("DB", [])),
        "abstract": "\n".join(values["abstract"]),
        "authors": [given_name_first(name) for name in values["authors"]],
        "publication_types": [name for name in values["publication_types"] if not name.startswith("10.")],
        "url": found[0] if (found := _ADDRESS.search(" ".join(values["url"]))) else None,
        "pages": "-".join(page for tag in ("SP", "EP") if (page := " ".join(entry.get(tag, [])))),
        "pmid": _find_pmid(entry),
        "pmcid": next((name for name in entry.get("C2", []) if _PMCID.fullmatch(name)), None),
    }


def _find_pmid(entry: dict[str, list[str]]) -> str | None:
    """The accession number, where it is one of PubMed's."""
    database = " ".join(entry.get("DB", [])).casefold()
    numbers = [name for name in entry.get("AN", []) if name.isdecimal() or name.casefold().startswith("pmid")]
    is_pubmed = any(word in database for word in ("pubmed", "medline")) or not "".join(numbers).isdecimal()
    return numbers[0] if numbers and is_pubmed else None
