"""Fits the gate that refuses questions: writes assistant/gate.json.

    casecite index build ../shared/data/cases/records.jsonl.gz --index INDEX
    python -m training.calibrate ../shared/data runs/material INDEX

Only training questions whose record was held out from the reader's training, asked of all records and again of the
held-out ones alone: in a small index many harmless words of a question stand in no record. Unanswerable ones are those
marked so ("silent": the record is there and does not say), others whose record is taken away ("absent") and others
whose record loses the sentence that answers ("silenced"). What is fitted is whether the sentence that answers is
quoted, so a wrong answer to an answerable question counts like one to an unanswerable one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from assistant.evidence import ReadRecord, gather_evidence, read_passages
from assistant.extractive import draft_quotes
from assistant.gate import Calibration, GateFeatures, measure_features
from assistant.reader import Reader, Report, load_reader
from assistant.settings import AssistantSettings
from assistant.types import Evidence
from assistant.weighing import weigh_sentences
from index import Passage, Record, build_index, open_index
from index.lexical import analyse
from index.search import OpenBuild
from training.data import NO_SENTENCE, Example, is_held_out, read_case_reports
from training.neighbours import prepare_cases, write_lines
from training.sampling import silence

ANSWERABLE = "answerable"
TARGET = Path(__file__).parent.parent / "assistant" / "gate.json"
# The share of questions without an answer that the probability is made for, and how many of the others may be refused.
UNANSWERABLE_SHARE = 0.25
REFUSED_ANSWERABLE = 0.04
# The share of answerable questions whose words may stand in no record to so large a part.
UNSEEN_ANSWERABLE = 0.015


class Measured(NamedTuple):
    """The gate's features of a question, and whether the quotes that would be shown hold the sentence that answers."""

    features: GateFeatures
    is_right: bool


def main(data: Path, work: Path, index_dir: Path) -> None:
    """Measure the held-out questions, fit, and write the calibration."""
    held_out = [example for example in prepare_cases(data, work) if is_held_out(example.record_id)]
    reader, reports = load_reader(), read_case_reports(data)
    groups: dict[str, list[Measured]] = {}
    for place, folder in (("all", index_dir), ("few", index_held_out(reports, work))):
        build = open_index(folder).current()
        for example in held_out:
            for name, measured in measure(example, reports[example.record_id], build, reader):
                groups.setdefault(f"{name}, {place} records", []).append(measured)
    fitted = fit(groups)
    TARGET.write_text(fitted.model_dump_json(indent=2) + "\n", "utf-8")
    typer.echo(json.dumps(describe(groups, fitted), indent=2))


def index_held_out(reports: Mapping[str, Report], work: Path) -> Path:
    """An index of the held-out records alone, made where it is not there yet."""
    folder, source = work / "index-held-out", work / "records-held-out.jsonl"
    if not folder.exists():
        write_lines(
            source,
            (
                {"id": name, "title": report.title or None, "abstract": " ".join(report.sentences)}
                for name, report in reports.items()
                if is_held_out(name)
            ),
        )
        build_index([source], folder)
    return folder


def measure(example: Example, report: Report, build: OpenBuild, reader: Reader) -> Iterator[tuple[str, Measured]]:
    """The question as it is, and without its record or its answer; each record is read once for all of them."""
    depth = AssistantSettings().top_k
    found = build.search(example.question, depth + 1)
    own = next((passage for passage in found if passage.record.source_id == example.record_id), None)
    silenced = silence(report, example)
    cut = replace(own, record=cut_record(own.record, silenced)) if own and silenced else None
    read = weigh_sentences(
        example.question,
        read_passages(example.question, [*found, *([cut] if cut else [])], reader),
        build.term_weight,
    )

    def of(passages: Sequence[Passage | None]) -> list[ReadRecord]:
        return [item for item in read if any(item.passage is passage for passage in passages)]

    as_it_is = of(found[:depth])
    if example.sentence == NO_SENTENCE:
        yield "silent", Measured(measure_features(example.question, as_it_is[0], build), False)
        return
    gold = report.sentences[example.sentence]
    quoted = is_quoted(gold, example.record_id, gather_evidence(example.question, as_it_is))
    yield ANSWERABLE, Measured(measure_features(example.question, as_it_is[0], build), quoted)
    others = [passage for passage in found if passage is not own][:depth]
    features = measure_features(example.question, of(others)[0], build)
    if own:
        features = features._replace(unseen=unseen_without(example.question, own.record, build))
    yield "absent", Measured(features, False)
    if cut:
        yield "silenced", Measured(measure_features(example.question, of([cut, *others[: depth - 1]])[0], build), False)


def cut_record(record: Record, left: Report) -> Record:
    """The record with only the sentences that are left."""
    return replace(record, abstract=" ".join(left.sentences), sections=())


def is_quoted(gold: str, record_id: str, evidence: Sequence[Evidence]) -> bool:
    """Whether the quotes made of the evidence hold the gold sentence, or a part of it where it is split otherwise."""
    shown = {key for claim in draft_quotes(evidence) for key in claim.keys}
    quotes = [item.quote for item in evidence if item.key in shown and item.record.source_id == record_id]
    return any(quote in gold or gold in quote for quote in quotes)


def unseen_without(query: str, own: Record, build: OpenBuild) -> float:
    """The share of telling words that stand in no record but `own`."""
    terms = set(analyse(f"{own.title or ''} {own.abstract}"))
    weights = {term: build.term_weight(term) for term in analyse(query)}
    unseen = sum(weight for term, weight in weights.items() if build.document_frequency(term) <= (term in terms))
    return unseen / (sum(weights.values()) or 1.0)


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
