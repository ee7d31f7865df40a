"""Cells of the case table drafted by a chat model; a cell is used only if its record states it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from pydantic import AliasChoices, BaseModel, Field, ValidationError, field_validator

from assistant.cases.ages import is_in_general, is_of_another
from assistant.cases.clauses import Span
from assistant.cases.patients import find_patients
from assistant.cases.types import COLUMNS, CaseRow, Cell, ColumnName
from assistant.generation.chat_models import ChatModel, ChatModelError, ModelRequest, count_tokens
from assistant.generation.prompting import render_evidence
from assistant.reading.reader import Reader
from assistant.reading.sentences import Sentence, as_evidence
from assistant.types import Evidence
from assistant.verification.support import SupportFinder
from index.text.cleaning import clean_line
from index.text.terms import analyse
from prompts import load_prompt

_DESCRIPTIONS: Mapping[ColumnName, str] = {
    "age": "age of the patient",
    "sex": "sex of the patient",
    "setting": "where the care took place, or the country",
    "condition": "the illness that is reported",
    "intervention": "what was given or done, with dose and duration",
    "outcome": "how it ended for the patient",
    "key_number": "the most telling figure of the outcome, with its unit",
}
_OF_THE_PATIENT: frozenset[ColumnName] = frozenset({"age", "sex"})
_NO_VALUE = frozenset({"", "-", "n/a", "none", "null", "not stated", "not reported", "unknown", "not mentioned"})


class DraftCell(BaseModel):
    """A cell as a model wrote it: its text, and the keys of the sentences that it cites."""

    text: str = ""
    keys: tuple[str, ...] = Field(default=(), validation_alias=AliasChoices("sentence", "sentences", "key", "keys"))

    @field_validator("text", mode="before")
    @classmethod
    def _accept_numbers(cls, value: Any) -> str:
        if not isinstance(value, str | int | float):
            raise ValueError("the text of a cell is text")
        return clean_line(str(value))

    @field_validator("keys", mode="before")
    @classmethod
    def _accept_one_key(cls, value: Any) -> tuple[str, ...]:
        keys = value if isinstance(value, list) else [value]
        return tuple(str(key).strip("[] ").casefold() for key in keys if key is not None)


def write_cells(
    sentences: Sequence[Sentence], row: CaseRow, chat_model: ChatModel, reader: Reader
) -> tuple[CaseRow, int]:
    """The row with the model's cells that the record states, and how many of its cells the record does not state.

    Raises:
        ChatModelError: the model fails, or does not write a row.
    """
    offered = [
        as_evidence(row.record, sentence, key=f"e{place}", score=0.0) for place, sentence in enumerate(sentences, 1)
    ]
    drafts = _ask(_request(offered, chat_model), chat_model)
    support, cells, dropped = SupportFinder(reader), dict(row.cells), 0
    for name, draft in drafts.items():
        if draft.text.strip(". ").casefold() in _NO_VALUE:
            continue
        checked = _check(draft, offered, support)
        if checked is None:
            dropped += 1
        elif name not in _OF_THE_PATIENT or (cells[name] is None and _is_of_the_patient(checked, sentences)):
            cells[name] = checked
    return replace(row, cells=cells), dropped


def _request(offered: Sequence[Evidence], chat_model: ChatModel) -> ModelRequest:
    """The request for the cells of a record, with as many of its first sentences as fit in the model's window."""
    prompt = load_prompt("case_table")
    columns = "; ".join(f"{column.name} ({_DESCRIPTIONS[column.name]})" for column in COLUMNS)
    for count in range(len(offered), 0, -1):
        messages = prompt.render(evidence=render_evidence(offered[:count]), columns=columns)
        if count_tokens(messages) <= chat_model.max_prompt_tokens:
            return ModelRequest("case_table", prompt.version, messages)
    raise ChatModelError(
        f"the window of the chat model {chat_model.name} is {chat_model.window} tokens, too few for any record",
        remedy="set CASECITE_LLM_WINDOW if it is larger",
    )


def _ask(request: ModelRequest, chat_model: ChatModel) -> dict[ColumnName, DraftCell]:
    """The first row that the model writes; the stream is closed at its end."""
    text = ""
    with closing(chat_model.stream(request)) as pieces:
        for piece in pieces:
            text += piece
            if "}" in piece and (drafts := parse_cells(text)) is not None:
                return drafts
    raise ChatModelError(f"the chat model {chat_model.name} wrote no row as JSON", remedy="try another CASECITE_LLM")


def parse_cells(text: str) -> dict[ColumnName, DraftCell] | None:
    """The first JSON object in a text that has columns of the table, whatever surrounds it; None without one.

    A cell may be an object with text and keys, or the text alone. A cell of another form is left out.
    """
    for start in (place for place, letter in enumerate(text) if letter == "{"):
        try:
            found, _ = json.JSONDecoder().raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if drafts := dict(_as_drafts(found)):
            return drafts
        if not found:
            return {}
    return None


def _as_drafts(found: Mapping[str, Any]) -> Iterator[tuple[ColumnName, DraftCell]]:
    for column in COLUMNS:
        value = found.get(column.name)
        if value is not None:
            try:
                yield column.name, DraftCell.model_validate(value if isinstance(value, dict) else {"text": value})
            except ValidationError:
                continue


def _check(draft: DraftCell, offered: Sequence[Evidence], support: SupportFinder) -> Cell | None:
    """The cell if the record states it: it passes the check of claims, and its sentences contain all of its words."""
    cited = [item for item in offered if item.key in draft.keys]
    verdict = support.judge(draft.text, cited) if cited else support.search(draft.text, offered)
    words = set(analyse(draft.text))
    if not words or not words <= set(analyse(" ".join(item.quote for item in verdict.cited))):
        return None
    return Cell(text=draft.text, sources=verdict.cited)


def _is_of_the_patient(cell: Cell, sentences: Sequence[Sentence]) -> bool:
    """Whether an age or sex is, word for word, that of the only patient of a record."""
    if find_patients(sentences).are_several:
        return False
    quote = cell.sources[0].quote
    start = quote.find(cell.text)
    sentence = next(item for item in sentences if item.text == quote)
    span = Span(sentence, start, start + len(cell.text))
    return start >= 0 and not is_in_general(sentence) and not is_of_another(span)
