"""Raw records from any source to checked, normalised `Record`s; what cannot be one is rejected with its reason."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from operator import lt
from pathlib import Path, PurePath
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from index.ingest.formats.raw_record import RawRecord
from index.ingest.markup import PlainAbstract, read_abstract, read_inline
from index.ingest.readers import read_sources
from index.text.cleaning import clean_line, clean_text
from index.text.normalisation import fold_text
from index.types import Record, Rejection, Section

MAX_ABSTRACT_CHARS = 100_000
MAX_VALUE_CHARS = 4_000
MAX_VALUES = 3_000  # authors of the largest collaborations

_NOTHING = {"", "-", "n/a", "na", "nan", "none", "null"}
_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_DOI = re.compile(r"10\.\d{4,9}(?:\.\d+)*/\S+")
_PMID = re.compile(r"(?:pmid\W*|https?://\S*pubmed\S*/)?0*([1-9]\d{0,8})/?", re.IGNORECASE)
_PMCID = re.compile(r"(?<![^\W\d])(?:PMC)?([1-9]\d{0,8})(?!\d)")
# "RETRACTED: ...", "Retracted article: ...", "WITHDRAWN: ...", "[Retracted] ...": so publishers mark the report itself.
_RETRACTED_TITLE = re.compile(r"\W*(?:retracted|withdrawn)(?: article| paper)?\s*[:\])]", re.IGNORECASE)
_RETRACTED_TYPES = {"retracted publication", "retracted"}
_NOTICE_TYPES = {"retraction of publication", "retraction notice", "retraction"}
_BRACKETS = {")": "(", "]": "[", "}": "{", ">": "<"}


def read_records(paths: Sequence[str | Path], columns: Mapping[str, str] | None = None) -> Iterator[Record | Rejection]:
    """Yield every record of the files, folders and `-`, and a `Rejection` for each piece that is none.

    `columns` says which column of a CSV or TSV file gives a field, by field: `{"abstract": "Zusammenfassung"}`; the
    usual names (docs/formats.md) need not be given.

    Raises:
        WrongUseError: a path does not exist, or a field of `columns`.
    """
    for raw in read_sources(paths, columns or {}):
        yield parse_record(raw) if isinstance(raw, RawRecord) else raw


def parse_record(raw: RawRecord) -> Record | Rejection:
    """One raw record as a `Record`, or the reason why it cannot be one."""
    try:
        source = _SourceRecord.model_validate(raw.data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0]) if first["loc"] else None
        return raw.reject(field, first["msg"].removeprefix("Value error, "))
    abstract = source.plain_abstract()
    if not abstract.text.strip():
        return raw.reject("abstract", "no text")
    return _as_record(source, abstract, raw.file)


def _is_missing(value: Any) -> bool:
    """None, or the NaN that tables write where there is nothing."""
    return value is None or (isinstance(value, float) and isnan(value))


def _check_text(value: Any, max_chars: int = MAX_VALUE_CHARS) -> str | None:
    """A string (or a whole number, as identifiers and volumes come) as one line, or None."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1:
        value = str(int(value))
    if _is_missing(value):
        return None
    if not isinstance(value, str):
        raise ValueError(f"must be text, is {type(value).__name__}")
    if len(value) > max_chars:
        raise ValueError(f"{len(value):,} characters, at most {max_chars:,} are read")
    text = clean_line(value)
    return None if fold_text(text) in _NOTHING else text


def _check_inline(value: Any) -> str | None:
    text = _check_text(value)
    return (read_inline(text) or None) if text else None


def _check_abstract(value: Any) -> str:
    """An abstract as it came: offsets into it may come with it."""
    if isinstance(value, int | float) and not _is_missing(value):
        raise ValueError(f"must be text, is {type(value).__name__}")
    return value if _check_text(value, MAX_ABSTRACT_CHARS) else ""


def _check_sections(value: Any) -> tuple[Section, ...]:
    """Sections as `Record.to_dict` writes them; what another source calls "sections" is left alone."""
    try:
        sections = tuple(Section(*section) for section in value)
    except TypeError:
        return ()
    if {tuple(map(type, section)) for section in sections} != {(str, int, int)}:
        return ()
    edges = [edge for _, *span in sections for edge in span]
    is_ordered = edges[0] >= 0 and all(map(lt, edges, edges[1:]))
    is_labelled = all(section.label and section.label == read_inline(section.label) for section in sections)
    return sections if is_ordered and is_labelled else ()


def _check_names(value: Any) -> tuple[str, ...]:
    """Names as a tuple from a list of strings or of {"name": ...}, or from "A, B" or "Last, First; Last, First"."""
    if isinstance(value, str):
        text = read_inline(_check_text(value, MAX_ABSTRACT_CHARS) or "")
        value = text.split(";" if ";" in text else ",")
    if _is_missing(value):
        return ()
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list of text, is {type(value).__name__}")
    if len(value) > MAX_VALUES:
        raise ValueError(f"{len(value):,} entries, at most {MAX_VALUES:,} are read")
    names = (_check_inline(_full_name(item) if isinstance(item, dict) else item) for item in value)
    return tuple(name for name in names if name)


def _full_name(person: dict[str, Any]) -> Any:
    """The name of an author who comes as an object, whole or as given and family name."""
    if person.get("name"):
        return person["name"]
    keys = (("given", "firstName", "first"), ("family", "lastName", "last"))
    parts = [next((person[key] for key in names if person.get(key)), None) for names in keys]
    if not any(parts):
        raise ValueError(f"an entry without a name, with {clean_line(', '.join(person))[:80] or 'nothing'}")
    return " ".join(str(part) for part in parts if part)


def _check_year(value: Any) -> int | None:
    """The year of 2025, "2025-04-10", "2025/1/1 0:00:00", "2025 Mar-Apr" or "10 April 2025"."""
    text = _check_text(value)
    if text is None:
        return None
    if not (found := _YEAR.search(text)):
        raise ValueError(f"no year in {text[:40]!r}")
    return int(found[1])


def _check_doi(value: Any) -> str | None:
    """The DOI in lower case, from a URL, `doi:...` or the bare name."""
    text = _check_text(value)
    if text is None:
        return None
    if "://" in text:  # "?" and "#" end an address, but may stand in a DOI
        text = text.partition("?")[0].partition("#")[0]
    found = _DOI.search(clean_text(unquote(text)))
    doi = _without_punctuation(found[0].lower()) if found else ""
    if doi.endswith("/") or not doi:
        raise ValueError(f"no DOI: {text[:80]!r}")
    return doi


def _without_punctuation(text: str) -> str:
    """The text without what a sentence put after it: stops, quotes, and brackets that the text does not open."""
    while text:
        last = text[-1]
        if last not in ".,;:'\"”’" and (last not in _BRACKETS or text.count(_BRACKETS[last]) >= text.count(last)):
            break
        text = text[:-1]
    return text


def _check_pmid(value: Any) -> str | None:
    """The number of "123", 123, "PMID: 123" or a PubMed address."""
    text = _check_text(value)
    if text is None:
        return None
    if not (found := _PMID.fullmatch(text)):
        raise ValueError(f"no PubMed number: {text[:80]!r}")
    return found[1]


def _check_pmcid(value: Any) -> str | None:
    text = _check_text(value)
    if text is None:
        return None
    if not (found := _PMCID.search(text.upper())):
        raise ValueError(f"no PubMed Central number: {text[:80]!r}")
    return f"PMC{found[1]}"


def _check_url(value: Any) -> str | None:
    text = _check_text(value)
    if text is None:
        return None
    address = urlsplit(text)
    if address.scheme not in {"http", "https"} or not address.netloc or len(text.split()) > 1:
        raise ValueError(f"must be an http or https address: {text[:80]!r}")
    return text


def _check_ids(value: Any) -> tuple[str, ...]:
    """Names as `Record.to_dict` writes them; what another source calls so is left alone."""
    is_list = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    return tuple(filter(None, map(clean_line, value[:MAX_VALUES]))) if is_list else ()


def _check_source(value: Any) -> str | None:
    """The name of a database, where a source gives one."""
    return _check_text(value) if isinstance(value, str) and len(value) <= MAX_VALUE_CHARS else None


def _check_flag(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    words = {"y": True, "yes": True, "true": True, "1": True, "n": False, "no": False, "false": False, "0": False}
    text = _check_text(value)
    if text is None:
        return None
    if text.casefold() not in words:
        raise ValueError(f"must be true or false, is {text[:40]!r}")
    return words[text.casefold()]


def _named(*names: str) -> Any:
    return Field(default=None, validation_alias=AliasChoices(*names))


_Text = Annotated[str | None, BeforeValidator(_check_text)]
_Inline = Annotated[str | None, BeforeValidator(_check_inline)]
_Names = Annotated[tuple[str, ...], BeforeValidator(_check_names)]
_Flag = Annotated[bool | None, BeforeValidator(_check_flag)]
_Ids = Annotated[tuple[str, ...], BeforeValidator(_check_ids)]


class _SourceRecord(BaseModel):
    """The names under which aggregators give each field; all other names are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True, validate_default=False)

    abstract: Annotated[str, BeforeValidator(_check_abstract)] = ""
    sections: Annotated[tuple[Section, ...], BeforeValidator(_check_sections)] = ()
    content_hash: Any = None
    record_id: Any = None
    source_id: _Text = _named("source_id", "id", "paperId", "paperid")
    title: _Inline = None
    authors: _Names = ()
    journal: _Inline = _named("journal", "PeriodicalName", "journalTitle", "venue")
    year: Annotated[int | None, BeforeValidator(_check_year)] = None
    volume: _Text = None
    pages: _Text = None
    doi: Annotated[str | None, BeforeValidator(_check_doi)] = _named("doi", "DOI")
    pmid: Annotated[str | None, BeforeValidator(_check_pmid)] = _named("pmid", "PMID")
    pmcid: Annotated[str | None, BeforeValidator(_check_pmcid)] = _named("pmcid", "PMCID")
    url: Annotated[str | None, BeforeValidator(_check_url)] = None
    publication_types: _Names = Field(
        default=(), validation_alias=AliasChoices("publication_types", "publicationTypes")
    )
    is_open_access: _Flag = _named("is_open_access", "isOpenAccess")
    retracted: _Flag = _named("retracted", "isRetracted")
    is_digest: _Flag = _named("is_digest", "digest")
    source: Annotated[str | None, BeforeValidator(_check_source)] = None
    sources: _Ids = ()
    other_ids: _Ids = ()

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, data: dict[str, Any]) -> dict[str, Any]:
        """A journal that is an object, and a year that stands in a date, to the fields' own names."""
        journal = data.get("journal")
        values = {**data, "journal": None} if isinstance(journal, dict) else data
        flat = {name: value for name, value in values.items() if value not in (None, "", [])}
        for name, key in (("journal", "name"), ("journal", "title"), ("volume", "volume"), ("pages", "pages")):
            if isinstance(journal, dict) and journal.get(key):
                flat.setdefault(name, journal[key])
        for name in ("publicationDate", "EPubDate"):
            if name in flat:
                flat.setdefault("year", flat[name])
        return flat

    def plain_abstract(self) -> PlainAbstract:
        """The abstract as plain text; what `Record.to_dict` wrote is plain, and stays as it is with its sections."""
        is_record = self.content_hash == hash_content(self.title, self.abstract, self.sections)
        has_spans = bool(self.sections) and self.sections[-1].end <= len(self.abstract)
        if (is_record or has_spans) and read_inline(self.abstract) == " ".join(self.abstract.split()):
            return PlainAbstract(clean_text(self.abstract), self.sections)  # only spaces can change, so spans hold
        return read_abstract(self.abstract)


def _as_record(source: _SourceRecord, abstract: PlainAbstract, file: str) -> Record:
    replaced = {
        "record_id",
        "abstract",
        "sections",
        "content_hash",
        "retracted",
        "is_digest",
        "url",
        "source",
        "sources",
    }
    names = _possible_names(source, abstract)
    fields = source.model_dump(exclude=replaced)
    return Record(
        **fields,
        record_id=source.record_id if source.record_id in names else names[0],
        abstract=abstract.text,
        sections=abstract.sections,
        content_hash=hash_content(source.title, abstract.text, abstract.sections),
        url=source.url or find_landing_page(source.doi, source.pmid),
        retracted=_is_retracted(source),
        is_digest=bool(source.is_digest),
        sources=source.sources or (source.source or PurePath(file.replace("\\", "/")).name,),
    )


def _possible_names(source: _SourceRecord, abstract: PlainAbstract) -> list[str]:
    """The ids that a record may have, the best first; one that `Record.to_dict` wrote may have had to take another."""
    names = (name_record(source.doi, None), name_record(None, source.pmid), name_content(source.title, abstract.text))
    return [name for name in names if name]


def _is_retracted(source: _SourceRecord) -> bool:
    """Whether anything says so of the report; what only announces the retraction of another is none."""
    types = {fold_text(name) for name in source.publication_types}
    if source.retracted or types & _RETRACTED_TYPES:
        return True
    return not types & _NOTICE_TYPES and bool(_RETRACTED_TITLE.match(source.title or ""))


def name_record(doi: str | None, pmid: str | None) -> str | None:
    """The id of a record with a DOI or a PubMed number; without either its text has to name it."""
    if doi:
        return f"doi:{doi}"
    return f"pmid:{pmid}" if pmid else None


def name_content(title: str | None, abstract: str) -> str:
    """The id of a record that only its text can name."""
    folded = fold_text(f"{title or ''} {abstract}")
    return f"sha256:{hashlib.sha256(folded.encode()).hexdigest()[:16]}"


def find_landing_page(doi: str | None, pmid: str | None) -> str | None:
    """The address at which a report is found by its DOI or its PubMed number."""
    if doi:
        return f"https://doi.org/{doi}"
    return f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/" if pmid else None


def hash_content(title: str | None, abstract: str, sections: tuple[Section, ...]) -> str:
    """What tells whether a record's text is still the one that was chunked and embedded."""
    content = json.dumps([title, abstract, sections], ensure_ascii=False)
    return hashlib.sha256(content.encode(errors="replace")).hexdigest()
