"""Reads PubMed XML (`PubmedArticleSet`) article by article; entities and DTDs are never loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from io import BufferedReader
from itertools import count
from typing import TYPE_CHECKING, Any

from index.ingest.formats.raw_record import RawRecord, reject
from index.ingest.formats.text import MAX_ENTRY_CHARS, TOO_LONG
from index.types import Rejection

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# The elements of each field in a `PubmedArticle`, in order of preference.
FIELDS = {
    "pmid": ("MedlineCitation/PMID",),
    "journal": ("MedlineCitation/Article/Journal/Title", "MedlineCitation/MedlineJournalInfo/MedlineTA"),
    "year": (
        "MedlineCitation/Article/Journal/JournalIssue/PubDate/Year",
        "MedlineCitation/Article/Journal/JournalIssue/PubDate/MedlineDate",
        "MedlineCitation/Article/ArticleDate/Year",
    ),
    "volume": ("MedlineCitation/Article/Journal/JournalIssue/Volume",),
    "pages": ("MedlineCitation/Article/Pagination/MedlinePgn", "MedlineCitation/Article/Pagination/StartPage"),
    "doi": (
        "PubmedData/ArticleIdList/ArticleId[@IdType='doi']",
        "MedlineCitation/Article/ELocationID[@EIdType='doi'][@ValidYN='Y']",
    ),
    "pmcid": ("PubmedData/ArticleIdList/ArticleId[@IdType='pmc']",),
}
TITLE_PATHS = ("MedlineCitation/Article/ArticleTitle", "MedlineCitation/Article/VernacularTitle")
ABSTRACT = "MedlineCitation/Article/Abstract/AbstractText"
AUTHORS = "MedlineCitation/Article/AuthorList/Author"
PUBLICATION_TYPES = "MedlineCitation/Article/PublicationTypeList/PublicationType"
RETRACTION = "MedlineCitation/CommentsCorrectionsList/CommentsCorrections[@RefType='RetractionIn']"
MARKUP_TAGS = {"b", "i", "sub", "sup", "u"}
# Far above the articles of PubMed, even with formulas or thousands of authors.
MAX_DEPTH = 100
MAX_ELEMENTS = 200_000

_END = re.compile(rb"</PubmedArticleSet\s*>")
_MAX_END_BYTES = 40
_SKIPPED_BYTES = 65_536  # read at once while skipping


def is_xml(head: str) -> bool:
    """Whether the first text of a file is XML."""
    return head.startswith(("<?xml", "<!DOCTYPE", "<Pubmed", "<MedlineCitation"))


def read_pubmed_xml(stream: BufferedReader, file: str) -> Iterator[RawRecord | Rejection]:
    """The articles of each XML document in a file, up to where it is cut off or not well-formed."""
    entries = count(1)
    lines = _skip_blank(stream)
    while stream.peek():
        document = _Document(stream)
        yield from _read_document(document, file, entries, lines)
        document.skip_rest()
        lines += document.lines + _skip_blank(stream)


class _UnreadableError(Exception):
    """Well-formed XML that is not read, or only in part; the message completes "not read"."""


class _Document:
    """One of several consecutive XML documents in a file, as a stream. `lines` counts the lines read."""

    def __init__(self, stream: BufferedReader) -> None:
        self.lines = 0
        self._stream = stream
        self._tail = b""
        self._is_over = False
        self._entry_bytes = 0

    def read(self, size: int) -> bytes:
        """At most `size` bytes. Raises _UnreadableError if an article is too long."""
        ahead = b"" if self._is_over else self._stream.peek()[:size]
        if found := _END.search(self._tail + ahead):
            ahead = ahead[: found.end() - len(self._tail)]
        data = self._stream.read(len(ahead))
        self._is_over = bool(found) or not data
        self._tail = (self._tail + data)[-_MAX_END_BYTES:]
        self._entry_bytes += len(data)
        self.lines += data.count(b"\n")
        if self._entry_bytes > MAX_ENTRY_CHARS:
            raise _UnreadableError(f" from here on: {TOO_LONG}")
        return data

    def start_entry(self) -> None:
        """Start counting the length of an article."""
        self._entry_bytes = 0

    def skip_rest(self) -> None:
        """Read to the end of the document."""
        self.start_entry()
        while self.read(_SKIPPED_BYTES):
            self.start_entry()


def _skip_blank(stream: BufferedReader) -> int:
    """Skip white space and return its number of line ends."""
    lines = 0
    while blank := len(ahead := stream.peek()) - len(ahead.lstrip()):
        lines += stream.read(blank).count(b"\n")
    return lines


def _read_document(
    document: _Document, file: str, entries: Iterator[int], lines_before: int
) -> Iterator[RawRecord | Rejection]:
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError

    line = None
    try:
        yield from _read_articles(document, file, entries)
        return
    except ParseError as error:
        line = lines_before + error.position[0]
        reason = f"not read from here on: not XML, or cut off: {error}"
    except _UnreadableError as error:
        line = lines_before + max(1, document.lines)
        reason = f"not read{error}"
    except DefusedXmlException:
        reason = "not read: XML that declares its own entities"
    except (LookupError, ValueError) as error:  # an encoding that does not exist or is not supported
        line = lines_before + 1
        reason = f"not read: {error}"
    yield reject(file, reason, line)


def _read_articles(document: _Document, file: str, entries: Iterator[int]) -> Iterator[RawRecord | Rejection]:
    from defusedxml.ElementTree import iterparse

    depth = elements = 0
    is_empty = True
    for event, element in iterparse(document, events=("start", "end")):
        depth += 1 if event == "start" else -1
        elements += 1
        if depth > MAX_DEPTH or elements > 2 * MAX_ELEMENTS:
            raise _UnreadableError(" from here on: XML nested too deeply, or with too many elements")
        if event == "start" and depth == 1:
            root = element
            if root.tag != "PubmedArticleSet":
                raise _UnreadableError(f": XML of {root.tag[:80]}; PubMed's root is PubmedArticleSet")
        elif event == "end" and depth == 1:
            is_empty = False
            entry = next(entries)
            if element.tag == "PubmedArticle":
                yield RawRecord(file=file, line=None, data=_as_data(element), entry=entry)
            else:
                yield reject(file, f"entry {entry}: no article: {element.tag[:80]}")
            root.clear()  # frees the memory of the article
            document.start_entry()
            elements = 0
    if is_empty:
        yield reject(file, "no article in the file")


def _as_data(article: Element) -> dict[str, Any]:
    data: dict[str, Any] = {name: _text(_find(article, paths)) for name, paths in FIELDS.items()}
    title = _find(article, TITLE_PATHS)
    return data | {
        "source": "PubMed",
        "title": None if title is None else _markup(title),
        "abstract": "".join(map(_paragraph, article.iterfind(ABSTRACT))),
        "authors": [_author(author) for author in article.iterfind(AUTHORS) if author.get("ValidYN") != "N"],
        "publication_types": [_text(kind) for kind in article.iterfind(PUBLICATION_TYPES)],
        "retracted": article.find(RETRACTION) is not None,
    }


def _find(article: Element, paths: Sequence[str]) -> Element | None:
    """The first of the elements that has text."""
    found = (article.find(path) for path in paths)
    return next((element for element in found if _text(element)), None)


def _text(element: Element | None) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _author(author: Element) -> str:
    """The name of a group, or of a person with the given name first."""
    given = _text(author.find("ForeName")) or _text(author.find("Initials"))
    names = [_text(author.find("CollectiveName")), given, _text(author.find("LastName")), _text(author.find("Suffix"))]
    return " ".join(filter(None, names))


def _paragraph(element: Element) -> str:
    """A part of an abstract as HTML, with its label as a heading."""
    label = element.get("Label", "")
    heading = f"<h4>{escape(label)}</h4>" if label and label != "UNLABELLED" else ""
    return f"{heading}<p>{_markup(element)}</p>"


def _markup(element: Element) -> str:
    """The content of an element as HTML; of tags other than `MARKUP_TAGS` only the text."""
    pieces = [escape(element.text or "")]
    for child in element:
        inner = _markup(child)
        pieces += [f"<{child.tag}>{inner}</{child.tag}>" if child.tag in MARKUP_TAGS else inner]
        pieces += [escape(child.tail or "")]
    return "".join(pieces)
