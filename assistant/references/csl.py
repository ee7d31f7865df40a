"""Records as items of the Citation Style Language (CSL): the source of every other format of references."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import chain, count
from string import ascii_lowercase
from typing import Any

from assistant.references.author_names import NameParts, parse_name
from assistant.references.text import record_marks
from index.text.cleaning import clean_line
from index.types import Record

CslItem = dict[str, Any]

_PAGE_RANGE = re.compile(r"([A-Za-z]*)(\d+)([A-Za-z]*)\s*[-–—]+\s*([A-Za-z]*)(\d+)([A-Za-z]*)")
_PLAIN_WORD = re.compile(r"[a-z]+")
_MIN_WORD_CHARS = 4
_MAX_NAME_CHARS = 24
_COMMON_WORDS = frozenset(
    {"after", "associated", "case", "cases", "during", "first", "following", "from", "report", "reports", "with"}
)
# Letters that Unicode does not decompose.
_WITHOUT_STROKE = str.maketrans({"ø": "o", "æ": "ae", "ł": "l", "đ": "d"})


def to_csl_json(records: Sequence[Record]) -> list[CslItem]:
    """The records as CSL-JSON, each once; `id` is the same key as in `to_bibtex`."""
    unique = unique_records(records)
    return [csl_item(record, key) for record, key in zip(unique, citation_keys(unique), strict=True)]


def unique_records(records: Sequence[Record]) -> list[Record]:
    """Each record once, in the order of first occurrence."""
    unique: dict[str, Record] = {}
    for record in records:
        unique.setdefault(record.record_id, record)
    return list(unique.values())


def csl_item(record: Record, key: str) -> CslItem:
    """A record as a CSL item, without the fields that the record lacks."""
    first, last = split_pages(record.pages) if record.pages else (None, None)
    fields = {
        "title": record.title,
        "container-title": record.journal,
        "volume": record.volume,
        "page": f"{first}-{last}" if last else first,
        "DOI": record.doi,
        "PMID": record.pmid,
        "PMCID": record.pmcid,
        "URL": record.url,
        "note": "; ".join(record_marks(record)),
    }
    item: CslItem = {"id": key, "type": "article-journal"}
    item |= {name: text for name, value in fields.items() if (text := clean_line(value or ""))}
    if authors := [name for author in record.authors if any((name := parse_name(author)).values())]:
        item["author"] = authors
    if record.year:
        item["issued"] = {"date-parts": [[record.year]]}
    return item


def split_pages(pages: str) -> tuple[str, str | None]:
    """First and last page, the last one in full: "1268-72" ends on 1272. Text that is not a range is a first page."""
    found = _PAGE_RANGE.fullmatch(pages.strip())
    if not found:
        return clean_line(pages), None
    prefix, first, first_tail, last_prefix, last, last_tail = found.groups()
    if last_prefix in ("", prefix) and len(last) < len(first):
        last = first[: -len(last)] + last
    return f"{prefix}{first}{first_tail}", f"{last_prefix or prefix}{last}{last_tail}"


def citation_keys(records: Sequence[Record]) -> list[str]:
    """A key for each record, as "smith2025bone": the first author, the year and the first specific word of the title.

    A part that the record lacks is left out; without an author the key has two words of the title. Repeated keys get
    the suffixes a to z, then a2 to z2 and so on.
    """
    keys: dict[str, None] = {}
    for record in records:
        author = parse_name(record.authors[0]) if record.authors else NameParts()
        name = "".join(_plain_words(author.get("family") or author.get("literal") or ""))
        words = [w for w in _plain_words(record.title or "") if len(w) >= _MIN_WORD_CHARS and w not in _COMMON_WORDS]
        stem = f"{name[:_MAX_NAME_CHARS]}{record.year or ''}{''.join(words[: 1 if name else 2])}" or "record"
        repeats = (f"{stem}{letter}{turn if turn > 1 else ''}" for turn in count(1) for letter in ascii_lowercase)
        keys[next(key for key in chain([stem], repeats) if key not in keys)] = None
    return list(keys)


def _plain_words(text: str) -> list[str]:
    """The words of a text in lower-case ASCII, which every program accepts in a key; accents are removed."""
    folded = unicodedata.normalize("NFKD", text.casefold().translate(_WITHOUT_STROKE))
    return _PLAIN_WORD.findall("".join(letter for letter in folded if letter.isascii()))
