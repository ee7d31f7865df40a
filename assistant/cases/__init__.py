"""The case table: the records of an answer side by side, each value with the sentence that says it."""

from assistant.cases.tabulate import tabulate_cases
from assistant.cases.types import COLUMNS, CaseRow, CaseTable, Cell, Column

__all__ = ["COLUMNS", "CaseRow", "CaseTable", "Cell", "Column", "tabulate_cases"]
