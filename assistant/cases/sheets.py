"""The case table as a sheet: each value and the sentence behind it in columns of their own, so that none is lost.

Each value is one line without control characters. A spreadsheet must not take text of a record for a formula. In CSV
an apostrophe stands before what would be one; in a workbook every value is written as text.
"""

from __future__ import annotations

import csv
from io import BytesIO, StringIO
from typing import TYPE_CHECKING

from assistant.references.text import NO_TITLE, record_marks
from index.text.cleaning import clean_line

if TYPE_CHECKING:
    from assistant.cases.types import CaseRow, CaseTable
    from index.types import Record

BYTE_ORDER_MARK = "\ufeff"
MAX_CELL_CHARS = 32_767  # of Excel
_REFERENCE = ("Title", "Journal", "Year", "DOI", "PMID", "URL", "Note")
_REFERENCE_WIDTHS = (40, 20, 6, 20, 10, 24, 14)
_VALUE_WIDTH, _SENTENCE_WIDTH = 26, 48
# What a spreadsheet reads as the beginning of a formula or a command, in either width of the letters.
_FORMULA_STARTS = tuple("=+-@\t\r\n|%＝＋－＠")


def make_headers(table: CaseTable) -> list[str]:
    """The reference's headers, then two for each column."""
    return [*_REFERENCE, *(name for column in table.columns for name in (column.title, f"{column.title}: sentence"))]


def make_rows(table: CaseTable) -> list[list[str]]:
    """The values of each row, in the order of the headers."""
    return [[clean_line(value) for value in (*_refer(row.record), *_values(table, row))] for row in table.rows]


def write_csv(table: CaseTable) -> str:
    """The table as CSV (RFC 4180) with a byte order mark."""
    text = StringIO()
    writer = csv.writer(text)
    for row in (make_headers(table), *make_rows(table)):
        writer.writerow([_as_plain_text(value) for value in row])
    return BYTE_ORDER_MARK + text.getvalue()


def write_xlsx(table: CaseTable) -> bytes:
    """The table as a workbook: the first row and the titles stay in sight, and every column can be filtered."""
    import xlsxwriter

    file, headers = BytesIO(), make_headers(table)
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(file, options) as workbook:
        sheet = workbook.add_worksheet("Cases")
        bold = workbook.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        wrapped = workbook.add_format({"text_wrap": True, "valign": "top"})
        for place, width in enumerate(_widths(table)):
            sheet.set_column(place, place, width, wrapped)
        for line, row in enumerate((headers, *make_rows(table))):
            for place, value in enumerate(row):
                sheet.write_string(line, place, _shorten(value), bold if line == 0 else wrapped)
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, len(table.rows), len(headers) - 1)
    return file.getvalue()


def _refer(record: Record) -> list[str]:
    values = [record.title or NO_TITLE, record.journal, record.year, record.doi, record.pmid, record.url]
    return [*(str(value or "") for value in values), "; ".join(record_marks(record))]


def _values(table: CaseTable, row: CaseRow) -> list[str]:
    cells = [row.cells.get(column.name) for column in table.columns]
    return [value for cell in cells for value in ((cell.text, cell.quote) if cell else ("", ""))]


def _widths(table: CaseTable) -> list[int]:
    return [*_REFERENCE_WIDTHS, *([_VALUE_WIDTH, _SENTENCE_WIDTH] * len(table.columns))]


def _as_plain_text(value: str) -> str:
    return f"'{value}" if value.lstrip(" ").startswith(_FORMULA_STARTS) else value


def _shorten(value: str) -> str:
    return value if len(value) <= MAX_CELL_CHARS else f"{value[: MAX_CELL_CHARS - 1]}…"
