"""Records to the case table: a row for each, its cells found by rules and by the reader.

A cell is left empty where the rules find nothing and the reader is not sure: a wrong cell is worse than none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from assistant.cases.clauses import MAX_CELL_CHARS, Span, shorten, tells_of_case
from assistant.cases.findings import find_condition, find_key_number, find_outcome
from assistant.cases.model_cells import write_cells
from assistant.cases.patients import Patients, find_age, find_sex, read_patients
from assistant.cases.places import find_setting
from assistant.cases.treatment import find_interventions
from assistant.cases.types import CaseRow, CaseTable, Cell, ColumnName
from assistant.clinical_text.quantities import find_figures
from assistant.generation.chat_models import ChatModel, ChatModelError
from assistant.reading.passages import sentence_logits, softmax_or_none
from assistant.reading.reader import Reader
from assistant.reading.sentences import Sentence, as_evidence, as_report, split_record
from index.types import Record

# What the reader is asked for the columns that rules alone cannot fill.
_ASKED: Mapping[ColumnName, str] = {
    "condition": "What was the diagnosis?",
    "intervention": "How was the patient treated?",
    "outcome": "What was the outcome?",
}
# The reader's probability from which a sentence answers the question that the table is for.
MIN_ANSWER_CHANCE = 0.3


class ReadCase(NamedTuple):
    """A record's sentences, the title first, and what the reader makes of each for each column that it is asked for."""

    record: Record
    sentences: tuple[Sentence, ...]
    chances: Mapping[ColumnName, tuple[float, ...]]


def tabulate_cases(
    records: Sequence[Record], reader: Reader, question: str | None = None, chat_model: ChatModel | None = None
) -> CaseTable:
    """The table of some records, a row for each in their order.

    With a question the key number is that of the sentence that answers it best, else that of the outcome. With a chat
    model it is asked for the cells of each record, and what it writes counts where its record says so.
    """
    cases = read_cases(records, reader, question)
    table = CaseTable(rows=tuple(_make_row(case, question) for case in cases))
    return table if chat_model is None else _complete(table, cases, reader, chat_model)


def _complete(table: CaseTable, cases: Sequence[ReadCase], reader: Reader, chat_model: ChatModel) -> CaseTable:
    """The table with what the model writes of each record and the record says, up to where the model fails."""
    rows, dropped, warnings = list(table.rows), 0, []
    for place, case in enumerate(cases):
        try:
            rows[place], unsaid = write_cells(case.sentences, rows[place], chat_model, reader)
            dropped += unsaid
        except ChatModelError as error:
            warnings.append(f"{error}; {'the rest of the' if place else 'the'} table is filled without it")
            break
    if dropped:
        warnings.append(f"cells of the chat model that the records do not say: {dropped}, left out")
    return replace(table, rows=tuple(rows), dropped=dropped, warnings=tuple(warnings))


def read_cases(records: Sequence[Record], reader: Reader, question: str | None) -> list[ReadCase]:
    """The records as the reader sees them, but for sentences that do not tell of the case."""
    split = [tuple(split_record(record)) for record in records]
    reports = [as_report(sentences) for sentences in split]
    asked = dict(_ASKED) | ({"key_number": question} if question else {})
    chances: dict[ColumnName, list[list[float]]] = {
        name: [
            softmax_or_none(sentence_logits(sentences, reading))
            for sentences, reading in zip(split, reader.read(query, reports), strict=True)
        ]
        for name, query in asked.items()
    }
    return [
        _of_case(record, sentences, {name: of_all[place] for name, of_all in chances.items()})
        for place, (record, sentences) in enumerate(zip(records, split, strict=True))
    ]


def _of_case(record: Record, sentences: Sequence[Sentence], chances: Mapping[ColumnName, Sequence[float]]) -> ReadCase:
    kept = [place for place, sentence in enumerate(sentences) if tells_of_case(record, sentence)]
    return ReadCase(
        record,
        tuple(sentences[place] for place in kept),
        {name: tuple(values[place] for place in kept) for name, values in chances.items()},
    )


def _make_row(case: ReadCase, question: str | None) -> CaseRow:
    sentences, chances = case.sentences, case.chances
    patients = read_patients(sentences)
    outcome = find_outcome(sentences, chances["outcome"], patients.are_several)
    found: dict[ColumnName, list[Span]] = {
        "setting": find_setting(sentences),
        "condition": find_condition(sentences, chances["condition"]),
        "intervention": find_interventions(sentences, chances["intervention"]),
        "outcome": outcome,
        "key_number": _find_key_number(case, outcome, question),
    }
    cells = {name: make_cell(case.record, spans) for name, spans in found.items()}
    return CaseRow(record=case.record, cells=fill_patients(case.record, sentences, patients) | cells)


def fill_patients(record: Record, sentences: Sequence[Sentence], patients: Patients) -> dict[ColumnName, Cell | None]:
    """The cells that rules alone fill: the patient's age and sex, or those of several patients."""
    return {
        "age": _make_patient_cell(record, find_age(sentences, patients), patients),
        "sex": _make_patient_cell(record, find_sex(sentences, patients), patients),
    }


def make_cell(record: Record, spans: Sequence[Span]) -> Cell | None:
    """The cell of some pieces of a record's sentences, None where there is none."""
    if not spans:
        return None
    sources = dict.fromkeys(span.sentence for span in spans)
    return Cell(
        text="; ".join(shorten(span.text, MAX_CELL_CHARS // len(spans)) for span in spans),
        sources=tuple(as_evidence(record, sentence, key="", score=0.0) for sentence in sources),
    )


def _find_key_number(case: ReadCase, outcome: Sequence[Span], question: str | None) -> list[Span]:
    """The figure of the sentence that answers the question, else of the outcome."""
    answering: list[Sentence] = []
    if question and case.sentences:
        chance, sentence = max(zip(case.chances["key_number"], case.sentences, strict=True), key=lambda item: item[0])
        answering = [sentence] if chance >= MIN_ANSWER_CHANCE else []
    sentences = [*answering, *(span.sentence for span in outcome)]
    return next((found for sentence in sentences if (found := find_key_number(sentence, question))), [])


def _make_patient_cell(record: Record, spans: Sequence[Span], patients: Patients) -> Cell | None:
    """The cell of ages or sexes; of several patients, with their number before it."""
    cell, phrase = make_cell(record, spans), patients.phrase
    if cell is None or not patients.are_several:
        return cell
    if phrase is None:
        number = str(len(spans)) if len(spans) > 1 else "several"
        return replace(cell, text=f"{number} patients: {cell.text}")
    if all(span.is_within(phrase) for span in spans):
        return make_cell(record, [phrase])
    told = sum(max(1, len(find_figures(span.text))) for span in spans)
    are_all = find_figures(phrase.text)[0].number == str(told) or len(spans) == 1
    lead = f"{phrase.text}{'' if are_all else ', among them'}"
    with_phrase = make_cell(record, [phrase, *spans])
    return with_phrase and replace(with_phrase, text=shorten(f"{lead}: {'; '.join(span.text for span in spans)}"))
