"""Raw records from any source to checked, normalised `Record`s; what cannot be one is rejected with its reason."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from index.folding import fold_text
from index.markup import PlainAbstract, read_abstract, read_inline
from index.sources import RawRecord, read_sources
from index.types import Record, Rejection, Section

MAX_ABSTRACT_CHARS = 100_000
MAX_VALUE_CHARS = 4_000
MAX_VALUES = 3_000  # authors of the largest collaborations

_NOTHING = {"", "-", "n/a", "na", "nan", "none", "null"}
_YEAR = re.compile(r"\s*(1[5-9]\d\d|20\d\d)(?!\d)")
_DOI = re.compile(r"10\.\d{4,9}/\S+")
_PMID = re.compile(r"\d{1,9}")
_PMCID = re.compile(r"PMC\d{1,9}")


def read_records(paths: Sequence[str | Path]) -> Iterator[Record | Rejection]:
    """Yield every record of the files, folders and `-`, and a `Rejection` for each piece that is none.

    Raises:
        WrongUseError: a path does not exist.
    """
    for raw in read_sources(paths):
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
    if not abstract.text:
        return raw.reject("abstract", "no text")
    return _as_record(source, abstract)


def _check_text(value: Any, max_chars: int = MAX_VALUE_CHARS) -> str | None:
    """A string (or a whole number, as identifiers and volumes come) without surrounding white space, or None."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"must be text, is {type(value).__name__}")
    if len(value) > max_chars:
        raise ValueError(f"{len(value):,} characters, at most {max_chars:,} are read")
    return None if fold_text(value) in _NOTHING else value.strip()


def _check_inline(value: Any) -> str | None:
    text = _check_text(value)
    return (read_inline(text) or None) if text else None


def _check_abstract(value: Any) -> str:
    return _check_text(value, MAX_ABSTRACT_CHARS) or ""


def _check_names(value: Any) -> tuple[str, ...]:
    """Names as a tuple from a list of strings or of {"name": ...}, or from "A, B" or "Last, First; Last, First"."""
    if isinstance(value, str):
        text = _check_text(value, MAX_ABSTRACT_CHARS) or ""
        value = text.split(";" if ";" in text else ",")
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list of text, is {type(value).__name__}")
    if len(value) > MAX_VALUES:
        raise ValueError(f"{len(value):,} entries, at most {MAX_VALUES:,} are read")
    names = (_check_inline(item.get("name") if isinstance(item, dict) else item) for item in value)
    return tuple(name for name in names if name)


def _check_year(value: Any) -> int | None:
    """The year of 2025, "2025-04-10", "2025/1/1 0:00:00" or "2025 Mar-Apr"."""
    text = _check_text(value)
    if text is None:
        return None
    if not (found := _YEAR.match(text)):
        raise ValueError(f"no year at the beginning of {text[:40]!r}")
    return int(found[1])


def _check_doi(value: Any) -> str | None:
    """The DOI in lower case, from a URL, `doi:...` or the bare name."""
    text = _check_text(value)
    if text is None:
        return None
    found = _DOI.search(unquote(text))
    if not found:
        raise ValueError(f"no DOI: {text[:80]!r}")
    return found[0].lower().rstrip(".,;")


def _check_pmid(value: Any) -> str | None:
    """The number of "123", 123, "PMID: 123" or a PubMed address."""
    text = _check_text(value)
    if text is None:
        return None
    if not (found := _PMID.search(text)):
        raise ValueError(f"no PubMed number: {text[:80]!r}")
    return found[0]


def _check_pmcid(value: Any) -> str | None:
    text = _check_text(value)
    if text is None:
        return None
    if not (found := _PMCID.search(text.upper())):
        raise ValueError(f"no PubMed Central number: {text[:80]!r}")
    return found[0]


def _check_url(value: Any) -> str | None:
    text = _check_text(value)
    if text is None:
        return None
    if urlsplit(text).scheme not in {"http", "https"}:
        raise ValueError(f"must be an http or https address: {text[:80]!r}")
    return text


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


class _SourceRecord(BaseModel):
    """The names under which aggregators give each field; all other names are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True, validate_default=False)

    abstract: Annotated[str, BeforeValidator(_check_abstract)] = ""
    sections: tuple[Section, ...] = ()
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

    @model_validator(mode="before")
    @classmethod
    def _flatten(cls, data: dict[str, Any]) -> dict[str, Any]:
        """A journal that is an object, and a year that stands in a date, to the fields' own names."""
        flat = {name: value for name, value in data.items() if value not in (None, "", [])}
        if isinstance(journal := flat.get("journal"), dict):
            del flat["journal"]
            for name, key in (("journal", "name"), ("volume", "volume"), ("pages", "pages")):
                flat.setdefault(name, journal.get(key))
        for name in ("publicationDate", "EPubDate"):
            if name in flat:
                flat.setdefault("year", flat[name])
        return flat

    def plain_abstract(self) -> PlainAbstract:
        """The abstract as plain text; sections that come as spans over a plain abstract are kept as they are."""
        edges = [edge for _, start, end in self.sections for edge in (start, end)]
        if edges and edges == sorted(set(edges)) and edges[0] >= 0 and edges[-1] <= len(self.abstract):
            return PlainAbstract(self.abstract, self.sections)
        return read_abstract(self.abstract)


def _as_record(source: _SourceRecord, abstract: PlainAbstract) -> Record:
    text_hash = _hash([source.title, abstract.text, abstract.sections])
    folded = hashlib.sha256(fold_text(f"{source.title or ''} {abstract.text}").encode()).hexdigest()
    fields = source.model_dump(exclude={"abstract", "sections", "retracted", "is_digest", "url"})
    types = {fold_text(name) for name in source.publication_types}
    return Record(
        **fields,
        record_id=_record_id(source, folded),
        abstract=abstract.text,
        sections=abstract.sections,
        content_hash=text_hash,
        url=source.url or _landing_page(source),
        retracted=bool(source.retracted) or bool(types & {"retracted publication", "retracted"}),
        is_digest=bool(source.is_digest),
    )


def _record_id(source: _SourceRecord, folded_hash: str) -> str:
    if source.doi:
        return f"doi:{source.doi}"
    return f"pmid:{source.pmid}" if source.pmid else f"sha256:{folded_hash[:16]}"


def _landing_page(source: _SourceRecord) -> str | None:
    if source.doi:
        return f"https://doi.org/{source.doi}"
    return f"https://pubmed.ncbi.nlm.nih.gov/{source.pmid}/" if source.pmid else None


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()
