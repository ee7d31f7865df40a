"""Reads queries and relevance judgements in the formats of BEIR and TREC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from assistant.evaluation.questions import Question, QuestionSet, malformed, read_object, read_source
from index.errors import WrongUseError

QUERY_KIND = "query"
SHOWN_IDS = 5

Qrels = dict[str, dict[str, int]]


def read_judged_queries(queries_path: str | Path, qrels_path: str | Path) -> QuestionSet:
    """Read the judged queries; queries without a relevant record are left out.

    Raises:
        WrongUseError: a file is missing, a line is malformed, or a judged query is not among the queries.
    """
    text, source = read_source(queries_path)
    qrels_text, qrels_source = read_source(qrels_path)
    queries = dict(_read_queries(text, str(queries_path)))
    qrels = _read_qrels(qrels_text, str(qrels_path))
    if unknown := [query_id for query_id in qrels if query_id not in queries]:
        shown = ", ".join(unknown[:SHOWN_IDS]) + (", ..." if len(unknown) > SHOWN_IDS else "")
        raise WrongUseError(
            f"{qrels_path} judges {len(unknown)} queries that {queries_path} does not have: {shown}",
            remedy="give the queries and the qrels of one collection and split",
        )
    conversations = tuple((replace(queries[query_id], gold=gold),) for query_id, gold in qrels.items() if gold)
    if not conversations:
        raise WrongUseError(f"no relevant record in {qrels_path}", remedy="give qrels with relevance above 0")
    return QuestionSet(source=source, conversations=conversations, qrels=qrels_source)


def _read_queries(text: str, path: str) -> Iterator[tuple[str, Question]]:
    """BEIR's queries.jsonl (`_id`, `text`) or TREC's topics (id, tab, text)."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        if line.lstrip().startswith("{"):
            data = read_object(line, place)
            query_id, query = str(data.get("_id", "")), data.get("text")
        else:
            query_id, _, query = line.partition("\t")
        if not query_id.strip() or not isinstance(query, str) or not query.strip():
            raise malformed(place, 'neither {"_id": ..., "text": ...} nor an id, a tab and the text of a query')
        question = Question(question_id=query_id.strip(), kind=QUERY_KIND, text=query.strip(), gold={})
        yield question.question_id, question


def _read_qrels(text: str, path: str) -> Qrels:
    """BEIR's three columns with a header, or TREC's four; only relevance above 0 is kept."""
    qrels: Qrels = {}
    for number, line in enumerate(text.split("\n"), start=1):
        columns = line.split()
        if not columns or (number == 1 and columns[0] in ("query-id", "query_id", "qid")):
            continue
        if len(columns) not in (3, 4) or not columns[-1].lstrip("-").isdecimal():
            raise malformed(
                f"{path}, line {number}", "neither query, record, relevance nor query, 0, record, relevance"
            )
        query_id, record_id, relevance = columns[0], columns[-2], int(columns[-1])
        judged = qrels.setdefault(query_id, {})
        if relevance > 0:
            judged[record_id] = relevance
    return qrels
