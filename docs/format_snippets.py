"""What `formats.md` is made of that can be made: the formats and where each field is read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from index.ingest import archives as unpacking
from index.ingest.formats import FORMATS, bibtex, medline, pubmed_xml, ris, table, text

READING = Path(__file__).parent / "results" / "reading.json"


def formats_table() -> str:
    """Every format with the endings of its files' names."""
    rows = [f"| {kind.name} | {', '.join(f'`{suffix}`' for suffix in kind.suffixes)} |" for kind in FORMATS]
    return "\n".join(["| format | names end in |", "|---|---|", *rows])


def xml_table() -> str:
    """Where each field stands in a PubmedArticle."""
    singles = {
        "title": pubmed_xml.TITLE,
        "abstract": (pubmed_xml.ABSTRACT,),
        "authors": (pubmed_xml.AUTHORS,),
        "publication_types": (pubmed_xml.PUBLICATION_TYPES,),
        "retracted": (pubmed_xml.RETRACTION,),
    }
    return _fields_table("element", pubmed_xml.FIELDS | singles)


def medline_table() -> str:
    """The tags of each field in MEDLINE format."""
    return _fields_table("tags", medline.FIELDS)


def ris_table() -> str:
    """The tags of each field in RIS."""
    return _fields_table("tags", ris.FIELDS)


def bibtex_table() -> str:
    """The fields of each field in BibTeX."""
    return _fields_table("fields", bibtex.FIELDS)


def reading_table() -> str:
    """What reading a small and a large file of each format takes (benchmarks/measure_reading.py)."""
    result = json.loads(READING.read_text("utf-8"))
    sizes = [f"{size:,} MB" for size in result["sizes_mb"]]
    head = ["format", *(f"memory, {size}" for size in sizes), *(f"time, {size}" for size in sizes), "records a second"]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, measures in result["formats"].items():
        memory = [f"{measure['peak_mb']:.0f} MB" for measure in measures]
        times = [f"{measure['cpu_s']:.1f} s" for measure in measures]
        rate = f"{measures[-1]['records'] / measures[-1]['cpu_s']:,.0f}"
        rows.append(f"| {' | '.join([name, *memory, *times, rate])} |")
    return "\n".join([*rows, "", f"`{result['command']}`, {result['date']}"])


def limits_table() -> str:
    """What is too much, by the constants that say so."""
    megabytes = unpacking.FREE_BYTES // 1_000_000
    limits = {
        "characters of an entry, or of a line": text.MAX_ENTRY_CHARS,
        "of an entry in BibTeX": bibtex.MAX_BIBTEX_CHARS,
        "of a row of a table": table.MAX_ROW_CHARS,
        "elements within each other in XML": pubmed_xml.MAX_DEPTH,
        "elements of an article in XML": pubmed_xml.MAX_ELEMENTS,
        f"times its size that a `.gz`, or all in a `.zip`, unpacks to (or {megabytes} MB)": unpacking.MAX_RATIO,
    }
    return "\n".join(
        ["| limit | at most |", "|---|---|", *(f"| {name} | {value:,} |" for name, value in limits.items())]
    )


def columns_table() -> str:
    """The columns of each field in a table."""
    return _fields_table("columns", table.COLUMNS)


def _fields_table(head: str, fields: Mapping[str, Sequence[str]]) -> str:
    rows = [f"| `{name}` | {', '.join(f'`{place}`' for place in places)} |" for name, places in fields.items()]
    return "\n".join([f"| field | {head} |", "|---|---|", *rows])
