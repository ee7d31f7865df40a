"""Records to the case table: a row for each, its cells found by rules and by the reader.

A cell stays empty where no rule matches and the reader's probability is low: a wrong cell is worse than none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from assistant.cases.clauses import MAX_CELL_CHARS, Span, describes_case, shorten
from assistant.cases.findings import find_condition, find_key_number, find_outcome
from assistant.cases.model_cells import write_cells
from assistant.cases.patients import Patients, find_age, find_patients, find_sex
from assistant.cases.places import find_setting
from assistant.cases.treatment import find_interventions
from assistant.cases.types import CaseRow, CaseTable, Cell, ColumnName
from assistant.clinical_text.quantities import find_figures
from assistant.generation.chat_models import ChatModel, ChatModelError
from assistant.reading.passages import sentence_logits, softmax_or_none
from assistant.reading.reader import Reader
from assistant.reading.sentences import Sentence, as_evidence, as_report, split_record
from index.types import Record

# The questions to the reader for the columns that rules alone cannot fill.
_QUESTIONS: Mapping[ColumnName, str] = {
    "condition": "What was the diagnosis?",
    "intervention": "How was the patient treated?",
    "outcome": "What was the outcome?",
}
# Minimum probability from the reader that a sentence answers the user's question.
MIN_ANSWER_CHANCE = 0.3


class ScoredCase(NamedTuple):
    """A record with its sentences that describe the case, the title first, and the reader's probabilities.

    `chances` has for each column one probability a sentence that it answers the column's question.
    """

    record: Record
    sentences: tuple[Sentence, ...]
    chances: Mapping[ColumnName, tuple[float, ...]]


def tabulate_cases(
    records: Sequence[Record], reader: Reader, question: str | None = None, chat_model: ChatModel | None = None
) -> CaseTable:
    """The table of some records, a row for each in their order.

    With a question the key number is that of the sentence that answers it best, else that of the outcome. A chat model
    is asked for the cells of each record, and its cell is used only if the record states it; after a failure of
    the model the rest of the table is filled without it.
    """
    cases = _score_cases(records, reader, question)
    rows, dropped, warnings = [_make_row(case, question) for case in cases], 0, []
    if chat_model:
        for place, case in enumerate(cases):
            try:
                rows[place], unstated = write_cells(case.sentences, rows[place], chat_model, reader)
                dropped += unstated
            except ChatModelError as error:
                warnings.append(f"{error}; {'the rest of the' if place else 'the'} table is filled without it")
                break
    if dropped:
        warnings.append(f"cells of the chat model that the records do not state: {dropped}, left out")
    return CaseTable(rows=tuple(rows), dropped=dropped, warnings=tuple(warnings))


def _score_cases(records: Sequence[Record], reader: Reader, question: str | None) -> list[ScoredCase]:
    """The sentences of each record that describe its case, scored by the reader for each question."""
    split = [tuple(split_record(record)) for record in records]
    reports = [as_report(sentences) for sentences in split]
    queries = dict(_QUESTIONS) | ({"key_number": question} if question else {})
    chances: dict[ColumnName, list[list[float]]] = {
        name: [
            softmax_or_none(sentence_logits(sentences, reading))
            for sentences, reading in zip(split, reader.read(query, reports), strict=True)
        ]
        for name, query in queries.items()
    }
    cases = []
    for place, (record, sentences) in enumerate(zip(records, split, strict=True)):
        kept = [number for number, sentence in enumerate(sentences) if describes_case(record, sentence)]
        of_kept = {name: tuple(values[place][number] for number in kept) for name, values in chances.items()}
        cases.append(ScoredCase(record, tuple(sentences[number] for number in kept), of_kept))
    return cases


def _make_row(case: ScoredCase, question: str | None) -> CaseRow:
    sentences, chances = case.sentences, case.chances
    patients = find_patients(sentences)
    outcome = find_outcome(sentences, chances["outcome"], patients.are_several)
    found: dict[ColumnName, list[Span]] = {
        "setting": find_setting(sentences),
        "condition": find_condition(sentences, chances["condition"]),
        "intervention": find_interventions(sentences, chances["intervention"]),
        "outcome": outcome,
        "key_number": _find_key_number(case, outcome, question),
    }
    cells = {name: _make_cell(case.record, spans) for name, spans in found.items()}
    return CaseRow(record=case.record, cells=fill_patients(case.record, sentences, patients) | cells)


def fill_patients(record: Record, sentences: Sequence[Sentence], patients: Patients) -> dict[ColumnName, Cell | None]:
    """The cells that rules alone fill: the patient's age and sex, or those of several patients."""
    return {
        "age": _make_patient_cell(record, find_age(sentences, patients), patients),
        "sex": _make_patient_cell(record, find_sex(sentences, patients), patients),
    }


def _make_cell(record: Record, spans: Sequence[Span]) -> Cell | None:
    """The cell of some spans of a record's sentences, None without any."""
    if not spans:
        return None
    sources = dict.fromkeys(span.sentence for span in spans)
    return Cell(
        text="; ".join(shorten(span.text, MAX_CELL_CHARS // len(spans)) for span in spans),
        sources=tuple(as_evidence(record, sentence, key="", score=0.0) for sentence in sources),
    )


def _find_key_number(case: ScoredCase, outcome: Sequence[Span], question: str | None) -> list[Span]:
    """The figure of the sentence that answers the question, else of the outcome."""
    sentences = [span.sentence for span in outcome]
    if question and case.sentences:
        chance, best = max(zip(case.chances["key_number"], case.sentences, strict=True), key=lambda item: item[0])
        if chance >= MIN_ANSWER_CHANCE:
            sentences.insert(0, best)
    return next((found for sentence in sentences if (found := find_key_number(sentence, question))), [])


def _make_patient_cell(record: Record, spans: Sequence[Span], patients: Patients) -> Cell | None:
    """The cell of ages or sexes; for several patients it begins with their number."""
    cell, phrase = _make_cell(record, spans), patients.phrase
    if cell is None or not patients.are_several:
        return cell
    if phrase is None:
        number = str(len(spans)) if len(spans) > 1 else "several"
        return replace(cell, text=f"{number} patients: {cell.text}")
    if all(span.is_within(phrase) for span in spans):
        return _make_cell(record, [phrase])
    listed = sum(max(1, len(find_figures(span.text))) for span in spans)
    are_all = find_figures(phrase.text)[0].number == str(listed) or len(spans) == 1
    lead = f"{phrase.text}{'' if are_all else ', among them'}"
    with_phrase = _make_cell(record, [phrase, *spans])
    return with_phrase and replace(with_phrase, text=shorten(f"{lead}: {'; '.join(span.text for span in spans)}"))
