"""Scores one answer: gold records found and cited, and whether the quotes contain the known answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from assistant.answers import Answer
from assistant.clinical_text.quantities import normalise_text
from assistant.evaluation.matching import holds_answer, is_gold_sentence
from assistant.evaluation.questions import Question
from assistant.types import Citation
from index.types import Passage, Record

ANSWER_CUTOFFS = {"answer_at_1": 1, "answer_at_3": 3, "answer_in_text": None}


@dataclass(frozen=True, slots=True)
class Gold:
    """The gold records of a question in one index: relevance by label, and label by record id.

    A label is a gold id. Two records of the same report have the same label, and two gold ids of one record become one.
    """

    relevance: Mapping[str, int]
    labels: Mapping[str, str]

    def label(self, record: Record) -> str:
        """The gold id of a record, or its record id."""
        return self.labels.get(record.record_id, record.record_id)

    def holds(self, record: Record) -> bool:
        """Whether a record is gold."""
        return record.record_id in self.labels


def find_gold_records(questions: Iterable[Question], records: Iterable[Record]) -> dict[str, set[str]]:
    """The record ids of every gold id, which is a source id, `pmid:N`, a record id or a former record id."""
    wanted = {gold_id for question in questions for gold_id in question.gold}
    found: dict[str, set[str]] = defaultdict(set)
    for record in records:
        for name in {record.source_id, f"pmid:{record.pmid}", record.record_id, *record.other_ids} & wanted:
            found[str(name)].add(record.record_id)
    return dict(found)


def resolve_gold(question: Question, found: Mapping[str, set[str]]) -> Gold:
    """The gold records of a question; those missing in the index stay in `relevance` and count as not found."""
    relevance: dict[str, int] = {}
    labels: dict[str, str] = {}
    for gold_id, grade in question.gold.items():
        record_ids = sorted(found.get(gold_id, ()))
        label = next((labels[record_id] for record_id in record_ids if record_id in labels), gold_id)
        relevance[label] = max(grade, relevance.get(label, 0))
        labels |= dict.fromkeys(record_ids, label)
    return Gold(relevance, labels)


def label_ranking(passages: Sequence[Passage], gold: Gold) -> list[str]:
    """The labels of ranked records; a second record of the same report has its own id, as it does not count twice."""
    ranking: list[str] = []
    for passage in passages:
        label = gold.label(passage.record)
        ranking.append(passage.record.record_id if label in ranking else label)
    return ranking


def judge_answer(question: Question, gold: Gold, answer: Answer) -> dict[str, float]:
    """The measures of an answer that apply to the question, each from 0 to 1."""
    abstained = float(not answer.citations)
    if not question.is_answerable:
        return {"answered_unanswerable": 1 - abstained}
    measures = {"abstained_answerable": abstained}
    if question.answers or question.must_include:
        for name, cutoff in ANSWER_CUTOFFS.items():
            measures[name] = float(_is_right(question, gold, answer.citations[:cutoff]))
    if answer.citations:
        measures |= _measure_citations(gold, answer.citations)
        if question.gold_sentences:
            measures |= _measure_sentences(question, gold, answer.citations)
    return measures


def _is_right(question: Question, gold: Gold, citations: Sequence[Citation]) -> bool:
    quotes = [citation.quote for citation in citations if gold.holds(citation.record)]
    if question.gold_sentences and not question.must_include and _is_yes_or_no(question.answers):
        return any(is_gold_sentence(quote, sentence) for quote in quotes for sentence in question.gold_sentences)
    return holds_answer(quotes, question.must_include, question.answers)


def _is_yes_or_no(answers: Sequence[str]) -> bool:
    """Reports do not say "yes": if that is the whole answer, the quotes must include the gold sentence."""
    return {normalise_text(answer).strip(".") for answer in answers} <= {"yes", "no"}


def _measure_citations(gold: Gold, citations: Sequence[Citation]) -> dict[str, float]:
    cited = {citation.record.record_id: citation.record for citation in citations}.values()
    right = [record for record in cited if gold.holds(record)]
    return {
        "citation_precision": len(right) / len(cited),
        "citation_recall": len({gold.label(record) for record in right}) / len(gold.relevance),
    }


def _measure_sentences(question: Question, gold: Gold, citations: Sequence[Citation]) -> dict[str, float]:
    """A quote is correct if it is a gold sentence of a gold record."""
    pairs = [
        (number, sentence)
        for number, citation in enumerate(citations)
        if gold.holds(citation.record)
        for sentence in question.gold_sentences
        if is_gold_sentence(citation.quote, sentence)
    ]
    return {
        "sentence_precision": len({number for number, _ in pairs}) / len(citations),
        "sentence_recall": len({sentence for _, sentence in pairs}) / len(set(question.gold_sentences)),
    }
