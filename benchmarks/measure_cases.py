"""How often the cells of the case table are right, wrong or empty: writes docs/results/cases.json.

    python -m benchmarks.measure_cases ../shared/data

The questions of PHEE on age and sex (rules alone), on dose and duration of the records that the reader was not trained
with, and the development questions on an age are looked up in their records' rows. A cell is wrong where it
says something else than the gold answer; a dose or a duration where it does so of the drug that the question is about.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from assistant.cases import CaseRow, Cell, tabulate_cases
from assistant.cases.clauses import describes_case
from assistant.cases.patients import find_patients
from assistant.cases.tabulate import fill_patients
from assistant.clinical_text.quantities import find_figures
from assistant.reading.reader import load_reader
from assistant.reading.sentences import split_record
from benchmarks.results import write_result
from index import DEMO_RECORDS, read_records
from index.text.normalisation import fold_text
from index.text.terms import analyse
from index.types import Record
from training.data import trains_events

KINDS = {"age": "age", "gender": "sex", "dosage": "dose", "duration": "duration"}
TIME_UNITS = frozenset({"min", "h", "day", "week", "month", "year"})
MALE = frozenset({"male", "males", "man", "men", "boy", "boys", "he", "his", "him", "gentleman", "brothers"})
DRUG = re.compile(r"^(?:At what dose was|For how long (?:had|was)) (.+?) (?:been )?given in the (?:reported )?case")
ROWS_A_TABLE = 8
TABLES_TIMED = 12

Judged = tuple[str, str, Cell | None, dict[str, Any]]


def main(data_dir: str) -> None:
    """Fill the rows, judge the cells, take the time, write all of it down."""
    data = Path(data_dir)
    phee = read_questions(data / "phee" / "questions.dev.jsonl")
    dev = [q for q in read_questions(data / "cases" / "questions.dev.jsonl") if q["kind"] == "demographics"]
    judged = [*judge(phee, data / "phee" / "records.jsonl.gz"), *judge_dev(dev, data / "cases" / "records.jsonl.gz")]
    figures = {
        "cells": [{"column": column, **counts} for column, counts in count(judged).items()],
        "filled": measure_filled(data / "cases" / "records.jsonl.gz"),
        "table_ms": measure_time(),
    }
    for column, outcome, cell, question in judged:
        if outcome in sys.argv[2:]:
            print(column, outcome, "|", cell and cell.text, "|", question["question"], "|", question["answers"])
    write_result("cases", "python -m benchmarks.measure_cases ../shared/data", figures)


def read_questions(path: Path) -> list[dict[str, Any]]:
    """The questions of a file."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def judge(questions: Sequence[dict[str, Any]], path: Path) -> Iterator[Judged]:
    """Each question with the column that it is about, and what became of it there."""
    asked = [q for q in questions if q["kind"].rpartition("_")[2] in KINDS]
    records = find_records((q["gold_doc_ids"][0] for q in asked), path)
    given = [q for q in asked if is_given(q) and not trains_events(q["gold_doc_ids"][0])]
    rows = make_rows(records[q["gold_doc_ids"][0]] for q in given)
    for question in asked:
        column, record = KINDS[question["kind"].rpartition("_")[2]], records[question["gold_doc_ids"][0]]
        if question in given:
            cell = rows[record.record_id].cells["intervention"]
        elif is_given(question):
            continue
        else:
            own = [sentence for sentence in split_record(record) if describes_case(record, sentence)]
            cell = fill_patients(record, own, find_patients(own))["age" if column == "age" else "sex"]
        yield column, judge_cell(column, cell, question), cell, question


def is_given(question: dict[str, Any]) -> bool:
    """Whether a question is on a dose or a duration, which the reader has a part in."""
    return KINDS[question["kind"].rpartition("_")[2]] in ("dose", "duration")


def judge_dev(questions: Sequence[dict[str, Any]], path: Path) -> Iterator[Judged]:
    """The development questions whose answer has a figure and is the patient's own age."""
    own = [q for q in questions if find_figures(q["answers"][0]) and "mother" not in q["question"]]
    records = find_records((q["gold_doc_ids"][0] for q in own), path)
    rows = make_rows(records.values())
    for question in own:
        cell = rows[records[question["gold_doc_ids"][0]].record_id].cells["age"]
        yield "age, development questions", judge_cell("age", cell, question), cell, question


def find_records(source_ids: Iterable[str], path: Path) -> dict[str, Record]:
    """The records of a file by the ids that they have there."""
    wanted = set(source_ids)
    records = [item for item in read_records([path]) if isinstance(item, Record)]
    return {name: record for record in records for name in (record.source_id, record.record_id) if name in wanted}


def make_rows(records: Iterable[Record]) -> dict[str, CaseRow]:
    """The rows of records by their ids."""
    chosen = {record.record_id: record for record in records}
    return {row.record.record_id: row for row in tabulate_cases(list(chosen.values()), load_reader()).rows}


def judge_cell(column: str, cell: Cell | None, question: dict[str, Any]) -> str:
    """Right, wrong, empty, or vague: the gold answer is no figure and cannot be compared."""
    gold = " ".join(question["answers"])
    if column in ("dose", "duration"):
        return judge_drug(column, cell, question)
    if cell is None:
        return "empty"
    if column == "sex":
        return "right" if is_male(gold) in map(is_male, cell.text.split("; ")) else "wrong"
    wanted = {number for number, _ in find_figures(gold)}
    if not wanted:
        return "right" if fold_text(gold) in fold_text(cell.text) else "vague"
    return "right" if wanted & {number for number, _ in find_figures(cell.text)} else "wrong"


def judge_drug(column: str, cell: Cell | None, question: dict[str, Any]) -> str:
    """The same of a dose or duration: it is empty where the cell says none of the drug that is asked for."""
    match = DRUG.match(question["question"])
    drug = set(analyse(match[1] if match else ""))
    wanted = figures_of(column, " ".join(question["answers"]))
    pieces = [piece for piece in (cell.text.split("; ") if cell else []) if drug & set(analyse(piece))]
    told = set().union(*(figures_of(column, piece) for piece in pieces))
    if not wanted:
        return "vague"
    if not told:
        return "empty"
    return "right" if wanted & told else "wrong"


def figures_of(column: str, text: str) -> set[tuple[str, str | None]]:
    """The figures of time for a duration, the others that have a unit for a dose."""
    figures = set(find_figures(text))
    return {figure for figure in figures if figure.unit and (figure.unit in TIME_UNITS) == (column == "duration")}


def is_male(text: str) -> bool:
    """Whether the words are for a man or boy."""
    return not MALE.isdisjoint(re.findall(r"[a-z]+", text.lower()))


def count(judged: Iterable[tuple[str, str, Any, Any]]) -> dict[str, Counter[str]]:
    """How often each column is right, wrong, empty or not to be compared."""
    counts: dict[str, Counter[str]] = {}
    for column, outcome, *_ in judged:
        counts.setdefault(column, Counter(dict.fromkeys(("right", "wrong", "empty", "vague"), 0)))[outcome] += 1
    return counts


def measure_filled(path: Path, sample: int = 100) -> dict[str, float]:
    """The share of rows of every so many-th record that have each cell."""
    records = [item for item in read_records([path]) if isinstance(item, Record)]
    rows = tabulate_cases(records[:: len(records) // sample][:sample], load_reader()).rows
    return {name: round(sum(row.cells[name] is not None for row in rows) / len(rows), 2) for name in rows[0].cells}


def measure_time() -> dict[str, float]:
    """Milliseconds of a table of eight demo records with a question, at the median and at most, once warm."""
    records = [item for item in read_records([DEMO_RECORDS]) if isinstance(item, Record)]
    times = []
    for place in range(TABLES_TIMED):
        started = time.perf_counter()
        tabulate_cases(records[place : place + ROWS_A_TABLE], load_reader(), "What was the dose?")
        times.append((time.perf_counter() - started) * 1_000)
    return {"rows": ROWS_A_TABLE, "p50": round(median(times)), "most": round(max(times[1:]))}


if __name__ == "__main__":
    main(sys.argv[1])
