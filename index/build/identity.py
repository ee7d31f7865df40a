"""Which records are the same report, and what one record says where several were."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import replace
from typing import Any

from index.records import find_landing_page, hash_content, name_record
from index.types import Record

# Shorter ones name many reports: "Lithium toxicity", "A case report".
MIN_TITLE_CHARS = 30
MIN_ABSTRACT_CHARS = 200
# How many of the words of the shorter of two abstracts stand in the longer, where a title or a source's number has
# to tell that they are one report.
MIN_SHARED_WORDS = 0.6
# A copy that is cut off keeps at most so much of the text; a correction that drops a few words keeps more.
MAX_CUT_SHARE = 0.95

_SIGNS = re.compile(r"[\W_]+")
_LANDING_PAGES = ("https://doi.org/", "https://pubmed.ncbi.nlm.nih.gov/")


def identity_keys(record: Record) -> list[str]:
    """What a record can be recognised by, the surest first: identifiers, and digests of its title and abstract."""
    names = (("doi", record.doi), ("pmid", record.pmid), ("pmcid", record.pmcid))
    keys = [f"{name}:{value}" for name, value in names if value]
    texts = (("title", record.title or "", MIN_TITLE_CHARS), ("abstract", record.abstract, MIN_ABSTRACT_CHARS))
    folded = [(name, _squeeze(text), least) for name, text, least in texts]
    keys += [f"{name}:{_digest(text)}" for name, text, least in folded if len(text) >= least]
    keys += [f"id:{record.source_id}"] if record.source_id else []
    return list(dict.fromkeys([*keys, record.record_id, *record.other_ids]))


def possible_keys(name: str) -> list[str]:
    """The identity keys that a user may mean by a name: an id of a record or of its source, a bare DOI or PMCID."""
    return [name, name.lower(), f"doi:{name.lower()}", f"pmcid:{name.upper()}", f"id:{name}"]


def is_same_report(first: Record, second: Record) -> bool:
    """Whether two records that share an identity key are one report.

    The same PubMed number, or the same DOI where the PubMed numbers do not differ, is enough. Reports that share only
    a title, a number of their source or an abstract must not have other identifiers, and share most of their words.
    """
    if first.pmid and second.pmid:
        return first.pmid == second.pmid
    if first.doi and second.doi:
        return first.doi == second.doi
    if first.pmcid and second.pmcid:
        return first.pmcid == second.pmcid
    return _shared_words(first.abstract, second.abstract) >= MIN_SHARED_WORDS


def merge_records(known: Record, new: Record) -> Record:
    """One record of two of the same report: what `new` says, and where it says nothing or less, what `known` says.

    A new abstract is a correction, unless it is a digest or a part of the known one. Sources and ids of both stay;
    what was retracted once stays retracted. If `new` brings nothing, the result equals `known`.
    """
    doi, pmid = new.doi or known.doi, new.pmid or known.pmid
    text = known if _has_fuller_text(known, new) else new
    title = known.title if _squeeze(known.title or "") == _squeeze(new.title or "") else new.title or known.title
    record_id = name_record(doi, pmid) or known.record_id
    merged = replace(
        new,
        record_id=record_id,
        source_id=known.source_id or new.source_id,
        title=title,
        abstract=text.abstract,
        sections=text.sections,
        is_digest=text.is_digest,
        content_hash=hash_content(title, text.abstract, text.sections),
        authors=max(known.authors, new.authors, key=lambda names: (len(names), sum(map(len, names)))),
        journal=max(known.journal or "", new.journal or "", key=len) or None,
        publication_types=tuple(dict.fromkeys([*known.publication_types, *new.publication_types])),
        url=_choose_url(known, new) or find_landing_page(doi, pmid),
        retracted=known.retracted or new.retracted,
        **{name: _or_known(known, new, name) for name in ("year", "volume", "pages", "doi", "pmid", "pmcid")},
        is_open_access=known.is_open_access if new.is_open_access is None else new.is_open_access,
        sources=tuple(dict.fromkeys([*known.sources, *new.sources])),
    )
    return replace(merged, other_ids=_other_ids(merged, known, new))


def is_news(known: Record, merged: Record, *, named_source: bool) -> bool:
    """Whether a merged record says more than the known one; the name of one more file alone is no news."""
    return merged != (known if named_source else replace(known, sources=merged.sources))


def _or_known(known: Record, new: Record, name: str) -> Any:
    value = getattr(new, name)
    return getattr(known, name) if value is None else value


def _other_ids(merged: Record, *parts: Record) -> tuple[str, ...]:
    ids = [name for part in parts for name in (*part.other_ids, part.record_id, part.source_id) if name]
    return tuple(name for name in dict.fromkeys(ids) if name not in {merged.record_id, merged.source_id})


def _choose_url(known: Record, new: Record) -> str | None:
    """An address that a source gave, rather than one that was made of an identifier."""
    return next((part.url for part in (new, known) if part.url and not part.url.startswith(_LANDING_PAGES)), None)


def _has_fuller_text(known: Record, new: Record) -> bool:
    if known.is_digest != new.is_digest:
        return new.is_digest
    before, after = _squeeze(known.abstract), _squeeze(new.abstract)
    if before == after:
        return bool(known.sections) or not new.sections
    return len(after) < MAX_CUT_SHARE * len(before) and after in before


def _shared_words(first: str, second: str) -> float:
    shorter, longer = sorted((_words(first), _words(second)), key=len)
    return len(shorter & longer) / len(shorter) if shorter else 0.0


def _words(text: str) -> set[str]:
    return set(_SIGNS.split(_fold(text))) - {""}


def _squeeze(text: str) -> str:
    """The letters and digits of a text, in one case and without accents."""
    return _SIGNS.sub("", _fold(text))


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:24]
