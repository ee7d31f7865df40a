"""Suggested follow-ups that the case answers, and the explanation of a refusal."""

from __future__ import annotations

import time

import pytest

from assistant import Assistant
from assistant.cases.suggestions import explain_refusal, suggest_questions

QUESTIONS = (
    "Which drug made the man with onychomycosis confused?",
    "What did the urine of the woman on desvenlafaxine show?",
    "What caused the jaundice of the woman with hyperthyroidism?",
    "How did simvastatin hurt the kidneys?",
    "What happened after losartan in the man with one kidney?",
)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_suggestion_asked_next_is_answered_from_the_same_record(demo_assistant: Assistant, question: str) -> None:
    answer = demo_assistant.ask(question)
    suggestions = suggest_questions(answer)
    assert suggestions
    quoted = {citation.quote for citation in answer.citations}
    for suggestion in suggestions:
        following = demo_assistant.ask(suggestion, answer.turns)
        assert following.citations[0].record == answer.citations[0].record
        assert {citation.quote for citation in following.citations} - quoted


def test_what_was_asked_already_is_not_suggested(demo_assistant: Assistant) -> None:
    first = suggest_questions(demo_assistant.ask(QUESTIONS[0]))[0]
    assert first not in suggest_questions(demo_assistant.ask(f"{QUESTIONS[0]} {first}"))


def test_suggestions_take_milliseconds_and_a_question_outside_the_records_has_none(demo_assistant: Assistant) -> None:
    answer = demo_assistant.ask(QUESTIONS[0])
    seconds = []
    for _ in range(5):  # the best of five, of this thread alone: other work may use the processor
        started = time.thread_time()
        suggest_questions(answer)
        seconds.append(time.thread_time() - started)
    assert min(seconds) < 0.02
    refusal = demo_assistant.ask("Who won the football match?")
    assert suggest_questions(refusal) == ()
    assert explain_refusal(refusal, demo_assistant.index.current()).rewordings == ()


def test_a_refusal_names_the_words_that_no_record_has_and_the_nearest_records(demo_assistant: Assistant) -> None:
    answer = demo_assistant.ask("Did Semaglutide cause onychomycosis in a sailor?")
    refusal = explain_refusal(answer, demo_assistant.index.current())
    assert answer.status == "insufficient_evidence"
    assert refusal.unknown_words == ("Semaglutide", "sailor")
    assert 1 <= len(refusal.nearest) <= 3
    assert refusal.nearest[0] == answer.evidence[0].record
    assert "Which reports describe onychomycosis?" in refusal.rewordings


def test_a_refusal_offers_the_question_with_its_spelling_corrected(demo_assistant: Assistant) -> None:
    answer = demo_assistant.ask("What was the dose of romosozumabb in the sailor?")
    refusal = explain_refusal(answer, demo_assistant.index.current())
    assert refusal.rewordings[0] == "What was the dose of romosozumab in the sailor?"
    assert len(refusal.rewordings) == len(set(refusal.rewordings)) <= 2
    assert answer.question not in refusal.rewordings
