"""What `formats.md` is made of that can be made: the formats and where each field is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from index.formats import FORMATS, medline, pubmed_xml, ris, table


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


def columns_table() -> str:
    """The columns of each field in a table."""
    return _fields_table("columns", table.COLUMNS)


def _fields_table(head: str, fields: Mapping[str, Sequence[str]]) -> str:
    rows = [f"| `{name}` | {', '.join(f'`{place}`' for place in places)} |" for name, places in fields.items()]
    return "\n".join([f"| field | {head} |", "|---|---|", *rows])
