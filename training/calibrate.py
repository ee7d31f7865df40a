"""Fits the gate that refuses questions: writes assistant/reading/gate.json.

    casecite index build ../shared/data/cases/records.jsonl.gz --index INDEX
    python -m training.calibrate ../shared/data runs/material INDEX

Only training questions whose record was held out from the reader's training. They are asked of all records of INDEX and
of the held-out ones alone, since in a small index many ordinary words of a question are in no record. Unanswerable
ones are those marked so ("silent": the record is there and does not say), others whose record loses the sentence that
answers ("silenced"), and all of them asked of the records of INDEX without those held out, and of a few of these
("absent": scores of a search are relative, so a record cannot just be left out of what was found). What is fitted is
whether the sentence that answers is quoted, so a wrong answer to an answerable question counts like one to an
unanswerable one.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from assistant.generation.quotes import draft_quotes
from assistant.reading.answerability import Calibration, GateFeatures, measure_features
from assistant.reading.evidence import gather_evidence, score_sentences
from assistant.reading.passages import ReadRecord, read_passages
from assistant.reading.reader import Reader, load_reader
from assistant.reading.rows import Report
from assistant.settings import AssistantSettings
from assistant.types import Evidence
from index import Passage, Record, build_index, open_index
from index.search.snapshot import Snapshot
from training.data import NO_SPAN, Example, is_held_out, read_case_reports
from training.hard_negatives import prepare_cases, write_lines
from training.sampling import silence

ANSWERABLE = "answerable"
TARGET = Path(__file__).parent.parent / "assistant" / "reading" / "gate.json"
# The share of questions without an answer that the probability is made for, and how many of the others may be refused.
UNANSWERABLE_SHARE = 0.25
REFUSED_ANSWERABLE = 0.06
# The share of answerable questions that may have more unseen terms than `max_unseen`.
UNSEEN_ANSWERABLE = 0.03


class Measured(NamedTuple):
    """The gate's features of a question, and whether the quotes shown contain the sentence that answers."""

    features: GateFeatures
    is_right: bool


def main(data: Path, work: Path, index_dir: Path) -> None:
    """Measure the held-out questions, fit, and write the calibration."""
    held_out = [example for example in prepare_cases(data, work) if is_held_out(example.record_id)]
    reader, reports = load_reader(), read_case_reports(data)
    few, others, few_others = prepare_indexes(index_dir, {example.record_id for example in held_out}, work)
    groups: dict[str, list[Measured]] = {}
    for size, with_record, without in (("all", index_dir, others), ("few", few, few_others)):
        builds = open_index(with_record).current(), open_index(without).current()
        for example in held_out:
            for name, measured in measure(example, reports[example.record_id], *builds, reader):
                groups.setdefault(f"{name}, {size} records", []).append(measured)
    fitted = fit(groups)
    TARGET.write_text(fitted.model_dump_json(indent=2) + "\n", "utf-8")
    typer.echo(json.dumps(describe(groups, fitted), indent=2))


def prepare_indexes(index_dir: Path, held_out: Set[str], work: Path) -> list[Path]:
    """Indexes of the held-out records alone, of all the others, and of as few others; made where they are not there."""
    build = open_index(index_dir).current()
    records = [record for record, _ in build.iter_records()]
    others = [record for record in records if record.source_id not in held_out]
    parts = {
        "held-out": [record for record in records if record.source_id in held_out],
        "others": others,
        "few-others": random.Random(0).sample(others, min(len(others), len(held_out))),
    }
    for name, part in parts.items():
        if not (work / f"index-{name}").exists():
            source = work / f"records-{name}.jsonl"
            write_lines(
                source, ({"id": item.source_id, "title": item.title, "abstract": item.abstract} for item in part)
            )
            build_index([source], work / f"index-{name}")
    return [work / f"index-{name}" for name in parts]


def measure(
    example: Example, report: Report, build: Snapshot, without: Snapshot, reader: Reader
) -> Iterator[tuple[str, Measured]]:
    """The question as it is, without its record, and without the sentence that answers."""
    depth = AssistantSettings().top_k
    found = build.search(example.question, depth)

    def read(passages: Sequence[Passage], build: Snapshot) -> tuple[ReadRecord, ...]:
        weights = build.weigh_terms(example.question)
        return score_sentences(example.question, read_passages(example.question, passages, reader), weights)

    as_it_is = read(found, build)
    if example.span == NO_SPAN:
        yield "silent", Measured(measure_features(example.question, as_it_is[0], build), False)
        return
    quoted = is_quoted(
        report.sentences[example.span - 1], example.record_id, gather_evidence(example.question, as_it_is)
    )
    yield ANSWERABLE, Measured(measure_features(example.question, as_it_is[0], build), quoted)
    others = read(without.search(example.question, depth), without)
    yield "absent", Measured(measure_features(example.question, others[0], without), False)
    own = next((passage for passage in found if passage.record.source_id == example.record_id), None)
    silenced = silence(report, example)
    if own and silenced:
        cut = read([replace(own, record=cut_record(own.record, silenced))], build)
        rivals = [item for item in as_it_is if item.passage is not own]
        best = max([*cut, *rivals], key=lambda item: item.score)
        yield "silenced", Measured(measure_features(example.question, best, build), False)


def cut_record(record: Record, left: Report) -> Record:
    """The record with only the sentences that are left."""
    return replace(record, abstract=" ".join(left.sentences), sections=())


def is_quoted(gold: str, record_id: str, evidence: Sequence[Evidence]) -> bool:
    """Whether the quotes made of the evidence contain the gold sentence, or a part of it if it is split differently."""
    shown = {key for claim in draft_quotes(evidence) for key in claim.keys}
    quotes = [item.quote for item in evidence if item.key in shown and item.record.source_id == record_id]
    return any(quote in gold or gold in quote for quote in quotes)


def fit(groups: Mapping[str, Sequence[Measured]]) -> Calibration:
    """A logistic regression, weighted to UNANSWERABLE_SHARE, and the threshold that REFUSED_ANSWERABLE sets."""
    answerable = [group for name, group in groups.items() if name.startswith(ANSWERABLE)]
    unanswerable = [group for name, group in groups.items() if not name.startswith(ANSWERABLE)]
    rows = [row for group in (*answerable, *unanswerable) for row in group]
    weights = np.concatenate(
        [
            np.full(len(group), share / len(part) / len(group))
            for part, share in ((answerable, 1 - UNANSWERABLE_SHARE), (unanswerable, UNANSWERABLE_SHARE))
            for group in part
        ]
    )
    features = np.array([row.features for row in rows])
    centre, scale = features.mean(0), features.std(0) + 1e-9
    model = LogisticRegression()
    model.fit((features - centre) / scale, [row.is_right for row in rows], weights * len(rows))
    coefficients = model.coef_[0] / scale
    asked = [row for group in answerable for row in group]
    fitted = Calibration(
        weights=GateFeatures(*map(float, coefficients)),
        bias=float(model.intercept_[0] - coefficients @ centre),
        threshold=0.0,
        max_unseen=float(np.quantile([row.features.unseen for row in asked], 1 - UNSEEN_ANSWERABLE)),
    )
    threshold = np.quantile(probabilities(fitted, asked), REFUSED_ANSWERABLE)
    return fitted.model_copy(update={"threshold": float(threshold)})


def probabilities(fitted: Calibration, group: Sequence[Measured]) -> NDArray[np.float64]:
    """What the gate says of each question."""
    return np.array([fitted.confidence(row.features) for row in group])


def describe(groups: Mapping[str, Sequence[Measured]], fitted: Calibration) -> dict[str, Any]:
    """How many questions of each group there are, the share that is refused and the share answered right."""
    described = {}
    for name, group in groups.items():
        refused = probabilities(fitted, group) < fitted.threshold
        right = np.array([row.is_right for row in group])
        described[name] = {
            "questions": len(group),
            "refused": round(float(refused.mean()), 3),
            "right": round(float(right.mean()), 3),
        }
    return described


if __name__ == "__main__":
    typer.run(main)
