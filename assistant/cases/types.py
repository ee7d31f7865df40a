"""The data model of the case table: a row for each record, a cell for what it says of its patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from assistant.types import Evidence
from index.types import Record

ColumnName = Literal["age", "sex", "setting", "condition", "intervention", "outcome", "key_number"]


class Column(NamedTuple):
    """A column of the table: the name by which a row's cell is known, and what stands above it."""

    name: ColumnName
    title: str


COLUMNS = (
    Column("age", "Age"),
    Column("sex", "Sex"),
    Column("setting", "Setting"),
    Column("condition", "Condition"),
    Column("intervention", "Intervention"),
    Column("outcome", "Outcome"),
    Column("key_number", "Key number"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What a record says, in its own words, and the sentences that say it, at least one.

    `text` is a piece of a sentence, or several joined by "; ": of several patients one piece each, in the same order in
    every column.
    """

    text: str
    sources: tuple[Evidence, ...]

    @property
    def quote(self) -> str:
        """The whole sentences behind the text."""
        return " … ".join(item.quote for item in self.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """A record and its cells, one for each column: None where the record does not say."""

    record: Record
    cells: Mapping[ColumnName, Cell | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseTable:
    """The cases side by side.

    `dropped` counts the cells that a chat model wrote and that are not in the records; none of them is shown.
    `warnings` tell what a reader of the table should know.
    """

    rows: tuple[CaseRow, ...]
    columns: tuple[Column, ...] = COLUMNS
    dropped: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def headers(self) -> list[str]:
        """What stands above the values of `to_rows`."""
        from assistant.cases.sheets import make_headers

        return make_headers(self)

    def to_rows(self) -> list[list[str]]:
        """The table as text: the record's reference, then each cell and its sentences beside it ("" where empty)."""
        from assistant.cases.sheets import make_rows

        return make_rows(self)

    def to_csv(self) -> str:
        """The table as CSV; it begins with a byte order mark, without which Excel takes UTF-8 for something else."""
        from assistant.cases.sheets import write_csv

        return write_csv(self)

    def to_xlsx(self) -> bytes:
        """The table as an Excel workbook with one sheet."""
        from assistant.cases.sheets import write_xlsx

        return write_xlsx(self)
