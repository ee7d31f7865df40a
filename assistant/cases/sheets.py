"""Rows of text as a sheet: CSV, or a workbook of Excel.

Text of a record must not become a formula in a spreadsheet. In CSV an apostrophe precedes what would be one; in a
workbook every value is written as text.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from io import BytesIO, StringIO

BYTE_ORDER_MARK = "\ufeff"
MAX_EXCEL_CELL_CHARS = 32_767
# Spreadsheets read these as the beginning of a formula or a command, in full-width form too.
_FORMULA_STARTS = tuple("=+-@\t\r\n|%＝＋－＠")


def write_csv(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows as CSV (RFC 4180) with a byte order mark."""
    text = StringIO()
    writer = csv.writer(text)
    for row in (headers, *rows):
        writer.writerow([f"'{value}" if value.lstrip(" ").startswith(_FORMULA_STARTS) else value for value in row])
    return BYTE_ORDER_MARK + text.getvalue()


def write_xlsx(headers: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> bytes:
    """The rows as a workbook with one sheet, every column with a filter, the headers and the first column frozen.

    `widths` are those of the columns, in characters.
    """
    import xlsxwriter

    file = BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(file, options) as workbook:
        sheet = workbook.add_worksheet("Cases")
        bold = workbook.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        wrapped = workbook.add_format({"text_wrap": True, "valign": "top"})
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width, wrapped)
        for line, row in enumerate((headers, *rows)):
            for column, value in enumerate(row):
                if len(value) > MAX_EXCEL_CELL_CHARS:
                    value = f"{value[: MAX_EXCEL_CELL_CHARS - 1]}…"  # noqa: PLW2901
                sheet.write_string(line, column, value, bold if line == 0 else wrapped)
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, len(rows), len(headers) - 1)
    return file.getvalue()
