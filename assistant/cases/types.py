"""The data model of the case table: a row for each record, a cell for each fact that it states of its patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from assistant.cases.sheets import write_csv, write_xlsx
from assistant.references.text import NO_TITLE, record_marks
from assistant.types import Evidence
from index.text.cleaning import clean_line
from index.types import Record

ColumnName = Literal["age", "sex", "setting", "condition", "intervention", "outcome", "key_number"]


class Column(NamedTuple):
    """A column of the table: the key of its cell in a row, and the header that users see."""

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
# Fields of the reference to a record, which come first in a sheet, and the widths of their columns in characters.
_REFERENCE_WIDTHS = {"Title": 40, "Journal": 20, "Year": 6, "DOI": 20, "PMID": 10, "URL": 24, "Note": 14}
_VALUE_WIDTH, _SENTENCE_WIDTH = 26, 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A fact in the record's own words, and the sentences that state it, at least one.

    `text` is a piece of a sentence, or several joined by "; ": for several patients one piece each, in the same order
    in every column.
    """

    text: str
    sources: tuple[Evidence, ...]

    @property
    def quote(self) -> str:
        """The whole sentences that state the text."""
        return " … ".join(item.quote for item in self.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """A record and its cells, one for each column: None where the record does not state it."""

    record: Record
    cells: Mapping[ColumnName, Cell | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseTable:
    """The cases side by side.

    `dropped` counts the cells that a chat model wrote and that the records do not state; none of them is shown.
    `warnings` are shown next to the table.
    """

    rows: tuple[CaseRow, ...]
    columns: tuple[Column, ...] = COLUMNS
    dropped: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def headers(self) -> list[str]:
        """The headers of `to_rows`: the fields of the reference, then two for each column."""
        return [
            *_REFERENCE_WIDTHS,
            *(name for item in self.columns for name in (item.title, f"{item.title}: sentence")),
        ]

    def to_rows(self) -> list[list[str]]:
        """The table as text: the record's reference, then each cell and its sentences ("" where the cell is empty).

        Each value is one line without control characters.
        """
        rows = []
        for row in self.rows:
            record, cells = row.record, [row.cells.get(column.name) for column in self.columns]
            values = [record.title or NO_TITLE, record.journal, record.year, record.doi, record.pmid, record.url]
            values.append("; ".join(record_marks(record)))
            values += [value for cell in cells for value in ((cell.text, cell.quote) if cell else ("", ""))]
            rows.append([clean_line(str(value or "")) for value in values])
        return rows

    def to_csv(self) -> str:
        """The table as CSV; it begins with a byte order mark, by which Excel recognises UTF-8."""
        return write_csv(self.headers, self.to_rows())

    def to_xlsx(self) -> bytes:
        """The table as an Excel workbook with one sheet."""
        widths = [*_REFERENCE_WIDTHS.values(), *([_VALUE_WIDTH, _SENTENCE_WIDTH] * len(self.columns))]
        return write_xlsx(self.headers, self.to_rows(), widths)
