"""Raw records from any source to checked, normalised `Record`s; the rest is rejected with a reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isnan
from operator import lt
from pathlib import Path, PurePath
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from index.ingest.formats.raw_record import RawRecord
from index.ingest.identifiers import (
    find_landing_page,
    hash_content,
    name_content,
    name_record,
    normalise_doi,
    normalise_pmcid,
    normalise_pmid,
)
from index.ingest.markup import PlainAbstract, read_abstract, read_inline
from index.ingest.readers import read_sources
from index.text.cleaning import clean_line, clean_text
from index.text.normalisation import fold_text
from index.types import Record, Rejection, Section

MAX_ABSTRACT_CHARS = 100_000
MAX_VALUE_CHARS = 4_000
MAX_VALUES = 3_000  # more than the authors of the largest collaborations
MAX_REASON_CHARS = 80  # of a value that a reason quotes

_EMPTY_WORDS = {"", "-", "n/a", "na", "nan", "none", "null"}
_YEAR = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")
_FLAGS = {"y": True, "yes": True, "true": True, "1": True, "n": False, "no": False, "false": False, "0": False}
# How publishers mark retracted reports: "RETRACTED: ...", "Retracted article: ...", "WITHDRAWN: ...", "[Retracted]..."
_RETRACTED_TITLE = re.compile(r"\W*(?:retracted|withdrawn)(?: article| paper)?\s*[:\])]", re.IGNORECASE)
_RETRACTED_TYPES = {"retracted publication", "retracted"}
_NOTICE_TYPES = {"retraction of publication", "retraction notice", "retraction"}


def read_records(paths: Sequence[str | Path], columns: Mapping[str, str] | None = None) -> Iterator[Record | Rejection]:
    """Yield every record of the files, folders and `-` (standard input), and a `Rejection` for all other content.

    `columns` names the column of a CSV or TSV file for each field with an unusual name: `{"abstract":
    "Zusammenfassung"}`. docs/formats.md lists the usual names.

    Raises:
        WrongUseError: a path does not exist, or `columns` has an unknown field.
    """
    for raw in read_sources(paths, columns or {}):
        yield parse_record(raw) if isinstance(raw, RawRecord) else raw


def parse_record(raw: RawRecord) -> Record | Rejection:
    """The `Record` of a raw record, or a rejection with the first problem found."""
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
    """None, or NaN, which tables contain for empty cells."""
    return value is None or (isinstance(value, float) and isnan(value))


def _check_text(value: Any, max_chars: int = MAX_VALUE_CHARS) -> str | None:
    """A string (or whole number, as identifiers and volumes may be given) on one line; None if it is empty."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1:
        value = str(int(value))
    if _is_missing(value):
        return None
    if not isinstance(value, str):
        raise ValueError(f"must be text, is {type(value).__name__}")
    if len(value) > max_chars:
        raise ValueError(f"{len(value):,} characters, the limit is {max_chars:,}")
    text = clean_line(value)
    return None if fold_text(text) in _EMPTY_WORDS else text


def _check_inline(value: Any) -> str | None:
    text = _check_text(value)
    return (read_inline(text) or None) if text else None


def _check_abstract(value: Any) -> str:
    """An unchanged abstract, because `sections` may hold offsets into it."""
    if isinstance(value, int | float) and not _is_missing(value):
        raise ValueError(f"must be text, is {type(value).__name__}")
    return value if _check_text(value, MAX_ABSTRACT_CHARS) else ""


def _check_sections(value: Any) -> tuple[Section, ...]:
    """Sections as `Record.to_dict` writes them; () for anything else, as other sources use the name differently."""
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
    """Names from a list of strings or of {"name": ...}, or from "A, B" or "Last, First; Last, First"."""
    if isinstance(value, str):
        text = read_inline(_check_text(value, MAX_ABSTRACT_CHARS) or "")
        value = text.split(";" if ";" in text else ",")
    if _is_missing(value):
        return ()
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list of text, is {type(value).__name__}")
    if len(value) > MAX_VALUES:
        raise ValueError(f"{len(value):,} entries, the limit is {MAX_VALUES:,}")
    names = (_check_inline(_full_name(item) if isinstance(item, dict) else item) for item in value)
    return tuple(name for name in names if name)


def _full_name(person: dict[str, Any]) -> Any:
    """The name of an author given as an object with a full name, or with a given and a family name."""
    if person.get("name"):
        return person["name"]
    keys = (("given", "firstName", "first"), ("family", "lastName", "last"))
    parts = [next((person[key] for key in names if person.get(key)), None) for names in keys]
    if not any(parts):
        raise ValueError(f"an entry without a name, with {clean_line(', '.join(person))[:80] or 'nothing'}")
    return " ".join(str(part) for part in parts if part)


def _parse_year(text: str) -> int | None:
    """The year of "2025", "2025-04-10", "2025/1/1 0:00:00", "2025 Mar-Apr" or "10 April 2025"."""
    return int(found[1]) if (found := _YEAR.search(text)) else None


def _parse_url(text: str) -> str | None:
    address = urlsplit(text)
    is_web = address.scheme in {"http", "https"} and address.netloc and len(text.split()) == 1
    return text if is_web else None


def _check_ids(value: Any) -> tuple[str, ...]:
    """Names as `Record.to_dict` writes them; () for anything else, as other sources use the field differently."""
    is_list = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    return tuple(filter(None, map(clean_line, value[:MAX_VALUES]))) if is_list else ()


def _check_source(value: Any) -> str | None:
    """The name of a database; None for anything else, as other sources use the field differently."""
    return _check_text(value) if isinstance(value, str) and len(value) <= MAX_VALUE_CHARS else None


def _parsed_by(parse: Callable[[str], Any], problem: str) -> BeforeValidator:
    """A validator of a text field: None for an empty value, an error if `parse` returns None."""

    def check(value: Any) -> Any:
        text = _check_text(value)
        parsed = parse(text) if text is not None else None
        if parsed is None and text is not None:
            raise ValueError(f"{problem}: {text[:MAX_REASON_CHARS]!r}")
        return parsed

    return BeforeValidator(check)


def _named(*names: str) -> Any:
    return Field(default=None, validation_alias=AliasChoices(*names))


_Text = Annotated[str | None, BeforeValidator(_check_text)]
_Inline = Annotated[str | None, BeforeValidator(_check_inline)]
_Names = Annotated[tuple[str, ...], BeforeValidator(_check_names)]
_Ids = Annotated[tuple[str, ...], BeforeValidator(_check_ids)]
_Flag = Annotated[
    bool | None,
    _parsed_by(lambda text: _FLAGS.get(text.casefold()), "must be true or false"),
    BeforeValidator(lambda value: str(value) if isinstance(value, bool) else value),  # runs first
]
_Year = Annotated[int | None, _parsed_by(_parse_year, "no year")]
_Url = Annotated[str | None, _parsed_by(_parse_url, "must be an http or https address")]
_Doi = Annotated[str | None, _parsed_by(normalise_doi, "no DOI")]
_Pmid = Annotated[str | None, _parsed_by(normalise_pmid, "no PubMed number")]
_Pmcid = Annotated[str | None, _parsed_by(normalise_pmcid, "no PubMed Central number")]


class _SourceRecord(BaseModel):
    """The fields of a record under the names that sources give them; unknown names are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, validate_default=False)

    abstract: Annotated[str, BeforeValidator(_check_abstract)] = ""
    sections: Annotated[tuple[Section, ...], BeforeValidator(_check_sections)] = ()
    content_hash: Any = None
    record_id: Any = None
    source_id: _Text = _named("source_id", "id", "paperId", "paperid")
    title: _Inline = None
    authors: _Names = ()
    journal: _Inline = _named("journal", "PeriodicalName", "journalTitle", "venue")
    year: _Year = None
    volume: _Text = None
    pages: _Text = None
    doi: _Doi = _named("doi", "DOI")
    pmid: _Pmid = _named("pmid", "PMID")
    pmcid: _Pmcid = _named("pmcid", "PMCID")
    url: _Url = None
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
        """Move the values of a journal object, and the year of a date, to the names of the fields."""
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
        """The abstract as plain text; one that `Record.to_dict` wrote is plain already and keeps its sections."""
        is_record = self.content_hash == hash_content(self.title, self.abstract, self.sections)
        has_spans = bool(self.sections) and self.sections[-1].end <= len(self.abstract)
        if (is_record or has_spans) and read_inline(self.abstract) == " ".join(self.abstract.split()):
            return PlainAbstract(
                clean_text(self.abstract), self.sections
            )  # only white space differs, so the spans stay valid
        return read_abstract(self.abstract)


def _as_record(source: _SourceRecord, abstract: PlainAbstract, file: str) -> Record:
    # The candidate ids, the preferred one first. An exported record may have one of the others as its id.
    ids = (name_record(source.doi, None), name_record(None, source.pmid), name_content(source.title, abstract.text))
    derived = {
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
    return Record(
        **source.model_dump(exclude=derived),
        record_id=source.record_id if source.record_id in ids and source.record_id else next(filter(None, ids)),
        abstract=abstract.text,
        sections=abstract.sections,
        content_hash=hash_content(source.title, abstract.text, abstract.sections),
        url=source.url or find_landing_page(source.doi, source.pmid),
        retracted=_is_retracted(source),
        is_digest=bool(source.is_digest),
        sources=source.sources or (source.source or PurePath(file.replace("\\", "/")).name,),
    )


def _is_retracted(source: _SourceRecord) -> bool:
    """Whether the report was retracted, by a flag, its type or its title; a notice about another report was not."""
    types = {fold_text(name) for name in source.publication_types}
    if source.retracted or types & _RETRACTED_TYPES:
        return True
    return not types & _NOTICE_TYPES and bool(_RETRACTED_TITLE.match(source.title or ""))
