"""Answers and references as text for people."""

from __future__ import annotations

import re
from urllib.parse import quote

from index.types import Record

MAX_AUTHORS = 3
DIGEST_NOTE = "digest, not the published abstract"
RETRACTED_NOTE = "RETRACTED OR WITHDRAWN"
NO_TITLE = "(no title in the record)"

# Four spaces would make code of a line.
_INDENT = re.compile(r"^[^\S\n]+", re.MULTILINE)
# What Markdown or HTML would read as markup, as a list or as an address to link.
_MARKDOWN = re.compile(
    r"([\\`*_\[\]()#!|~$>@]|(?<=^)[+=-]|(?<=\d)\.(?=\s|$)|:(?=//)|(?<=www)\.)", re.MULTILINE | re.IGNORECASE
)
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def markdown_link(text: str, url: str) -> str:
    """A link in Markdown; nothing in its text or its address ends it early."""
    address = link_address(url).replace("&", "&amp;")  # "&copy;" would be read as one character
    return f"[{escape_markdown(text)}](<{address}>)"


def link_address(url: str) -> str:
    """An address with all percent-encoded that may not stand in one: spaces, quotes, brackets, other scripts."""
    return quote(url, safe="%:/?#[]@!$&'()*+,;=~", errors="replace")


def reference_text(record: Record) -> str:
    """Authors. Title. Journal. Year;volume:pages. What the record does not give is left out, or said to be missing."""
    authors = ", ".join(record.authors[:MAX_AUTHORS]) + (" et al" if len(record.authors) > MAX_AUTHORS else "")
    issue = str(record.year or "") + (f";{record.volume}" if record.volume else "")
    issue += f":{record.pages}" if record.pages else ""
    parts = [authors, record.title or NO_TITLE, record.journal, issue]
    text = " ".join(part if part.endswith((".", "?", "!")) else f"{part}." for part in parts if part)
    return with_marks(text, record)


def with_marks(text: str, record: Record) -> str:
    """What refers to a record, followed by the record's marks, in brackets."""
    return text + "".join(f" ({mark})" for mark in record_marks(record))


def record_marks(record: Record) -> list[str]:
    """What must be said wherever a record is referred to: that it was retracted or withdrawn, that it is a digest."""
    marks = ((RETRACTED_NOTE, record.retracted), (DIGEST_NOTE, record.is_digest))
    return [mark for mark, applies in marks if applies]


def record_links(record: Record) -> list[tuple[str, str]]:
    """Where a record can be read, as (what the link says, address): its DOI, PubMed, its full text, or its source."""
    links = []
    if record.doi:
        links.append((f"doi:{record.doi}", f"https://doi.org/{quote(record.doi, safe='/:;()', errors='replace')}"))
    if record.pmid:
        links.append((f"PMID {record.pmid}", f"https://pubmed.ncbi.nlm.nih.gov/{link_address(record.pmid)}/"))
    if record.pmcid:
        links.append(("full text", f"https://pmc.ncbi.nlm.nih.gov/articles/{link_address(record.pmcid)}/"))
    if not links and record.url and record.url.startswith(("http://", "https://")):
        links.append(("source", link_address(record.url)))
    return links


def link_text(record: Record) -> str:
    """What a record's link says: its DOI, its PubMed number, or that it is the source."""
    if record.doi:
        return f"doi:{record.doi}"
    return f"PMID {record.pmid}" if record.pmid else "source"


def escape_markdown(text: str) -> str:
    """Text of records and models as Markdown that shows just this text: no markup, link or image comes of it."""
    return _MARKDOWN.sub(r"\\\1", _INDENT.sub("", text)).translate(_HTML).replace("\\&gt;", "&gt;")
