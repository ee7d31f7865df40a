"""A question and its conversation to a `Request`: what is asked for, and about what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assistant.types import AnswerKind, Turn
from assistant.understanding.list_questions import asks_for_list, topic_of
from assistant.understanding.query_rewriting import MAX_QUESTION_CHARS, StandaloneQuery, condense, refers_back
from index.errors import WrongUseError
from index.search.snapshot import Snapshot
from index.text.cleaning import clean_text
from index.text.normalisation import fold_text
from index.types import Filters, Record

History = Iterable[Turn | Mapping[str, Any]]
"""A conversation: turns, or mappings with `role`, `content` and, of an answer, `record_ids`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for.

    `query` is the question as it can be understood without the conversation. `focus` is what the records are read for:
    of a list its topic, of a follow-up on a known case the question alone, else the query. `record_ids` are the records
    that the question is about where the conversation tells, else none.
    """

    question: str
    kind: AnswerKind
    query: str
    focus: str
    record_ids: tuple[str, ...] = ()


def understand(
    question: str, history: Sequence[Turn], snapshot: Snapshot, filters: Filters | None, condensed: str | None = None
) -> Request:
    """The request of a question that was checked and cleaned.

    `condensed` is the question as a chat model rewrote it to stand alone, if one did.
    """
    case = _find_case(history, snapshot, filters)
    if condensed is None:
        query, is_follow_up = _complete(question, history, case)
    else:
        query, is_follow_up = condensed, fold_text(condensed) != fold_text(question)
    if asks_for_list(question):
        return Request(question=question, kind="list", query=query, focus=topic_of(query))
    if case is None or not is_follow_up:
        return Request(question=question, kind="fact", query=query, focus=query)
    return Request(
        question=question, kind="fact", query=query, focus=condensed or question, record_ids=(case.record_id,)
    )


def check_question(question: str) -> str:
    """The question without surrounding white space and without characters that only harm or deceive.

    Raises:
        WrongUseError: it is empty, too long, or not text.
    """
    if not isinstance(question, str):
        raise WrongUseError(f"the question must be text, is {type(question).__name__}", remedy="pass a str")
    question = clean_text(question).strip()
    if not any(map(str.isalnum, question)):
        raise WrongUseError("the question is empty", remedy="ask for something a case report could say")
    if len(question) > MAX_QUESTION_CHARS:
        raise WrongUseError(
            f"the question has {len(question):,} characters, at most {MAX_QUESTION_CHARS:,} are read",
            remedy="ask a shorter question",
        )
    return question


def parse_history(history: History) -> tuple[Turn, ...]:
    """A conversation as turns.

    Raises:
        WrongUseError: an entry is neither a turn nor a mapping with a role and text.
    """
    turns = []
    for entry in history:
        if isinstance(entry, Mapping) and entry.get("role") in ("user", "assistant"):
            record_ids = entry.get("record_ids") or ()
            if isinstance(record_ids, str) or not isinstance(record_ids, Iterable):
                raise WrongUseError(
                    f"record_ids of a turn is {record_ids!r:.80}",
                    remedy='pass a list of ids, such as ["pmid:12345678"]',
                )
            ids = tuple(map(str, record_ids))
            turns.append(Turn(role=entry["role"], content=str(entry.get("content", "")), record_ids=ids))
        elif isinstance(entry, Turn):
            turns.append(entry)
        else:
            raise WrongUseError(
                f"a turn of the history is {entry!r:.80}",
                remedy='pass {"role": "user" or "assistant", "content": text}',
            )
    return tuple(replace(turn, content=clean_text(turn.content)) for turn in turns)


def _find_case(history: Sequence[Turn], snapshot: Snapshot, filters: Filters | None) -> Record | None:
    """The record that the last answer cites first, if it is still in the index and passes the filters."""
    last = next((turn for turn in reversed(history) if turn.role == "assistant"), None)
    record = snapshot.get_record(last.record_ids[0]) if last and last.record_ids else None
    return record if record and (filters is None or filters.admits(record)) else None


def _complete(question: str, history: Sequence[Turn], case: Record | None) -> StandaloneQuery:
    """A follow-up with what was asked before. A list is asked of the topic that it names, unless that refers back."""
    if asks_for_list(question) and (topic := topic_of(question)) != question and not refers_back(topic):
        return StandaloneQuery(question, False)
    return condense(question, history, case.text if case else "")
