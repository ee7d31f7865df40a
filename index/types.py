"""The data model of the index: records, their chunks, and chunks as results.

Offsets are half-open and count characters (Unicode code points) of `Record.abstract`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from textwrap import shorten
from typing import Any, NamedTuple

from index.errors import WrongUseError
from index.text.normalisation import fold_text

NAME_CHARS = 120
LAST_YEAR = 9_999


class Section(NamedTuple):
    """A labelled part of an abstract: `abstract[start:end]` is its text, without the label."""

    label: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One case report: its abstract in plain text and its bibliographic data.

    What the source does not give is None (or an empty tuple), never an empty string. `sections` do not overlap and
    come in the order of the text. `is_digest` marks a summary that stands in place of the published abstract,
    `retracted` a report that was retracted or withdrawn. `sources` names the databases or files that the report came
    from, `other_ids` its ids other than `record_id` and `source_id`.
    """

    record_id: str
    abstract: str
    content_hash: str
    source_id: str | None = None
    title: str | None = None
    sections: tuple[Section, ...] = ()
    authors: tuple[str, ...] = ()
    journal: str | None = None
    year: int | None = None
    volume: str | None = None
    pages: str | None = None
    doi: str | None = None
    pmid: str | None = None
    pmcid: str | None = None
    url: str | None = None
    publication_types: tuple[str, ...] = ()
    is_open_access: bool | None = None
    retracted: bool = False
    is_digest: bool = False
    sources: tuple[str, ...] = ()
    other_ids: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The title, where there is one, and the abstract."""
        return f"{self.title} {self.abstract}" if self.title else self.abstract

    @property
    def name(self) -> str:
        """What the record can be called: its title or, without one, the beginning of its abstract."""
        return self.title or shorten(self.abstract, NAME_CHARS, placeholder=" …")

    def section_at(self, position: int) -> str | None:
        """The label of the section of the abstract that a position stands in, if it stands in one."""
        return next((label for label, start, end in self.sections if start <= position < end), None)

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON types; sections as [label, start, end]."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # `asdict` copies what cannot change

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Record:
        """The inverse of `to_dict`."""
        values = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        values["sections"] = tuple(Section(*section) for section in data.get("sections", ()))
        for name in ("authors", "publication_types", "sources", "other_ids"):
            values[name] = tuple(data.get(name, ()))
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A span of a record: `text == record.abstract[start:end]`; `ordinal` counts a record's chunks from 0."""

    record_id: str
    ordinal: int
    section: str | None
    start: int
    end: int
    text: str

    @property
    def chunk_id(self) -> str:
        """Unique in an index and the same at every build."""
        return f"{self.record_id}#{self.ordinal}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A chunk as a result.

    `score` is higher for better, `rank` starts at 1, `stage` says what scored it, and `similarity` is the cosine of the
    query and the chunk, -1 to 1.
    """

    record: Record
    chunk: Chunk
    score: float
    rank: int
    stage: str
    similarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which records may be found. Years are inclusive; several journals or types mean any of them.

    A record that does not give the value that is asked for is left out.

    Raises:
        WrongUseError: the years are the wrong way round or none, or a name is no text.
    """

    year_from: int | None = None
    year_to: int | None = None
    journals: tuple[str, ...] = ()
    publication_types: tuple[str, ...] = ()
    open_access: bool | None = None

    def __post_init__(self) -> None:
        for year in (self.year_from, self.year_to):
            if year is not None and not (isinstance(year, int) and 0 <= year <= LAST_YEAR):
                raise WrongUseError(f"{year!r:.40} is no year", remedy="give a year such as 2019")
        for name in (*self.journals, *self.publication_types):
            if not isinstance(name, str) or name != name.encode(errors="replace").decode():
                raise WrongUseError(f"{name!r:.40} is no text", remedy="give a name as the records have it")
        if self.year_from and self.year_to and self.year_from > self.year_to:
            raise WrongUseError(
                f"no year is both {self.year_from} or later and {self.year_to} or earlier", remedy="exchange the years"
            )

    def __bool__(self) -> bool:
        return self != Filters()

    def admits(self, record: Record) -> bool:
        """Whether a record passes all filters; names are compared as `fold_text` writes them."""
        low, high = self.year_from or 0, LAST_YEAR if self.year_to is None else self.year_to
        filters_years = self.year_from is not None or self.year_to is not None
        journals = [record.journal] if record.journal else []
        return (
            (not filters_years or (record.year is not None and low <= record.year <= high))
            and (not self.journals or _share_name(self.journals, journals))
            and (not self.publication_types or _share_name(self.publication_types, record.publication_types))
            and self.open_access in (None, record.is_open_access)
        )


def _share_name(names: Iterable[str], others: Iterable[str]) -> bool:
    return not {fold_text(name) for name in names}.isdisjoint(map(fold_text, others))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A piece of input that became no record: where it stood, which field was wrong, and why.

    `raw` is its beginning, so that it can be found and fixed.
    """

    file: str
    line: int | None
    field: str | None
    reason: str
    raw: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a build did with its input.

    Each piece of input is counted once: `added` a new report, `changed` one of the index before with another text or
    other data, `unchanged` one of it that brings nothing new, `duplicates` a repetition of earlier input, `merged` the
    same report as earlier input, or as a record that came from another source, which it completes or corrects;
    `rejected_count` no record. `removed` counts the records that were asked to go. `embedded` counts the chunks whose
    vectors were computed, the rest were carried over. `rejected` holds the first rejections; `rejected_path` is the
    JSONL file of all, `merged_path` that of the input that was joined to another record. `record_count` and
    `chunk_count` are what the index now holds.
    """

    build_id: str
    index_dir: str
    record_count: int
    chunk_count: int
    added: int
    changed: int
    unchanged: int
    duplicates: int
    merged: int
    removed: int
    embedded: int
    rejected_count: int
    rejected: tuple[Rejection, ...]
    rejected_path: str
    merged_path: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON types."""
        return asdict(self)
