"""Answers and references as text for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from assistant.types import Answer, Citation
from index.types import Record

MAX_AUTHORS = 3
DIGEST_NOTE = "digest, not the published abstract"
RETRACTED_NOTE = "RETRACTED OR WITHDRAWN"
NO_TITLE = "(no title in the record)"
NOT_ADVICE = "Answers report what was published of single cases. They are not medical advice."

# Four spaces would make code of a line.
_INDENT = re.compile(r"^[^\S\n]+", re.MULTILINE)
# What Markdown or HTML would read as markup, as a list or as an address to link.
_MARKDOWN = re.compile(
    r"([\\`*_\[\]()#!|~$>@]|(?<=^)[+=-]|(?<=\d)\.(?=\s|$)|:(?=//)|(?<=www)\.)", re.MULTILINE | re.IGNORECASE
)
# The marks that the check puts before or behind a statement; those inside of one are the record's own.
_MARKED = re.compile(r"((?:\[\d+\] )*)(.*?)((?: \[\d+\])*)", re.DOTALL)
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def render_text(answer: Answer) -> str:
    """What was searched where it is not the question, the answer, its references and its warnings, as plain text."""
    searched = [f"Searched for: {answer.query}"] if answer.query != answer.question else []
    return "\n\n".join([*searched, answer.text, *render_notes(answer)])


def render_notes(answer: Answer) -> list[str]:
    """What stands below an answer's text: its references, its warnings, that it is no advice; as plain text."""
    references = "\n".join(_text_reference(group) for group in group_by_record(answer.citations))
    notes = [f"Note: {warning}" for warning in answer.warnings]
    return [references, *notes, NOT_ADVICE] if answer.citations else notes


def render_markdown(answer: Answer) -> str:
    """What was searched where it is not the question, the answer, its references and its warnings, as Markdown."""
    parts = [f"*Searched for: {escape_markdown(answer.query)}*"] if answer.query != answer.question else []
    parts.append(render_body(answer.text))
    if answer.citations:
        parts += ["**References**", *map(_markdown_reference, group_by_record(answer.citations))]
    parts += [f"*Note: {escape_markdown(warning)}*" for warning in answer.warnings]
    if answer.citations:
        parts.append(f"*{NOT_ADVICE}*")
    return "\n\n".join(parts)


def render_body(text: str) -> str:
    """An answer's text as Markdown paragraphs."""
    return "\n\n".join(escape_markdown(line) for line in text.split("\n"))


def split_marks(line: str) -> tuple[str, str, str]:
    """A line of an answer as the marks before its statement, the statement, and the marks behind it."""
    before, statement, behind = _MARKED.fullmatch(line).groups()  # type: ignore[union-attr] # it matches any text
    return before, statement, behind


def group_by_record(citations: Sequence[Citation]) -> list[list[Citation]]:
    """Citations grouped by their record, in the order of first use: a record's reference is given once."""
    groups: dict[str, list[Citation]] = {}
    for citation in citations:
        groups.setdefault(citation.record.record_id, []).append(citation)
    return list(groups.values())


def _text_reference(group: Sequence[Citation]) -> str:
    url = f" {group[0].url}" if group[0].url else ""
    return f"{_numbers(group)} {reference_text(group[0].record)}{url}"


def _numbers(group: Sequence[Citation]) -> str:
    return " ".join(f"[{citation.number}]" for citation in group)


def _markdown_reference(group: Sequence[Citation]) -> str:
    record, url = group[0].record, group[0].url
    link = f" {markdown_link(link_text(record), url)}" if url else ""
    return f"{escape_markdown(f'{_numbers(group)} {reference_text(record)}')}{link}"


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


def warn_of_retracted(citations: Sequence[Citation]) -> list[str]:
    """A warning for each report that is cited and was retracted or withdrawn."""
    groups = (group for group in group_by_record(citations) if group[0].record.retracted)
    return [f"{_numbers(group)} is from a report that was retracted or withdrawn" for group in groups]


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
