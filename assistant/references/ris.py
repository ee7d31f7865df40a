"""References in RIS, for Zotero, EndNote and similar programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assistant.references.author_names import NameParts
from assistant.references.csl import CslItem, split_pages, to_csl_json, unique_records
from assistant.references.text import DIGEST_NOTE, record_marks
from index.text.cleaning import clean_line
from index.types import Record


def to_ris(records: Sequence[Record]) -> str:
    """The records as RIS, each once, with their abstracts; a digest begins with a note that it is one.

    The journal is in T2, since Zotero imports JO as an abbreviation. As in EndNote, the PubMed number is in AN and that
    of PubMed Central in C2. Marks are notes (N1).
    """
    from rispy import dumps
    from rispy.writer import RisWriter

    # Without the number above an entry, which is not RIS.
    writer = type("Writer", (RisWriter,), {"set_header": lambda self, count: ""})
    unique = unique_records(records)
    entries = [_as_entry(record, item) for record, item in zip(unique, to_csl_json(unique), strict=True)]
    text: str = dumps(entries, implementation=writer)
    return text


def _as_entry(record: Record, item: CslItem) -> dict[str, Any]:
    """A record under the names of rispy for the tags, in the order of the file."""
    first, last = split_pages(record.pages) if record.pages else (None, None)
    abstract = clean_line(record.abstract)
    entry = {
        "type_of_reference": "JOUR",
        "id": item["id"],
        "authors": [_name(name) for name in item.get("author", ())],
        "title": item.get("title"),
        "secondary_title": item.get("container-title"),
        "year": str(record.year) if record.year else None,
        "volume": item.get("volume"),
        "start_page": first,
        "end_page": last,
        "doi": item.get("DOI"),
        "accession_number": item.get("PMID"),
        "custom2": item.get("PMCID"),
        "urls": [item["URL"]] if "URL" in item else None,
        "notes": record_marks(record),
        "notes_abstract": f"[{DIGEST_NOTE}] {abstract}" if record.is_digest else abstract,
    }
    return {name: value for name, value in entry.items() if value}


def _name(name: NameParts) -> str:
    """A name as "particle Family, Given, Suffix"; a final comma keeps a name without parts from being split."""
    if "literal" in name:
        return f"{name['literal'].rstrip(',')},"
    family = " ".join(name[key] for key in ("non-dropping-particle", "family") if key in name)
    return ", ".join(part for part in (family, name.get("given"), name.get("suffix")) if part)
