"""Find the records of the same report, and merge them into one record."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import combinations
from typing import Any

from index.ingest.identifiers import find_landing_page, hash_content, name_content, name_record
from index.types import Record

# Fewest letters and digits of a title or an abstract that identify a report; shorter ones belong to many reports
# ("Lithium toxicity", "No abstract available").
MIN_TITLE_CHARS = 20
MIN_ABSTRACT_CHARS = 100
# An abstract is identified by its beginning, which a truncated copy still has.
START_CHARS = 200
# Smallest share of the words of the shorter text that are in the longer one, if both are of one report
# (`benchmarks/measure_identity.py`).
MIN_WORD_OVERLAP = 0.8
MIN_SHARED_TITLE = 0.6
MIN_WORDS = 10  # fewer words are in any long abstract
# A truncated copy has at most this share of the text, and may end with a mark of at most so many characters:
# "(ABSTRACT TRUNCATED AT 250 WORDS)".
MAX_CUT_SHARE = 0.95
MAX_CUT_MARK_CHARS = 40

CACHED_TEXTS = 64  # the texts of a record are compared several times in a row

_SIGNS = re.compile(r"[\W_]+")
_LANDING_PAGES = ("https://doi.org/", "https://pubmed.ncbi.nlm.nih.gov/")
_IDS = ("pmid", "doi", "pmcid")  # most reliable first: no two reports share a PMID
# A single Greek letter, which some sources spell out; "μ" is more often a unit.
_GREEK_LETTER = re.compile("(?<![α-ω])[α-λν-ω](?![α-ω])")
_FILE_NAME = re.compile(r".*\.\w{1,8}|<stdin>")


def identity_keys(record: Record) -> list[str]:
    """The keys by which a record is found: its ids, its title, and the beginning of its abstract."""
    keys = [f"{name}:{value}" for name in _IDS if (value := getattr(record, name))]
    title, start = (
        _letters_and_digits(record.title or ""),
        _letters_and_digits(record.abstract[: 4 * START_CHARS])[:START_CHARS],
    )
    if len(title) >= MIN_TITLE_CHARS:
        keys.append(f"title:{_digest(title)}")
    if len(start) >= MIN_ABSTRACT_CHARS:
        keys.append(f"abstract:{_digest(start)}")
    names = (record.source_id, record.record_id, *record.other_ids)
    return list(dict.fromkeys([*keys, *(name for name in names if name)]))


def possible_keys(name: str) -> list[str]:
    """The identity keys that a user may mean by a name: an id of a record or its source, a bare DOI or PMID."""
    return [name, name.lower(), f"doi:{name.lower()}", f"pmid:{name}", f"pmcid:{name.upper()}"]


def same_reports(record: Record, candidates: Sequence[Record]) -> list[Record]:
    """The candidates (records that share an identity key with `record`) that are the same report as it.

    There may be several: one has the DOI, another the PubMed number. Of candidates that match by text alone, and of
    candidates that cannot all be one report, the most similar is chosen.
    """
    same = [known for known in candidates if is_same_report(known, record)]
    if any(_have_same_ids(*pair) is False for pair in combinations(same, 2)):  # a DOI that several reports share
        same = [known for known in same if _have_same_pmid(known, record) or _texts_agree(known, record)]
    if len(same) < 2:
        return same
    chosen: list[Record] = []
    for known in sorted(same, key=partial(_nearness, record), reverse=True):
        matches_by_text = _have_same_ids(known, record) is None
        if not (chosen and matches_by_text) and all(_have_same_ids(known, other) is not False for other in chosen):
            chosen.append(known)
    return chosen


def is_same_report(first: Record, second: Record) -> bool:
    """Whether two records that share an identity key are one report.

    The same PubMed number is enough. So is the same DOI, unless the PubMed numbers differ, or title and abstract both
    differ: the reports of a supplement may share a DOI. Without an identifier in both, title and abstract must agree.
    """
    same_ids = _have_same_ids(first, second)
    if same_ids is None:
        return _texts_agree(first, second)
    return same_ids and (_have_same_pmid(first, second) or not _texts_differ(first, second))


def merge_records(known: Record, new: Record) -> Record:
    """Merge two records of the same report: the fields of the leading record, and those it lacks from the other.

    The new record leads if it comes from a file, or from the same database as the known one; another database only adds
    missing fields, unless its text is fuller. A truncated text never replaces the whole one, nor a digest the abstract.
    Sources and ids of both are kept, and so is a retraction. If `new` adds nothing, the result equals `known`.
    """
    lead, other = (new, known) if _leads(new, known) else (known, new)
    doi, pmid = lead.doi or other.doi, lead.pmid or other.pmid
    title = lead.title if lead.title and not _is_cut(lead.title, other.title or "") else other.title
    merged = replace(
        lead,
        record_id=_choose_id(known, name_record(doi, pmid) or name_content(title, lead.abstract)),
        source_id=known.source_id or new.source_id,
        title=title,
        content_hash=hash_content(title, lead.abstract, lead.sections),
        authors=max(lead.authors, other.authors, key=lambda names: (len(names), sum(map(len, names)))),
        journal=max(lead.journal or "", other.journal or "", key=len) or None,
        publication_types=tuple(dict.fromkeys([*known.publication_types, *new.publication_types])),
        url=_choose_url(lead, other) or find_landing_page(doi, pmid),
        retracted=known.retracted or new.retracted,
        **{name: _given(lead, other, name) for name in ("year", "volume", "pages", *_IDS, "is_open_access")},
        sources=tuple(dict.fromkeys([*lead.sources, *other.sources])),
    )
    return replace(merged, other_ids=_other_ids(merged, known, new))


def is_news(known: Record, merged: Record) -> bool:
    """Whether a merged record differs from the known one by more than the name of another source file."""
    new_sources = set(merged.sources) - set(known.sources)
    return merged != replace(known, sources=merged.sources) or not all(map(_is_file, new_sources))


def is_change(known: Record, new: Record) -> bool:
    """Whether a record with news is a newer version of the known one, not the same report from another source."""
    names = {new.record_id, new.source_id} - {None}
    has_same_id = _have_same_ids(known, new) or not names.isdisjoint(
        {known.source_id, *known.other_ids, known.record_id}
    )
    return has_same_id and all(_is_file(source) or source in known.sources for source in new.sources)


def _have_same_pmid(first: Record, second: Record) -> bool:
    return first.pmid is not None and first.pmid == second.pmid


def _nearness(record: Record, known: Record) -> tuple[bool, bool, bool, bool, float]:
    """Sort key of the candidates for a record: by ids, then text, then the source's own id."""
    return (
        _have_same_pmid(known, record),
        bool(_have_same_ids(known, record)),
        _letters_and_digits(known.abstract) == _letters_and_digits(record.abstract),
        known.source_id is not None and known.source_id == record.source_id,
        shared_words(known.abstract, record.abstract),
    )


def _have_same_ids(first: Record, second: Record) -> bool | None:
    """Whether the most reliable identifier that both have is the same; None if there is none."""
    pairs = ((getattr(first, name), getattr(second, name)) for name in _IDS)
    return next((one == other for one, other in pairs if one and other), None)


def _texts_agree(first: Record, second: Record) -> bool:
    """Whether title and abstract of two records show that they are one report."""
    agrees = _titles_agree(first, second)
    one, other = _letters_and_digits(first.abstract), _letters_and_digits(second.abstract)
    if one == other:
        return agrees or len(one) >= MIN_ABSTRACT_CHARS
    if not agrees or _are_numbered_apart(first, second) or not _abstracts_agree(first, second):
        return False
    has_same_number = first.source_id is not None and first.source_id == second.source_id
    is_cut = _is_cut(first.abstract, second.abstract) or _is_cut(second.abstract, first.abstract)
    return has_same_number or is_cut or _figures_agree(first.abstract, second.abstract)


def _texts_differ(first: Record, second: Record) -> bool:
    """Whether title and abstract of two records with one DOI differ; digests and short texts do not count."""
    is_long = (
        min(len(_letters_and_digits(first.abstract)), len(_letters_and_digits(second.abstract))) >= MIN_ABSTRACT_CHARS
    )
    can_tell = is_long and first.is_digest == second.is_digest
    return can_tell and not _titles_agree(first, second) and not _abstracts_agree(first, second)


def _are_numbered_apart(first: Record, second: Record) -> bool:
    """Whether one source gave two records different ids of its own, and they have no other ids."""
    has_ids = any(getattr(record, name) for record in (first, second) for name in _IDS)
    is_one_source = first.sources[:1] == second.sources[:1]
    return is_one_source and not has_ids and None is not first.source_id != second.source_id is not None


def _titles_agree(first: Record, second: Record) -> bool:
    """Whether one title has most of the words of the other; a missing title agrees with any."""
    if not first.title or not second.title:
        return True
    return shared_words(first.title, second.title) >= MIN_SHARED_TITLE


def _figures_agree(first: str, second: str) -> bool:
    """Whether one text has all numbers of the other: another age or dose may mean another patient."""
    one, other = ({word for word in _words(text) if any(map(str.isdigit, word))} for text in (first, second))
    return one <= other or other <= one


def _abstracts_agree(first: Record, second: Record) -> bool:
    is_long = min(len(_words(first.abstract)), len(_words(second.abstract))) >= MIN_WORDS
    return is_long and shared_words(first.abstract, second.abstract) >= MIN_WORD_OVERLAP


def _leads(new: Record, known: Record) -> bool:
    """Whether the new record's fields take precedence over the known one's."""
    if known.is_digest != new.is_digest:
        return known.is_digest
    if _is_cut(new.abstract, known.abstract):
        return False
    if _is_cut(known.abstract, new.abstract):
        return True
    if known.sections and not new.sections and _letters_and_digits(known.abstract) == _letters_and_digits(new.abstract):
        return False
    return new.sources[:1] == known.sources[:1] or all(map(_is_file, new.sources[:1]))


def _is_cut(part: str, whole: str) -> bool:
    """Whether a text is the beginning of another one, possibly followed by a truncation mark."""
    part, whole = _letters_and_digits(part), _letters_and_digits(whole)
    if len(part) > MAX_CUT_SHARE * len(whole):
        return False
    differing = (place for place, (one, other) in enumerate(zip(part, whole, strict=False)) if one != other)
    shared = next(differing, min(len(part), len(whole)))
    return 0 < len(part) <= min(shared + MAX_CUT_MARK_CHARS, 2 * shared)


def _choose_id(known: Record, best: str) -> str:
    """The best id, unless the known record could have it and does not, because it is taken."""
    could_be = name_record(known.doi, known.pmid) or name_content(known.title, known.abstract)
    return known.record_id if could_be == best else best


def _choose_url(lead: Record, other: Record) -> str | None:
    """A URL that a source gave, not one that was derived from an identifier."""
    return next((part.url for part in (lead, other) if part.url and not part.url.startswith(_LANDING_PAGES)), None)


def _given(lead: Record, other: Record, name: str) -> Any:
    value = getattr(lead, name)
    return getattr(other, name) if value is None else value


def _other_ids(merged: Record, *parts: Record) -> tuple[str, ...]:
    ids = [name for part in parts for name in (*part.other_ids, part.record_id, part.source_id) if name]
    # A report of a supplement without its DOI as id leaves that id to the report that has it.
    own = {merged.record_id, merged.source_id, name_record(merged.doi, None)}
    return tuple(name for name in dict.fromkeys(ids) if name not in own)


def _is_file(source: str) -> bool:
    """Whether a source is a file name, which it is if the file does not name a database."""
    return _FILE_NAME.fullmatch(source) is not None


def shared_words(first: str, second: str) -> float:
    """The share of the words of the shorter of two texts that are in the longer one, 0 to 1."""
    shorter, longer = sorted((_words(first), _words(second)), key=len)
    return len(shorter & longer) / len(shorter) if shorter else 0.0


@lru_cache(CACHED_TEXTS)
def _words(text: str) -> frozenset[str]:
    return frozenset(_SIGNS.split(_fold(text))) - {""}


@lru_cache(CACHED_TEXTS)
def _letters_and_digits(text: str) -> str:
    """The letters and digits of a text: case-folded, without accents, Greek letters spelled out."""
    return _SIGNS.sub("", _fold(text))


def _fold(text: str) -> str:
    folded = text.casefold()
    if folded.isascii():
        return folded

    def spell_out(letter: re.Match[str]) -> str:
        return unicodedata.name(letter[0]).split()[-1].lower().replace("lamda", "lambda")

    decomposed = _GREEK_LETTER.sub(spell_out, unicodedata.normalize("NFKD", folded))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:24]
