"""Questions, claims and records to train with, read from the development data."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.reading.rows import Report
from assistant.reading.sentences import as_report, split_record
from index import Record, read_records

UNKNOWN_SPAN = -2
NO_SPAN = -1
HELD_OUT_SHARE = 0.05
# Of the records of adverse drug events: on these the product is measured.
HELD_OUT_EVENTS = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A question about one record.

    `span` is what answers, counted as rows count (0 is the title, 1 the first sentence), NO_SPAN where the record does
    not say, and UNKNOWN_SPAN where it is only known that it does. `near` are the records that the search finds for the
    question, best first, without those that answer.
    """

    question: str
    record_id: str
    span: int
    answer: str
    kind: str
    near: tuple[str, ...] = ()


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file with one a line, gzipped or plain."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def read_case_reports(data: Path) -> dict[str, Report]:
    """The records of the training questions by id, their sentences numbered as the questions do."""
    rows = read_lines(data / "cases" / "train_records.jsonl.gz")
    return {row["id"]: Report(row["title"] or "", tuple(row["sentences"])) for row in rows}


def read_case_questions(data: Path) -> list[Example]:
    """The training questions, in the order of their file."""
    rows = read_lines(data / "cases" / "questions.train.jsonl.gz")
    return [
        Example(
            question=row["q"],
            record_id=row["id"],
            span=row["s"] + 1 if row["s"] >= 0 else NO_SPAN,
            answer=row["a"],
            kind=row["k"],
        )
        for row in rows
    ]


def read_reports(records: Path) -> dict[str, Report]:
    """The records of a file by id, in sentences as the product splits them."""
    return {
        str(record.source_id): as_report(tuple(split_record(record)))
        for record in read_records([records])
        if isinstance(record, Record)
    }


def read_claims(data: Path) -> list[Example]:
    """SciFact's training claims, each once for every abstract judged relevant; which sentence it is is not given."""
    folder = data / "scifact"
    texts = {row["_id"]: row["text"] for row in read_lines(folder / "queries.train.jsonl")}
    rows = (line.split("\t") for line in (folder / "qrels.train.tsv").read_text("utf-8").splitlines()[1:])
    return [
        Example(question=texts[claim], record_id=record, span=UNKNOWN_SPAN, answer="", kind="claim")
        for claim, record, score in rows
        if int(score) > 0
    ]


def read_event_questions(data: Path, reports: Mapping[str, Report]) -> list[Example]:
    """PHEE's questions on records that are not held out, without those whose gold sentence was not found."""
    rows = [row for row in read_lines(data / "phee" / "questions.dev.jsonl") if trains_events(row["gold_doc_ids"][0])]
    examples = []
    for row in rows:
        (name,) = row["gold_doc_ids"]
        span = find_span(reports[name], row["gold_sentence"])
        if span != NO_SPAN:
            answer = row["answers"][0]
            examples.append(
                Example(question=row["question"], record_id=name, span=span, answer=answer, kind=row["kind"])
            )
    return examples


def trains_events(record_id: str) -> bool:
    """Whether the questions on adverse drug events of a record are trained with."""
    return not is_held_out(record_id, HELD_OUT_EVENTS)


def find_span(report: Report, text: str) -> int:
    """The first span that contains the text, ignoring its full stop; NO_SPAN if there is none."""
    spans = enumerate((report.title, *report.sentences))
    return next((number for number, span in spans if text.strip(" .") in span), NO_SPAN)


def is_held_out(record_id: str, share: float = HELD_OUT_SHARE) -> bool:
    """Whether a record is kept for validation and calibration: decided by its id alone, so the same for ever."""
    digest = hashlib.sha256(record_id.encode()).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32
