"""Records as items of the Citation Style Language: what every other format of references is made from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import count
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


def to_csl_json(records: Sequence[Record]) -> list[CslItem]:
    """The records as CSL-JSON, each once; `id` is the key that `to_bibtex` gives too."""
    unique = unique_records(records)
    return [csl_item(record, key) for record, key in zip(unique, citation_keys(unique), strict=True)]


def unique_records(records: Sequence[Record]) -> list[Record]:
    """Each record once, in the order in which they first come."""
    unique: dict[str, Record] = {}
    for record in records:
        unique.setdefault(record.record_id, record)
    return list(unique.values())


def csl_item(record: Record, key: str) -> CslItem:
    """A record as a CSL item; what the record does not give is left out."""
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
    """First and last page, the last one in full: "1268-72" ends on 1272. What is no range is a first page."""
    found = _PAGE_RANGE.fullmatch(pages.strip())
    if not found:
        return clean_line(pages), None
    prefix, first, first_tail, last_prefix, last, last_tail = found.groups()
    if last_prefix in ("", prefix) and len(last) < len(first):
        last = first[: -len(last)] + last
    return f"{prefix}{first}{first_tail}", f"{last_prefix or prefix}{last}{last_tail}"


def citation_keys(records: Sequence[Record]) -> list[str]:
    """A key for each record, as "smith2025bone": the first author, the year and the first telling word of the title.

    What the record does not give is left out; without an author there are two words of the title. The second of two
    records with one key gets an "a", the third a "b".
    """
    used: set[str] = set()
    keys = []
    for record in records:
        stem = _key_stem(record)
        key = next(key for key in (stem + suffix for suffix in _suffixes()) if key not in used)
        used.add(key)
        keys.append(key)
    return keys


def _key_stem(record: Record) -> str:
    author = parse_name(record.authors[0]) if record.authors else NameParts()
    name = "".join(_PLAIN_WORD.findall(_plain(author.get("family") or author.get("literal") or "")))
    words = _PLAIN_WORD.findall(_plain(record.title or ""))
    telling = [word for word in words if len(word) >= _MIN_WORD_CHARS and word not in _COMMON_WORDS]
    return f"{name[:_MAX_NAME_CHARS]}{record.year or ''}{''.join(telling[: 1 if name else 2])}" or "record"


def _plain(text: str) -> str:
    """Letters without their accents, in lower case: all that every program takes in a key."""
    folded = text.casefold().replace("ø", "o").replace("æ", "ae").replace("ł", "l").replace("đ", "d")
    return "".join(letter for letter in unicodedata.normalize("NFKD", folded) if letter.isascii())


def _suffixes() -> Iterator[str]:
    """Nothing, a to z, then a2 to z2 and so on."""
    yield ""
    for turn in count(1):
        yield from (letter + (str(turn) if turn > 1 else "") for letter in ascii_lowercase)
