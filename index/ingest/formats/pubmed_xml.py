"""Records in PubMed's XML (`PubmedArticleSet`), read article by article; entities and DTDs are never loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from io import BufferedReader
from itertools import count
from typing import TYPE_CHECKING, Any

from index.ingest.formats.raw_record import RawRecord
from index.ingest.formats.text import MAX_ENTRY_CHARS, TOO_LONG
from index.types import Rejection

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# Where each field stands in a `PubmedArticle`, the preferred place first.
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
TITLE = ("MedlineCitation/Article/ArticleTitle", "MedlineCitation/Article/VernacularTitle")
ABSTRACT = "MedlineCitation/Article/Abstract/AbstractText"
AUTHORS = "MedlineCitation/Article/AuthorList/Author"
PUBLICATION_TYPES = "MedlineCitation/Article/PublicationTypeList/PublicationType"
RETRACTION = "MedlineCitation/CommentsCorrectionsList/CommentsCorrections[@RefType='RetractionIn']"
INLINE_TAGS = {"b", "i", "sub", "sup", "u"}
# PubMed's articles stay far below, formulas, thousands of authors and all.
MAX_DEPTH = 100
MAX_ELEMENTS = 200_000

_END = re.compile(rb"</PubmedArticleSet\s*>")
_MAX_END_BYTES = 40
_PASSED_BYTES = 65_536  # read at once where nothing is looked at


def is_xml(head: str) -> bool:
    """Whether a file that begins so is XML."""
    return head.startswith(("<?xml", "<!DOCTYPE", "<Pubmed", "<MedlineCitation"))


def read_pubmed_xml(stream: BufferedReader, file: str) -> Iterator[RawRecord | Rejection]:
    """The articles of a file, of each document in it up to where it is cut off or no well-formed XML."""
    entries = count(1)
    lines = _pass_blank(stream)
    while stream.peek():
        document = _Document(stream)
        yield from _read_document(document, file, entries, lines)
        document.pass_rest()
        lines += document.lines + _pass_blank(stream)


class _UnreadableError(Exception):
    """Well-formed XML that is not read, or not any further: why."""


class _Document:
    """A document of a file that may hold several, one after another: a stream that ends with it. `lines` counts."""

    def __init__(self, stream: BufferedReader) -> None:
        self.lines = 0
        self._stream = stream
        self._tail = b""
        self._is_over = False
        self._entry_bytes = 0

    def read(self, size: int) -> bytes:
        """As many bytes, or fewer.

        Raises:
            _UnreadableError: an article is longer than any.
        """
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
        """Count the length of an article from here on."""
        self._entry_bytes = 0

    def pass_rest(self) -> None:
        """Read to the end, whatever comes."""
        self.start_entry()
        while self.read(_PASSED_BYTES):
            self.start_entry()


def _pass_blank(stream: BufferedReader) -> int:
    """Move past white space; how many lines end in it."""
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
        reason = "not read: XML that declares entities of its own"
    except (LookupError, ValueError) as error:  # an encoding that there is not, or that its parser does not know
        line = lines_before + 1
        reason = f"not read: {error}"
    yield Rejection(file=file, line=line, field=None, reason=reason)


def _read_articles(document: _Document, file: str, entries: Iterator[int]) -> Iterator[RawRecord | Rejection]:
    from defusedxml.ElementTree import iterparse

    depth = elements = 0
    is_empty = True
    for event, element in iterparse(document, events=("start", "end")):
        depth += 1 if event == "start" else -1
        elements += 1
        if depth > MAX_DEPTH or elements > 2 * MAX_ELEMENTS:
            raise _UnreadableError(" from here on: XML that is nested too deeply, or of too many elements")
        if event == "start" and depth == 1:
            root = element
            if root.tag != "PubmedArticleSet":
                raise _UnreadableError(f": XML of {root.tag[:80]}, where PubMed's has PubmedArticleSet")
        elif event == "end" and depth == 1:
            is_empty = False
            yield _read_article(element, file, next(entries))
            root.clear()  # what was read takes no more memory
            document.start_entry()
            elements = 0
    if is_empty:
        yield Rejection(file=file, line=None, field=None, reason="no article in the file")


def _read_article(element: Element, file: str, entry: int) -> RawRecord | Rejection:
    if element.tag == "PubmedArticle":
        return RawRecord(file=file, line=None, data=_as_data(element), entry=entry)
    return Rejection(file=file, line=None, field=None, reason=f"entry {entry}: no article: {element.tag[:80]}")


def _as_data(article: Element) -> dict[str, Any]:
    data: dict[str, Any] = {name: _text(_find(article, paths)) for name, paths in FIELDS.items()}
    title = _find(article, TITLE)
    return data | {
        "source": "PubMed",
        "title": None if title is None else _markup(title),
        "abstract": "".join(map(_paragraph, article.iterfind(ABSTRACT))),
        "authors": [_author(author) for author in article.iterfind(AUTHORS) if author.get("ValidYN") != "N"],
        "publication_types": [_text(kind) for kind in article.iterfind(PUBLICATION_TYPES)],
        "retracted": article.find(RETRACTION) is not None,
    }


def _find(article: Element, paths: Sequence[str]) -> Element | None:
    """The first of these places that holds text."""
    found = (article.find(path) for path in paths)
    return next((element for element in found if _text(element)), None)


def _text(element: Element | None) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _author(author: Element) -> str:
    """A group's name, or a person's, the given name first."""
    given = _text(author.find("ForeName")) or _text(author.find("Initials"))
    names = [_text(author.find("CollectiveName")), given, _text(author.find("LastName")), _text(author.find("Suffix"))]
    return " ".join(filter(None, names))


def _paragraph(element: Element) -> str:
    """A part of an abstract as HTML, under its label."""
    label = element.get("Label", "")
    heading = f"<h4>{escape(label)}</h4>" if label and label != "UNLABELLED" else ""
    return f"{heading}<p>{_markup(element)}</p>"


def _markup(element: Element) -> str:
    """What an element holds as HTML; of other tags than PubMed's own for words, the text."""
    pieces = [escape(element.text or "")]
    for child in element:
        inner = _markup(child)
        pieces += [f"<{child.tag}>{inner}</{child.tag}>" if child.tag in INLINE_TAGS else inner]
        pieces += [escape(child.tail or "")]
    return "".join(pieces)
