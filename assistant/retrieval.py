"""A question, with what was said before, to the passages whose records are read for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from assistant.condense import condense, first_quoted
from assistant.listing import LISTED_DEPTH, asks_for_list, topic_of
from assistant.types import Turn
from index.folding import fold_text
from index.search import OpenBuild
from index.types import Filters, Passage

# The score of the case that a conversation is about, where the search gives its best record 1.
KEPT_SCORE = 1.5
_QUOTED_CHARS = 300
_QUOTE_DEPTH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """What was found for a question.

    `query` is what was searched, `focus` what the records are read for: of a follow-up on a case that is known, the
    question alone. `asks_for_list`: all records on a topic are asked for, which is the focus.
    """

    query: str
    focus: str
    passages: list[Passage]
    asks_for_list: bool = False


def retrieve(
    question: str, history: tuple[Turn, ...], build: OpenBuild, top_k: int, filters: Filters | None
) -> Retrieved:
    """The passages to read: those for a list's topic, or the `top_k` best, the case kept in mind before them."""
    spoken_of = _find_quoted(first_quoted(history), build, filters)
    query, is_follow_up = condense(question, history, spoken_of.record.text if spoken_of else "")
    if asks_for_list(question):
        topic = topic_of(query)
        return Retrieved(
            query=query, focus=topic, passages=build.search(topic, LISTED_DEPTH, filters), asks_for_list=True
        )
    found = build.search(query, top_k, filters)
    if spoken_of is None or not is_follow_up:
        return Retrieved(query=query, focus=query, passages=found)
    others = [passage for passage in found if passage.record.record_id != spoken_of.record.record_id]
    passages = [replace(spoken_of, score=KEPT_SCORE), *others][:top_k]
    return Retrieved(query=query, focus=question, passages=passages)


def _find_quoted(quote: str | None, build: OpenBuild, filters: Filters | None) -> Passage | None:
    """The record that a quote is from, or None where none that the filters let through says it."""
    if quote is None:
        return None
    wanted = _bare(quote)
    for passage in build.search(quote[:_QUOTED_CHARS], _QUOTE_DEPTH, filters):
        if wanted in _bare(passage.record.text):
            return passage
    return None


def _bare(text: str) -> str:
    """Letters and digits only, so that the escapes of a page's history do no harm."""
    return "".join(letter for letter in fold_text(text) if letter.isalnum())
