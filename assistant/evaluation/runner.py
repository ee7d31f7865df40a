"""Asks an assistant every question, scores its answers, and makes the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.answers import Answer
from assistant.evaluation.judging import (
    ANSWER_CUTOFFS,
    Gold,
    find_gold_records,
    judge_answer,
    label_ranking,
    resolve_gold,
)
from assistant.evaluation.provenance import describe_run
from assistant.evaluation.questions import Question, QuestionSet
from assistant.evaluation.ranking import RANKING_DEPTH, measure_rankings
from assistant.evaluation.report import Report, Row, summarise_rows
from assistant.types import Turn
from index.errors import WrongUseError
from index.types import Passage

if TYPE_CHECKING:
    from assistant.assistant import Assistant

Progress = Callable[[str, int, int | None], None]

SHOWN_IDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """The result of one question: its ranking and, without qrels, its answer."""

    question: Question
    gold: Gold
    query: str
    passages: Sequence[Passage]
    ms: float
    answer: Answer | None = None

    @property
    def key(self) -> str:
        return f"{self.question.question_id}/{self.question.turn}"


def evaluate(assistant: Assistant, questions: QuestionSet, progress: Progress | None = None) -> Report:
    """Ask every question and report the measures.

    Gold records that are missing in the index count as not found, with a warning.

    Raises:
        WrongUseError: a question cannot be asked; the message names it.
        NoIndexError: the index is gone or cannot be read.
    """
    build = assistant.index.current()
    found = find_gold_records(questions, (record for record, _ in build.iter_records()))
    assistant.search(next(iter(questions)).text, 1)  # loads the models, so that no latency includes it
    outcomes = list(_ask_all(assistant, questions, found, progress))
    warnings = list(_list_warnings(questions, outcomes))
    if assistant.index.manifest.build_id != build.manifest.build_id:
        warnings.append("the index was rebuilt during the run, so its questions saw different records")
    rows = _make_rows(outcomes)
    return Report(
        run=describe_run(assistant, build.manifest, questions),
        warnings=tuple(warnings),
        groups=summarise_rows(rows),
        rows=tuple(rows),
    )


def _ask_all(
    assistant: Assistant, questions: QuestionSet, found: dict[str, set[str]], progress: Progress | None
) -> Iterator[_Outcome]:
    total = sum(1 for _ in questions)
    done = 0
    step = "ranking records" if questions.qrels else "asking questions"
    for turns in questions.conversations:
        history = list(turns[0].history)
        for question in turns:
            if progress:
                progress(step, done, total)
            gold = resolve_gold(question, found)
            try:
                outcome = (_rank if questions.qrels else _ask)(assistant, question, gold, history)
            except WrongUseError as error:
                raise WrongUseError(f"question {question.question_id}: {error.args[0]}", remedy=error.remedy) from error
            if outcome.answer:
                history += outcome.answer.turns
            done += 1
            yield outcome
    if progress:
        progress(step, done, total)


def _ask(assistant: Assistant, question: Question, gold: Gold, history: Sequence[Turn]) -> _Outcome:
    answer = assistant.ask(question.text, history, question.filters)
    passages = assistant.search(answer.query, RANKING_DEPTH, question.filters)
    ms = answer.timings_ms["total"]
    return _Outcome(question=question, gold=gold, query=answer.query, passages=passages, ms=ms, answer=answer)


def _rank(assistant: Assistant, question: Question, gold: Gold, _history: Sequence[Turn]) -> _Outcome:
    started = time.perf_counter()
    passages = assistant.search(question.text, RANKING_DEPTH)
    ms = round((time.perf_counter() - started) * 1_000, 1)
    return _Outcome(question=question, gold=gold, query=question.text, passages=passages, ms=ms)


def _make_rows(outcomes: Sequence[_Outcome]) -> list[Row]:
    rankings = {outcome.key: label_ranking(outcome.passages, outcome.gold) for outcome in outcomes}
    judged = {outcome.key: outcome.gold.relevance for outcome in outcomes if outcome.question.is_answerable}
    measured = measure_rankings(judged, rankings)
    return [_make_row(outcome, rankings[outcome.key], measured.get(outcome.key, {})) for outcome in outcomes]


def _make_row(outcome: _Outcome, ranking: list[str], measures: dict[str, float]) -> Row:
    question, answer, gold = outcome.question, outcome.answer, outcome.gold
    ranks = (rank for rank, label in enumerate(ranking, start=1) if label in gold.relevance)
    judged = judge_answer(question, gold, answer) if answer else {}
    right = {name: judged[name] == 1 if name in judged else None for name in ANSWER_CUTOFFS}
    return Row(
        id=question.question_id,
        kind=question.kind,
        turn=question.turn,
        query=outcome.query,
        gold_rank=next(ranks, None),
        ranked_ids=tuple(ranking),
        cited_ids=tuple(dict.fromkeys(gold.label(citation.record) for citation in answer.citations)) if answer else (),
        right_at_1=right["answer_at_1"],
        right_at_3=right["answer_at_3"],
        right_in_answer=right["answer_in_text"],
        abstained=answer.status == "insufficient_evidence" if answer else None,
        confidence=round(answer.confidence, 4) if answer else None,
        ms=outcome.ms,
        measures=measures | judged,
    )


def _list_warnings(questions: QuestionSet, outcomes: Sequence[_Outcome]) -> Iterator[str]:
    if questions.unjudged:
        yield f"questions that nobody has judged yet, which were not asked: {questions.unjudged}"
    answerable = [outcome for outcome in outcomes if outcome.question.is_answerable]
    if missed := list(dict.fromkeys(item.question.question_id for item in answerable if not item.gold.labels)):
        shown = ", ".join(missed[:SHOWN_IDS]) + (", ..." if len(missed) > SHOWN_IDS else "")
        yield f"questions without a gold record in the index, which count as missed: {len(missed)} ({shown})"
    warnings = [outcome.answer.warnings[0] for outcome in outcomes if outcome.answer and outcome.answer.warnings]
    if warnings:
        yield f"{len(warnings)} answers came with a warning, the first: {warnings[0]}"
