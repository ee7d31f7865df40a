"""Identifiers of records: DOIs, PubMed numbers, and the ids, addresses and hashes that are derived from a record."""

from __future__ import annotations

import hashlib
import json
import re
from urllib.parse import unquote

from index.text.cleaning import clean_text
from index.text.normalisation import fold_text
from index.types import Section

_DOI = re.compile(r"10\.\d{4,9}(?:\.\d+)*/\S+")
_PMID = re.compile(r"(?:pmid\W*|https?://\S*pubmed\S*/)?0*([1-9]\d{0,8})/?", re.IGNORECASE)
_PMCID = re.compile(r"(?<![^\W\d])(?:PMC)?([1-9]\d{0,8})(?!\d)")
_BRACKETS = {")": "(", "]": "[", "}": "{", ">": "<"}


def normalise_doi(text: str) -> str | None:
    """The DOI in lower case, from a URL, `doi:...` or the bare name; None if there is none."""
    if "://" in text:  # "?" and "#" end the path of a URL, but may be part of a DOI
        text = text.partition("?")[0].partition("#")[0]
    found = _DOI.search(clean_text(unquote(text)))
    doi = found[0].lower() if found else ""
    # Punctuation of the surrounding sentence: stops, quotes, and brackets that the DOI does not open.
    while doi and (doi[-1] in ".,;:'\"”’" or doi.count(doi[-1]) > doi.count(_BRACKETS.get(doi[-1], doi[-1]))):
        doi = doi[:-1]
    return None if not doi or doi.endswith("/") else doi


def normalise_pmid(text: str) -> str | None:
    """The PubMed number of "123", "PMID: 123" or a PubMed URL; None if the text is something else."""
    found = _PMID.fullmatch(text)
    return found[1] if found else None


def normalise_pmcid(text: str) -> str | None:
    """The first PubMed Central number of the text, as "PMC123"; None if there is none."""
    found = _PMCID.search(text.upper())
    return f"PMC{found[1]}" if found else None


def name_record(doi: str | None, pmid: str | None) -> str | None:
    """The record id from a DOI or a PubMed number; None without either (see `name_content`)."""
    if doi:
        return f"doi:{doi}"
    return f"pmid:{pmid}" if pmid else None


def name_content(title: str | None, abstract: str) -> str:
    """The record id of a record that has neither a DOI nor a PubMed number."""
    folded = fold_text(f"{title or ''} {abstract}")
    return f"sha256:{hashlib.sha256(folded.encode()).hexdigest()[:16]}"


def find_landing_page(doi: str | None, pmid: str | None) -> str | None:
    """The URL of the report by its DOI or PubMed number."""
    if doi:
        return f"https://doi.org/{doi}"
    return f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/" if pmid else None


def hash_content(title: str | None, abstract: str, sections: tuple[Section, ...]) -> str:
    """SHA-256 of the text that is chunked and embedded: equal hashes mean that nothing has to be embedded again."""
    content = json.dumps([title, abstract, sections], ensure_ascii=False)
    return hashlib.sha256(content.encode(errors="replace")).hexdigest()
