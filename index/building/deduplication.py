"""Which records are the same report, and what one record says where several were."""

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

# Letters and digits of a title or an abstract by which a report may be recognised; shorter ones name many reports
# ("Lithium toxicity", "No abstract available").
MIN_TITLE_CHARS = 20
MIN_ABSTRACT_CHARS = 100
# An abstract is recognised by its beginning, which a copy that is cut off still has.
START_CHARS = 200
# How many of the words of the shorter of two texts stand in the longer one, if both are of one report
# (`benchmarks/measure_identity.py`).
MIN_SHARED_WORDS = 0.8
MIN_SHARED_TITLE = 0.6
MIN_WORDS = 10  # fewer stand in any long abstract
# A copy that is cut off keeps at most so much of the text, and ends like the text does there, but for a mark of so
# many characters: "(ABSTRACT TRUNCATED AT 250 WORDS)".
MAX_CUT_SHARE = 0.95
MAX_CUT_MARK_CHARS = 40

CACHED_TEXTS = 64  # a record's are compared several times in a row

_SIGNS = re.compile(r"[\W_]+")
_LANDING_PAGES = ("https://doi.org/", "https://pubmed.ncbi.nlm.nih.gov/")
_IDS = ("pmid", "doi", "pmcid")  # the one that is given to one report alone comes first
# A Greek letter alone, which some sources write as its name; "μ" is rather a unit.
_GREEK_LETTER = re.compile("(?<![α-ω])[α-λν-ω](?![α-ω])")
_FILE_NAME = re.compile(r".*\.\w{1,8}|<stdin>")


def identity_keys(record: Record) -> list[str]:
    """What a record can be recognised by: its ids, its title, and how its abstract begins."""
    keys = [f"{name}:{value}" for name in _IDS if (value := getattr(record, name))]
    title, start = _squeeze(record.title or ""), _squeeze(record.abstract[: 4 * START_CHARS])[:START_CHARS]
    if len(title) >= MIN_TITLE_CHARS:
        keys.append(f"title:{_digest(title)}")
    if len(start) >= MIN_ABSTRACT_CHARS:
        keys.append(f"abstract:{_digest(start)}")
    names = (record.source_id, record.record_id, *record.other_ids)
    return list(dict.fromkeys([*keys, *(name for name in names if name)]))


def possible_keys(name: str) -> list[str]:
    """The identity keys that a user may mean by a name: an id of a record or of its source, a bare DOI or number."""
    return [name, name.lower(), f"doi:{name.lower()}", f"pmid:{name}", f"pmcid:{name.upper()}"]


def same_reports(record: Record, candidates: Sequence[Record]) -> list[Record]:
    """Those of some records that share an identity key with a record which are the same report as it is.

    They may be several, where one has the DOI and another the PubMed number. Of those that only the text tells, and of
    those that cannot all be one report, the nearest is taken.
    """
    same = [known for known in candidates if is_same_report(known, record)]
    if any(_have_same_ids(*pair) is False for pair in combinations(same, 2)):  # a DOI that several reports share
        same = [known for known in same if _have_same_pmid(known, record) or _tell_the_same(known, record)]
    if len(same) < 2:
        return same
    chosen: list[Record] = []
    for known in sorted(same, key=partial(_nearness, record), reverse=True):
        is_told_by_text = _have_same_ids(known, record) is None
        if not (chosen and is_told_by_text) and all(_have_same_ids(known, other) is not False for other in chosen):
            chosen.append(known)
    return chosen


def is_same_report(first: Record, second: Record) -> bool:
    """Whether two records that share an identity key are one report.

    The same PubMed number is enough, and so is the same DOI, unless the PubMed numbers differ or title and abstract
    both tell of something else: the reports of a supplement may share one. Without an identifier that both give, title
    and abstract must agree.
    """
    same_ids = _have_same_ids(first, second)
    if same_ids is None:
        return _tell_the_same(first, second)
    return same_ids and (_have_same_pmid(first, second) or not _tell_of_others(first, second))


def merge_records(known: Record, new: Record) -> Record:
    """One record of two of the same report: what the one that leads says, and where it says nothing, the other.

    A file corrects what came before it, a database what it gave itself; other databases complete it, and lead where
    their text is fuller. A text that is cut off never takes the place of the whole one, nor a digest that of the
    abstract. Sources and ids of both stay; what was retracted once stays retracted. If `new` brings nothing, the result
    equals `known`.
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
    """Whether a merged record says more than the known one; the name of one more file alone is no news."""
    new_sources = set(merged.sources) - set(known.sources)
    return merged != replace(known, sources=merged.sources) or not all(map(_is_file, new_sources))


def is_change(known: Record, new: Record) -> bool:
    """Whether a record that brings news is a known one as it is now, not the same report from elsewhere."""
    names = {new.record_id, new.source_id} - {None}
    has_same_id = _have_same_ids(known, new) or not names.isdisjoint(
        {known.source_id, *known.other_ids, known.record_id}
    )
    return has_same_id and all(_is_file(source) or source in known.sources for source in new.sources)


def _have_same_pmid(first: Record, second: Record) -> bool:
    return first.pmid is not None and first.pmid == second.pmid


def _nearness(record: Record, known: Record) -> tuple[bool, bool, bool, bool, float]:
    """What orders the records that may be the same report as another: ids, then text, then a source's own number."""
    return (
        _have_same_pmid(known, record),
        bool(_have_same_ids(known, record)),
        _squeeze(known.abstract) == _squeeze(record.abstract),
        known.source_id is not None and known.source_id == record.source_id,
        shared_words(known.abstract, record.abstract),
    )


def _have_same_ids(first: Record, second: Record) -> bool | None:
    """Whether the surest identifier that both give is the same; None if there is none."""
    pairs = ((getattr(first, name), getattr(second, name)) for name in _IDS)
    return next((one == other for one, other in pairs if one and other), None)


def _tell_the_same(first: Record, second: Record) -> bool:
    """Whether title and abstract of two records are those of one report."""
    agrees = _titles_agree(first, second)
    one, other = _squeeze(first.abstract), _squeeze(second.abstract)
    if one == other:
        return agrees or len(one) >= MIN_ABSTRACT_CHARS
    if not agrees or _are_numbered_apart(first, second) or not _share_words(first, second):
        return False
    has_same_number = first.source_id is not None and first.source_id == second.source_id
    is_cut = _is_cut(first.abstract, second.abstract) or _is_cut(second.abstract, first.abstract)
    return has_same_number or is_cut or _figures_agree(first.abstract, second.abstract)


def _tell_of_others(first: Record, second: Record) -> bool:
    """Whether two records of one DOI are two reports all the same; a digest, or a few words, cannot tell."""
    is_long = min(len(_squeeze(first.abstract)), len(_squeeze(second.abstract))) >= MIN_ABSTRACT_CHARS
    can_tell = is_long and first.is_digest == second.is_digest
    return can_tell and not _titles_agree(first, second) and not _share_words(first, second)


def _are_numbered_apart(first: Record, second: Record) -> bool:
    """Whether one source gave two records different numbers of its own, and no others; it knows why."""
    has_ids = any(getattr(record, name) for record in (first, second) for name in _IDS)
    is_one_source = first.sources[:1] == second.sources[:1]
    return is_one_source and not has_ids and None is not first.source_id != second.source_id is not None


def _titles_agree(first: Record, second: Record) -> bool:
    """Whether one title has most of the words of the other; one that is missing contradicts none."""
    if not first.title or not second.title:
        return True
    return shared_words(first.title, second.title) >= MIN_SHARED_TITLE


def _figures_agree(first: str, second: str) -> bool:
    """Whether one text has all figures of the other: another age or dose may be another patient's."""
    one, other = ({word for word in _words(text) if any(map(str.isdigit, word))} for text in (first, second))
    return one <= other or other <= one


def _share_words(first: Record, second: Record) -> bool:
    if min(len(_words(first.abstract)), len(_words(second.abstract))) < MIN_WORDS:
        return False
    return shared_words(first.abstract, second.abstract) >= MIN_SHARED_WORDS


def _leads(new: Record, known: Record) -> bool:
    """Whether a record takes over from a known one of the same report, which then fills its gaps."""
    if known.is_digest != new.is_digest:
        return known.is_digest
    if _is_cut(new.abstract, known.abstract):
        return False
    if _is_cut(known.abstract, new.abstract):
        return True
    if known.sections and not new.sections and _squeeze(known.abstract) == _squeeze(new.abstract):
        return False
    return new.sources[:1] == known.sources[:1] or all(map(_is_file, new.sources[:1]))


def _is_cut(part: str, whole: str) -> bool:
    """Whether a text is the beginning of another one, perhaps with a mark at its end that says that it is cut."""
    part, whole = _squeeze(part), _squeeze(whole)
    if len(part) > MAX_CUT_SHARE * len(whole):
        return False
    differing = (place for place, (one, other) in enumerate(zip(part, whole, strict=False)) if one != other)
    shared = next(differing, min(len(part), len(whole)))
    return 0 < len(part) <= min(shared + MAX_CUT_MARK_CHARS, 2 * shared)


def _choose_id(known: Record, best: str) -> str:
    """The best name, unless the known record could go by it and does not, because it is taken."""
    could_be = name_record(known.doi, known.pmid) or name_content(known.title, known.abstract)
    return known.record_id if could_be == best else best


def _choose_url(lead: Record, other: Record) -> str | None:
    """An address that a source gave, rather than one that was made of an identifier."""
    return next((part.url for part in (lead, other) if part.url and not part.url.startswith(_LANDING_PAGES)), None)


def _given(lead: Record, other: Record, name: str) -> Any:
    value = getattr(lead, name)
    return getattr(other, name) if value is None else value


def _other_ids(merged: Record, *parts: Record) -> tuple[str, ...]:
    ids = [name for part in parts for name in (*part.other_ids, part.record_id, part.source_id) if name]
    # A report of a supplement that goes by another name than its DOI leaves that to the one that does.
    own = {merged.record_id, merged.source_id, name_record(merged.doi, None)}
    return tuple(name for name in dict.fromkeys(ids) if name not in own)


def _is_file(source: str) -> bool:
    """Whether a source is the name of a file, as it is where the file does not say which database it is from."""
    return _FILE_NAME.fullmatch(source) is not None


def shared_words(first: str, second: str) -> float:
    """The share of the words of the shorter of two texts that stand in the longer one, 0 to 1."""
    shorter, longer = sorted((_words(first), _words(second)), key=len)
    return len(shorter & longer) / len(shorter) if shorter else 0.0


@lru_cache(CACHED_TEXTS)
def _words(text: str) -> frozenset[str]:
    return frozenset(_SIGNS.split(_fold(text))) - {""}


@lru_cache(CACHED_TEXTS)
def _squeeze(text: str) -> str:
    """The letters and digits of a text, in one case, without accents, Greek letters by their names."""
    return _SIGNS.sub("", _fold(text))


def _fold(text: str) -> str:
    folded = text.casefold()
    if folded.isascii():
        return folded
    decomposed = _GREEK_LETTER.sub(_letter_name, unicodedata.normalize("NFKD", folded))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _letter_name(letter: re.Match[str]) -> str:
    return unicodedata.name(letter[0]).split()[-1].lower().replace("lamda", "lambda")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:24]
