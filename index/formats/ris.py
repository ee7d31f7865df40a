"""Records in RIS, as reference managers and most databases save them: `TY  - ` begins an entry, `ER  - ` ends it."""

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

_Lines = Sequence[tuple[int, str]]


def is_ris(head: str) -> bool:
    """Whether a file that begins so is RIS."""
    return bool(_START.search(head))


def read_ris(stream: BufferedReader, file: str) -> Iterator[RawRecord | Rejection]:
    """The entries of a file; one that is malformed is rejected, and the next is read."""
    with open_text(stream) as text:
        for entry in _split_entries(text):
            yield _read_entry(entry, file)


def _split_entries(text: Iterator[str]) -> Iterator[_Lines]:
    """The lines of each entry with their numbers, and of what stands between entries."""
    entry: list[tuple[int, str]] = []
    for number, line in enumerate(text, start=1):
        if line.startswith("TY  -") and entry:
            yield entry
            entry = []
        if entry or line.strip():
            entry.append((number, line))
        if line.startswith("ER  -"):
            yield entry
            entry = []
    if entry:
        yield entry


def _read_entry(entry: _Lines, file: str) -> RawRecord | Rejection:
    start, first = entry[0]
    whole = "".join(line for _, line in entry)
    reason = None
    if not first.startswith("TY  -"):
        reason = "not RIS: text outside of an entry (TY to ER)"
    elif not entry[-1][1].startswith("ER  -"):
        reason = "the entry has no end (ER): the file may be cut off"
    elif not is_decoded(whole):
        reason = NOT_UTF_8
    if reason:
        return Rejection(file=file, line=start, field=None, reason=reason, raw=excerpt(whole))
    return RawRecord(file=file, line=start, data=_as_data(_parse(whole)))


def _parse(entry: str) -> dict[str, list[str]]:
    """The values of each tag of an entry; a line without a tag is one more value of the tag before it."""
    from rispy import RisParser
    from rispy.config import TAG_KEY_MAPPING

    tags = {tag: tag for tag in TAG_KEY_MAPPING}
    parser = RisParser(mapping=tags, list_tags=list(tags), delimiter_tags_mapping={}, skip_unknown_tags=True)
    (values,) = parser.parse(entry)
    return {tag: values[tag] for tag in values.keys() - {"TY"}}


def _as_data(entry: dict[str, list[str]]) -> dict[str, Any]:
    values = {name: next((entry[tag] for tag in tags if any(entry.get(tag, ()))), []) for name, tags in FIELDS.items()}
    data: dict[str, Any] = {name: " ".join(lines) for name, lines in values.items()}
    return data | {
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
