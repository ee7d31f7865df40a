"""A question, with what was said before, to the passages whose records are read for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from assistant.reading.lists import LISTED_DEPTH
from assistant.types import Turn
from assistant.understanding.list_questions import asks_for_list, topic_of
from assistant.understanding.query_rewriting import StandaloneQuery, condense, first_statement, refers_back
from index.search.snapshot import Snapshot
from index.text.normalisation import fold_text
from index.text.terms import analyse
from index.types import Filters, Passage

# The score of the case that a conversation is about, where the search gives its best record 1.
KEPT_SCORE = 1.5
# What a chat model wrote is of the record that holds this share of its words.
SAID_SHARE = 0.8
_QUOTED_CHARS = 300
_QUOTE_DEPTH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """What was found for a question.

    `query` is what was searched, `focus` what the records are read for: of a follow-up on a case that is known, the
    question alone. `asks_for_list`: all records on a topic are asked for, which is the focus. `warnings` tell what the
    search had to do without.
    """

    query: str
    focus: str
    passages: list[Passage]
    asks_for_list: bool = False
    warnings: tuple[str, ...] = ()

    def describe(self, question: str) -> str:
        """What is going on, in words; with the query where it is not the question."""
        step = f"{len(self.passages)} records read"
        return step if self.query == question else f"{step} for “{self.query}”"


def retrieve(
    question: str,
    history: tuple[Turn, ...],
    build: Snapshot,
    top_k: int,
    filters: Filters | None,
    condensed: str | None = None,
) -> Retrieved:
    """The passages to read: those for a list's topic, or the `top_k` best, the case kept in mind before them.

    `condensed` is the question as a chat model made it one that can be understood by itself.
    """
    spoken_of = _find_spoken_of(history, build, filters)
    if condensed is None:
        query, is_follow_up = _complete(question, history, spoken_of)
    else:
        query, is_follow_up = condensed, fold_text(condensed) != fold_text(question)
    if asks_for_list(question):
        topic = topic_of(query)
        passages, warnings = build.find(topic, LISTED_DEPTH, filters)
        return Retrieved(query=query, focus=topic, passages=passages, asks_for_list=True, warnings=warnings)
    found, warnings = build.find(query, top_k, filters)
    if spoken_of is None or not is_follow_up:
        return Retrieved(query=query, focus=query, passages=found, warnings=warnings)
    others = [passage for passage in found if passage.record.record_id != spoken_of.record.record_id]
    passages = [replace(spoken_of, score=KEPT_SCORE), *others][:top_k]
    return Retrieved(query=query, focus=condensed or question, passages=passages, warnings=warnings)


def _complete(question: str, history: tuple[Turn, ...], spoken_of: Passage | None) -> StandaloneQuery:
    """A follow-up with what was asked before. A list is asked of the topic it names, unless that refers back."""
    if asks_for_list(question) and (topic := topic_of(question)) != question and not refers_back(topic):
        return StandaloneQuery(question, False)
    return condense(question, history, spoken_of.record.text if spoken_of else "")


def _find_spoken_of(history: tuple[Turn, ...], build: Snapshot, filters: Filters | None) -> Passage | None:
    """The record that the last answer quotes first, or that holds nearly all words of its first statement.

    None where it says nothing, or the filters let no such record through.
    """
    statement, is_quote = first_statement(history)
    wanted, terms = _bare(statement), set(analyse(statement))
    for passage in build.search(statement[:_QUOTED_CHARS], _QUOTE_DEPTH, filters) if terms else ():
        text = passage.record.text
        if wanted in _bare(text) if is_quote else len(terms.intersection(analyse(text))) >= SAID_SHARE * len(terms):
            return passage
    return None


def _bare(text: str) -> str:
    """Letters and digits only, so that the escapes of a page's history do no harm."""
    return "".join(letter for letter in fold_text(text) if letter.isalnum())
