"""How often the assistant is right: writes docs/results/quality.json, and two pictures into docs/images.

    python -m benchmarks.measure_quality ../shared/data WORK_FOLDER

Builds the three indexes it asks in WORK_FOLDER where they are not there yet, and leaves the whole reports there. The
questions of the case reports and those of PHEE that the reader was not trained with are answered, SciFact's claims are
ranked.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from assistant.cli.evaluate_command import evaluate_files
from assistant.evaluation.judging import find_gold_records, resolve_gold
from assistant.evaluation.questions import QuestionSet, read_questions
from assistant.evaluation.report import Report, Row, summarise_rows
from assistant.reading.answerability import load_calibration
from benchmarks.results import DOCS, result_path
from index import build_index, open_index
from training.data import read_lines, trains_events
from training.hard_negatives import write_lines

mpl.use("svg")
from matplotlib import pyplot as plt

# Kinds that are judged apart: they have several gold records, none, or a conversation.
APART = ("multi_record", "unanswerable", "follow_up first", "follow_up later")
BINS = 5


def main(data_dir: str, work_dir: str) -> None:
    """Build what is missing, ask everything, write the measures, draw the pictures."""
    data, work = Path(data_dir), Path(work_dir)
    for name in ("cases", "phee", "scifact"):
        if not (work / name / "CURRENT").exists():
            build_index([data / name / "records.jsonl.gz"], work / name)
    cases = evaluate_files(
        data / "cases" / "questions.dev.jsonl", index_dir=work / "cases", report_path=work / "cases.json"
    )
    scifact = evaluate_files(
        data / "scifact" / "queries.test.jsonl",
        qrels_path=data / "scifact" / "qrels.test.tsv",
        index_dir=work / "scifact",
        report_path=work / "scifact.json",
    )
    unseen = write_unseen(data / "phee" / "questions.dev.jsonl", work / "phee-questions.jsonl")
    phee = evaluate_files(unseen, index_dir=work / "phee", report_path=work / "phee.json")
    dense = measure_dense(work / "cases", read_questions(data / "cases" / "questions.dev.jsonl"))
    result = {
        "command": "python -m benchmarks.measure_quality ../shared/data WORK_FOLDER",
        "date": f"{cases.run.date:%Y-%m-%d}",
        "run": cases.run.model_dump(mode="json", exclude={"machine"}),
        "table": make_table(cases, phee, scifact, dense),
        "kinds": [group.model_dump() for group in cases.groups],
        "phee_kinds": [group.model_dump() for group in phee.groups],
    }
    result_path("quality").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    draw_trade_off(cases.rows, DOCS / "images" / "refusals.svg")
    draw_reliability(cases.rows, DOCS / "images" / "reliability.svg")


def write_unseen(source: Path, target: Path) -> Path:
    """The questions of a file on records that the reader's training left out."""
    write_lines(target, (row for row in read_lines(source) if not trains_events(row["gold_doc_ids"][0])))
    return target


def make_table(cases: Report, phee: Report, scifact: Report, dense: dict[str, float]) -> list[dict[str, Any]]:
    """The measures that the project is judged by, each with its interval and what a plain vector search gives."""
    kinds = {group.kind: group.measures for group in cases.groups}
    single = summarise_rows([row for row in cases.rows if row.kind not in APART])[0].measures
    (all_phee, *_), (all_scifact, *_) = phee.groups, scifact.groups
    latency = cases.groups[0].latency_ms
    rows = [
        ("gold record first", single["hit@1"], dense["hit@1"]),
        ("gold record among the first three", single["hit@3"], dense["hit@3"]),
        ("gold record among the first ten", single["hit@10"], dense["hit@10"]),
        ("answer in the first quote", single["answer_at_1"], None),
        ("answer in the answer shown", single["answer_in_text"], None),
        ("cited records that are gold", single["citation_precision"], None),
        ("answerable questions refused", single["abstained_answerable"], None),
        ("unanswerable questions answered", kinds["unanswerable"]["answered_unanswerable"], None),
        (
            "follow-up turns after the first: answer in the answer shown",
            kinds["follow_up later"]["answer_in_text"],
            None,
        ),
        ("lists: gold records that are cited", kinds["multi_record"]["citation_recall"], None),
        ("lists: cited records that are gold", kinds["multi_record"]["citation_precision"], None),
        ("PHEE: answer in the first quote", all_phee.measures["answer_at_1"], None),
        ("SciFact test: nDCG@10", all_scifact.measures["ndcg@10"], None),
    ]
    table = [{"measure": name, **item.model_dump(), "dense": plain} for name, item, plain in rows]
    return [*table, {"measure": "milliseconds an answer, p50 / p95", "p50": latency.p50, "p95": latency.p95}]


def measure_dense(index_dir: Path, questions: QuestionSet) -> dict[str, float]:
    """What a plain vector search finds: chunks by likeness, folded to records."""
    build = open_index(index_dir).current()
    pairs = list(build.iter_records())
    found = find_gold_records(questions, (record for record, _ in pairs))
    owners = [record.record_id for record, chunks in pairs for _ in chunks]
    stored = build.record_vectors([record.record_id for record, _ in pairs])
    matrix = np.concatenate([stored[record.record_id] for record, _ in pairs])
    ranks = []
    for question in questions:
        if question.kind in {*APART, "follow_up"} or not question.is_answerable:
            continue
        labels = resolve_gold(question, found).labels
        order = np.argsort(-(matrix @ build.embedder.embed_query(question.text)))
        ranking = list(dict.fromkeys(owners[place] for place in order[:500]))
        ranks.append(next((rank for rank, record_id in enumerate(ranking, 1) if record_id in labels), np.inf))
    return {f"hit@{cutoff}": float(np.mean(np.array(ranks) <= cutoff)) for cutoff in (1, 3, 10)}


def draw_trade_off(rows: Sequence[Row], path: Path) -> None:
    """Unanswerable questions refused against answerable ones refused, for every threshold; the one in use is marked."""
    answerable = np.sort([row.confidence for row in rows if row.kind not in APART])
    unanswerable = np.array([row.confidence for row in rows if row.kind == "unanswerable"])
    thresholds = np.concatenate([[0.0], answerable, [1.01]])
    refused = [(np.mean(answerable < limit), np.mean(unanswerable < limit)) for limit in thresholds]
    figure, axes = plt.subplots(figsize=(5, 4), layout="constrained")
    axes.step(*zip(*refused, strict=True), where="post", color="#1f5f8b")
    chosen = load_calibration().threshold
    axes.plot(np.mean(answerable < chosen), np.mean(unanswerable < chosen), "o", color="#b5472f")
    axes.annotate(
        "in use", (np.mean(answerable < chosen), np.mean(unanswerable < chosen)), (8, -12), textcoords="offset points"
    )
    axes.set(
        xlabel="answerable questions refused", ylabel="unanswerable questions refused", xlim=(0, 1), ylim=(0, 1.02)
    )
    save(figure, path)


def draw_reliability(rows: Sequence[Row], path: Path) -> None:
    """The share of answers that are right against the confidence they were given with, in bins of equal size.

    Answerable questions that were refused are left out: what would have been shown was not judged.
    """
    judged = [row for row in rows if row.kind == "unanswerable" or (row.kind not in APART and not row.abstained)]
    order = sorted(judged, key=lambda row: row.confidence or 0.0)
    figure, axes = plt.subplots(figsize=(5, 4), layout="constrained")
    axes.plot([0, 1], [0, 1], ":", color="#888888")
    for inside in np.array_split(np.array(order, dtype=object), BINS):
        confidence = float(np.mean([row.confidence for row in inside]))
        right = float(np.mean([row.right_in_answer is True for row in inside]))
        axes.plot(confidence, right, "o", color="#1f5f8b")
    axes.set(xlabel="confidence", ylabel="answered right", xlim=(0, 1.02), ylim=(0, 1.02))
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """As SVG without a date, so that an unchanged picture is an unchanged file."""
    mpl.rcParams["svg.hashsalt"] = "casecite"
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
