"""Checks of questions and conversations, with searches and answers on the demo index."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from assistant import Assistant
from assistant.clinical_text.prompt_injection import gives_orders
from assistant.references.text import escape_markdown
from assistant.understanding.list_questions import asks_for_list, topic_of
from assistant.understanding.query_rewriting import condense
from assistant.understanding.request import check_question, parse_history
from index.errors import WrongUseError
from index.search.query import expand_query
from index.storage.lexical_index import LexicalIndex
from index.text.cleaning import clean_text
from index.types import Filters, Passage

from .texts import chance_of, text_of

ASKED_EVERY = 8  # an answer takes many times as long as a search
MARKDOWN = MarkdownIt("commonmark")
PLAIN_TOKENS = {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}


def check_query(data: bytes, assistant: Assistant) -> None:
    """A conversation (turns separated by empty lines, the question last), up to the passages found."""
    *before, asked = text_of(data).split("\n\n")
    history = parse_history(turns_of(before))
    for text in (*before, asked):
        check_wording(text)
    if (question := accepted(asked)) is None:
        return
    meanings = [(turn.content, 1) for turn in history[:2]]
    read = expand_query(question, lambda _: meanings, lambda _: [("BMD", 0.5)], lambda term: [term[::-1]])
    assert all(0 < weight <= 1 for weight in read.terms.values())
    case = history[0].content if history else ""
    query = condense(question, history, case).text
    build, filters = assistant.index.current(), filters_of(asked)
    passages = build.search(query, top_k=5, filters=filters)
    check_passages(passages)
    assert passages == build.search(query, top_k=5, filters=filters)
    check_passages(assistant.index.search(asked, top_k=5))
    check_terms(clean_text(asked).split(), open_lexical(build.build_dir))
    if chance_of(data).randrange(ASKED_EVERY) == 0:
        check_answer(question, before, assistant)


def check_terms(terms: Sequence[str], lexical: LexicalIndex) -> None:
    """Any words as terms: results are sorted by score, and corrections are terms of a record."""
    scores = [score for _, score in lexical.search(dict.fromkeys(terms, 1.0), 5)]
    assert scores == sorted(scores, reverse=True)
    assert all(lexical.document_frequency(meant) for term in terms[:5] for meant in lexical.corrections(term))


@cache
def open_lexical(build_dir: Path) -> LexicalIndex:
    """The lexical index of a build, opened once."""
    return LexicalIndex.open(build_dir / "lexical")


def check_answer(question: str, before: Sequence[str], assistant: Assistant) -> None:
    """The answer to a question: it cites its sources, is deterministic, and can be exported in every format."""
    answer = assistant.ask(question, turns_of(before))
    assert answer.text
    assert answer.text == assistant.ask(question, turns_of(before)).text
    assert [citation.number for citation in answer.citations] == list(range(1, len(answer.citations) + 1))
    for citation in answer.citations:
        assert f"[{citation.number}]" in answer.text
        assert citation.quote in (citation.record.abstract[citation.start : citation.end], citation.record.title)
    assert bool(answer.citations) == (answer.status != "insufficient_evidence")
    for written in (answer.to_json(), answer.to_text(), answer.to_markdown(), answer.to_bibtex(), answer.to_ris()):
        written.encode()
    json.dumps(answer.to_csl_json(), ensure_ascii=False).encode()


def accepted(asked: str) -> str | None:
    """The checked question, or None if it is refused with a remedy."""
    try:
        question = check_question(asked)
    except WrongUseError as error:
        return check_refusal(error)
    assert question == question.strip() != ""
    return question


def check_refusal(error: WrongUseError) -> None:
    """A refusal has a remedy."""
    assert error.remedy


def turns_of(texts: Sequence[str]) -> list[dict[str, Any]]:
    """A conversation of these turns, starting with the user."""
    roles = ("user", "assistant")
    return [{"role": roles[n % 2], "content": text, "record_ids": [text]} for n, text in enumerate(texts)]


def filters_of(asked: str) -> Filters | None:
    """Filters from the first number and words of a question that contains "only"."""
    if "only" not in asked:
        return None
    years = [int(number) for number in re.findall(r"-?\d+", asked, re.ASCII)[:1]]
    words = tuple(asked.split()[:3])
    try:
        return Filters(year_from=years[0] if years else None, journals=words, publication_types=words[:1])
    except WrongUseError as error:
        return check_refusal(error)


def check_wording(text: str) -> None:
    """Functions that judge a text by its words, and escaping for Markdown."""
    assert gives_orders(text) in (True, False)
    if asks_for_list(clean_text(text)):
        assert topic_of(clean_text(text))
    for line in text.split("\n"):
        shown = " ".join(clean_text(line).split())
        tokens = [
            token for block in MARKDOWN.parse(escape_markdown(shown)) for token in [block, *(block.children or ())]
        ]
        assert {token.type for token in tokens} <= PLAIN_TOKENS
        assert "".join(token.content for token in tokens if token.type.startswith("text")) == shown


def check_passages(passages: Iterable[Passage]) -> None:
    """Ranks have no gaps, scores decrease within 1 to 0, no record occurs twice."""
    found = list(passages)
    scores = [passage.score for passage in found]
    assert [passage.rank for passage in found] == list(range(1, len(found) + 1))
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)
    assert len({passage.record.record_id for passage in found}) == len(found)
