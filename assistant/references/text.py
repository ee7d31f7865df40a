"""A reference to a record as text, its marks and links, and the escaping of text for Markdown."""

from __future__ import annotations

import re
from urllib.parse import quote

from index.types import Record

MAX_AUTHORS = 3
DIGEST_NOTE = "digest, not the published abstract"
RETRACTED_NOTE = "RETRACTED OR WITHDRAWN"
NO_TITLE = "(no title in the record)"

# In Markdown a line after four spaces is code.
_INDENT = re.compile(r"^[^\S\n]+", re.MULTILINE)
# Markup of Markdown or HTML, starts of lists, and addresses that are linked automatically.
_MARKDOWN = re.compile(
    r"([\\`*_\[\]()#!|~$>@]|(?<=^)[+=-]|(?<=\d)\.(?=\s|$)|:(?=//)|(?<=www)\.)", re.MULTILINE | re.IGNORECASE
)
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def markdown_link(text: str, url: str) -> str:
    """A link in Markdown, escaped so that neither its text nor its address ends it early."""
    address = link_address(url).replace("&", "&amp;")  # "&copy;" would be read as one character
    return f"[{escape_markdown(text)}](<{address}>)"


def link_address(url: str) -> str:
    """An address with every character percent-encoded that an address may not contain."""
    return quote(url, safe="%:/?#[]@!$&'()*+,;=~", errors="replace")


def reference_text(record: Record) -> str:
    """Authors. Title. Journal. Year;volume:pages. Missing parts are left out; a missing title is stated."""
    authors = ", ".join(record.authors[:MAX_AUTHORS]) + (" et al" if len(record.authors) > MAX_AUTHORS else "")
    issue = str(record.year or "") + (f";{record.volume}" if record.volume else "")
    issue += f":{record.pages}" if record.pages else ""
    parts = [authors, record.title or NO_TITLE, record.journal, issue]
    text = " ".join(part if part.endswith((".", "?", "!")) else f"{part}." for part in parts if part)
    return with_marks(text, record)


def with_marks(text: str, record: Record) -> str:
    """The text of a reference to a record, followed by the record's marks in brackets."""
    return text + "".join(f" ({mark})" for mark in record_marks(record))


def record_marks(record: Record) -> list[str]:
    """The marks that every reference to a record must show: that it was retracted or withdrawn, that it is a digest."""
    marks = ((RETRACTED_NOTE, record.retracted), (DIGEST_NOTE, record.is_digest))
    return [mark for mark, applies in marks if applies]


def record_links(record: Record) -> list[tuple[str, str]]:
    """The links of a record as (link text, address): DOI, PubMed, full text; without any of them its source."""
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
    """The text of a record's main link: its DOI, its PubMed number, or "source"."""
    if record.doi:
        return f"doi:{record.doi}"
    return f"PMID {record.pmid}" if record.pmid else "source"


def escape_markdown(text: str) -> str:
    """Text of records and models as Markdown that shows exactly this text, without markup, links or images."""
    return _MARKDOWN.sub(r"\\\1", _INDENT.sub("", text)).translate(_HTML).replace("\\&gt;", "&gt;")
