"""Questions with known answers, and their files: one JSON object a line, optionally with gzip compression."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from assistant.types import Turn
from index.errors import WrongUseError
from index.types import Filters

UNANSWERABLE = "unanswerable"
UNJUDGED = "unjudged"
FIRST_TURN, LATER_TURN = "follow_up first", "follow_up later"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question and its known answer. `turn` counts from 1 in a conversation.

    `gold` maps the ids of the records that answer it to their relevance (1 or more); without any the question is
    unanswerable. A text answers the question if it contains every part of `must_include` or, if that is empty, one of
    `answers`. `history` is the conversation before the question, apart from earlier turns in the file.
    """

    question_id: str
    kind: str
    text: str
    turn: int = 1
    gold: Mapping[str, int]
    gold_sentences: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    must_include: tuple[str, ...] = ()
    history: tuple[Turn, ...] = ()
    filters: Filters | None = None

    @property
    def is_answerable(self) -> bool:
        """Whether a record answers the question."""
        return bool(self.gold)


class FileInfo(BaseModel):
    """The name of a file and the SHA-256 digest of its uncompressed bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSet:
    """The conversations of a file, most of them of one turn. With `qrels` they are queries: ranked, not answered.

    `unjudged` counts the lines without a known answer; they are not among the conversations.
    """

    source: FileInfo
    conversations: tuple[tuple[Question, ...], ...]
    qrels: FileInfo | None = None
    unjudged: int = 0

    def __iter__(self) -> Iterator[Question]:
        return (question for turns in self.conversations for question in turns)


def _as_strings(value: Any) -> Any:
    """A string as a list of one, None as an empty list; blank strings are left out."""
    values = [] if value is None else [value] if isinstance(value, str) else value
    if isinstance(values, list | tuple):
        return [item for item in values if not isinstance(item, str) or item.strip()]
    return values


_Text = Annotated[str, Field(min_length=1, pattern=r"\w")]
_Strings = Annotated[tuple[str, ...], BeforeValidator(_as_strings)]


class _Turn(BaseModel):
    question: _Text
    gold_doc_ids: _Strings
    gold_sentence: _Strings = ()
    answers: _Strings = ()
    must_include: _Strings = ()


class _Line(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: _Text
    kind: _Text = "question"
    history: tuple[Turn, ...] = ()
    filters: Filters | None = None
    turns: list[_Turn] | None = Field(default=None, min_length=1)


def read_questions(path: str | Path) -> QuestionSet:
    """Read a question file.

    Raises:
        WrongUseError: the file is missing or unreadable, a line is malformed or an id is repeated.
    """
    content, source = read_source(path)
    conversations: dict[str, tuple[Question, ...]] = {}
    unjudged = 0
    for number, line in enumerate(content.split("\n"), start=1):
        if not line.strip():
            continue
        turns = _read_line(line, f"{path}, line {number}")
        if (question_id := turns[0].question_id) in conversations:
            raise malformed(f"{path}, line {number}", f"the id {question_id} is repeated")
        if turns[0].kind == UNJUDGED:
            unjudged += 1
        else:
            conversations[question_id] = turns
    if not conversations:
        reason = f"no questions in {path}" + (f" but {unjudged} unjudged" if unjudged else "")
        raise WrongUseError(reason, remedy="give a file with one question and its known answer a line")
    return QuestionSet(source=source, conversations=tuple(conversations.values()), unjudged=unjudged)


def read_source(path: str | Path) -> tuple[str, FileInfo]:
    """The uncompressed text of a file, and the file's name and digest.

    Raises:
        WrongUseError: the file is missing, damaged or not text.
    """
    try:
        data = Path(path).read_bytes()
        data = gzip.decompress(data) if Path(path).suffix == ".gz" else data
        text = data.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise WrongUseError(f"no file at {path}", remedy="check the path") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise malformed(f"{path}, line {line}", "not UTF-8 text") from error
    except (OSError, EOFError, zlib.error) as error:
        raise WrongUseError(f"{path} cannot be read: {error}", remedy="check the file") from error
    return text, FileInfo(name=Path(path).name, sha256=hashlib.sha256(data).hexdigest())


def read_object(line: str, place: str) -> dict[str, Any]:
    """The JSON object of a line.

    Raises:
        WrongUseError: the line is not a JSON object.
    """
    try:
        data = json.loads(line)
    except ValueError as error:
        raise malformed(place, f"not JSON: {error}") from error
    if not isinstance(data, dict):
        raise malformed(place, "not a JSON object")
    return data


def malformed(place: str, reason: str) -> WrongUseError:
    """The error for a malformed line."""
    return WrongUseError(f"{place}: {reason}", remedy="docs/evaluation.md describes the file")


def _read_line(text: str, place: str) -> tuple[Question, ...]:
    data = read_object(text, place)
    if "_id" in data and "question" not in data:
        raise malformed(place, "this is a BEIR query; give the file of its judgements with --qrels")
    try:
        line = _Line.model_validate(data)
        turns = line.turns or [_Turn.model_validate(data)]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise malformed(place, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except WrongUseError as error:
        raise malformed(place, f"filters: {error.args[0]}") from error
    if line.kind == UNANSWERABLE and any(turn.gold_doc_ids for turn in turns):
        raise malformed(place, f"gold_doc_ids: the kind is {UNANSWERABLE}, so there can be none")
    return tuple(_make_question(line, turn, number) for number, turn in enumerate(turns, start=1))


def _make_question(line: _Line, turn: _Turn, number: int) -> Question:
    kind = line.kind if line.turns is None else FIRST_TURN if number == 1 else LATER_TURN
    return Question(
        question_id=line.id,
        kind=kind,
        text=turn.question,
        turn=number,
        gold=dict.fromkeys(turn.gold_doc_ids, 1),
        gold_sentences=turn.gold_sentence,
        answers=turn.answers,
        must_include=turn.must_include,
        history=line.history,
        filters=line.filters,
    )
