"""Renames the JSON fields of Europe PMC and Semantic Scholar to those that `index.ingest.records` expects."""

from __future__ import annotations

import re
from typing import Any

from index.ingest.formats.text import given_name_first, split_names

_EUROPE_PMC_NAMES = {"abstractText", "authorString", "journalInfo", "pubTypeList"}
_SEMANTIC_SCHOLAR_NAMES = {"paperId", "corpusId", "corpusid"}
# Semantic Scholar's types with another name in PubMed; the others only lack their spaces.
_TYPES = {"CaseReport": "Case Reports", "MetaAnalysis": "Meta-Analysis"}
_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")


def rename_fields(data: dict[str, Any]) -> dict[str, Any]:
    """The data of a source about a record, with the field names of a record and given names first."""
    if {"id", "source"} <= data.keys() and data.keys() & _EUROPE_PMC_NAMES:
        return _from_europe_pmc(data)
    if data.keys() & _SEMANTIC_SCHOLAR_NAMES and not isinstance(data.get("authors"), str):
        return _from_semantic_scholar({name.casefold(): value for name, value in data.items()})
    if "content_hash" in data:  # an exported record
        return data
    authors = data.get("authors")
    if isinstance(authors, str):
        authors = split_names(authors)
    elif isinstance(authors, list):
        authors = [given_name_first(name) if isinstance(name, str) else name for name in authors]
    return {**data, "authors": authors}


def _from_europe_pmc(data: dict[str, Any]) -> dict[str, Any]:
    """A result of a search, "core" or "lite"; the latter has journal and authors as text."""
    journal = _as_dict(data.get("journalInfo"))
    source, number = data["source"], data["id"]
    types = _get_list(data, "pubTypeList", "pubType") or str(data.get("pubType") or "").split(";")
    notes = _get_list(data, "commentCorrectionList", "commentCorrection")
    return {
        "source": "Europe PMC",
        "source_id": f"{source}:{number}",
        "title": data.get("title"),
        "abstract": data.get("abstractText"),
        "authors": [_name_author(author) for author in _get_list(data, "authorList", "author")]
        or str(data.get("authorString") or "").rstrip(".").split(","),
        "journal": _as_dict(journal.get("journal")).get("title") or data.get("journalTitle"),
        "year": data.get("pubYear") or journal.get("yearOfPublication"),
        "volume": journal.get("volume") or data.get("journalVolume"),
        "pages": data.get("pageInfo"),
        "doi": data.get("doi"),
        "pmid": data.get("pmid") or (number if source == "MED" else None),
        "pmcid": data.get("pmcid") or (number if source == "PMC" else None),
        "publication_types": types,
        "is_open_access": data.get("isOpenAccess"),
        "retracted": any(_as_dict(note).get("type") == "Retraction in" for note in notes),
    }


def _name_author(author: Any) -> Any:
    """The name of a group, or of a person with the given name first."""
    if not isinstance(author, dict):
        return author
    names = [author.get("firstName") or author.get("initials"), author.get("lastName")]
    return author.get("collectiveName") or " ".join(str(name) for name in names if name) or author.get("fullName")


def _from_semantic_scholar(data: dict[str, Any]) -> dict[str, Any]:
    """A paper from the API or from the bulk datasets, which have lower-case field names."""
    ids = {name.casefold(): value for name, value in _as_dict(data.get("externalids")).items()}
    journal = _as_dict(data.get("journal"))
    types = data.get("publicationtypes") or []
    types = types if isinstance(types, list) else [types]
    return {
        "source": "Semantic Scholar",
        "source_id": data.get("paperid") or data.get("corpusid"),
        "title": data.get("title"),
        "abstract": data.get("abstract"),
        "authors": data.get("authors"),
        "journal": journal.get("name") or data.get("venue"),
        "year": data.get("year") or data.get("publicationdate"),
        "volume": journal.get("volume"),
        "pages": journal.get("pages"),
        "doi": ids.get("doi"),
        "pmid": ids.get("pubmed"),
        "pmcid": ids.get("pubmedcentral"),
        "publication_types": [_TYPES.get(name, _WORD_START.sub(" ", name)) for name in types if isinstance(name, str)],
        "is_open_access": data.get("isopenaccess"),
    }


def _get_list(data: dict[str, Any], wrapper: str, name: str) -> list[Any]:
    """The list in `{wrapper: {name: [...]}}`; a single value counts as a list of one."""
    value = _as_dict(data.get(wrapper)).get(name) or []
    return value if isinstance(value, list) else [value]


def _as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
