"""Records in PubMed's XML (`PubmedArticleSet`), read article by article; entities and DTDs are never loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from io import BufferedReader
from typing import TYPE_CHECKING, Any

from index.formats.raw_record import RawRecord
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
MAX_DEPTH = 100  # PubMed's articles, formulas and all, stay far below


def is_xml(head: str) -> bool:
    """Whether a file that begins so is XML."""
    return head.startswith(("<?xml", "<!DOCTYPE", "<Pubmed", "<MedlineCitation"))


def read_pubmed_xml(stream: BufferedReader, file: str) -> Iterator[RawRecord | Rejection]:
    """The articles of a file, up to where it is cut off or no well-formed XML."""
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import ParseError

    try:
        yield from _read_articles(stream, file)
    except ParseError as error:
        reason = f"not read from here on: not XML, or cut off: {error}"
        yield Rejection(file=file, line=error.position[0], field=None, reason=reason)
    except DefusedXmlException:
        yield Rejection(file=file, line=None, field=None, reason="not read: XML that declares entities of its own")
    except LookupError as error:
        yield Rejection(file=file, line=1, field=None, reason=f"not read: {error}")


def _read_articles(stream: BufferedReader, file: str) -> Iterator[RawRecord | Rejection]:
    from defusedxml.ElementTree import iterparse

    depth = entry = 0
    for event, element in iterparse(stream, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            yield Rejection(file=file, line=None, field=None, reason="not read: XML that is nested too deeply")
            return
        if event == "start" and depth == 1:
            root = element
            if root.tag != "PubmedArticleSet":
                reason = f"not read: XML of {root.tag[:80]}, where PubMed's has PubmedArticleSet"
                yield Rejection(file=file, line=None, field=None, reason=reason)
                return
        elif event == "end" and depth == 1:
            entry += 1
            yield _read_article(element, file, entry)
            root.clear()  # what was read takes no more memory
    if not entry:
        yield Rejection(file=file, line=None, field=None, reason="no article in the file")


def _read_article(element: Element, file: str, entry: int) -> RawRecord | Rejection:
    if element.tag == "PubmedArticle":
        return RawRecord(file=file, line=None, data=_as_data(element), entry=entry)
    return Rejection(file=file, line=None, field=None, reason=f"entry {entry}: no article: {element.tag[:80]}")


def _as_data(article: Element) -> dict[str, Any]:
    data: dict[str, Any] = {name: _text(_find(article, paths)) for name, paths in FIELDS.items()}
    title = _find(article, TITLE)
    return data | {
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
