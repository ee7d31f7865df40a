"""Fit the gate that refuses questions: writes assistant/gate.json.

    casecite index build TRAIN_RECORDS.jsonl --index INDEX
    python benchmarks/calibrate_gate.py INDEX ../shared/data/cases

The training questions only. Unanswerable ones are those marked so, and answerable ones whose own record is taken away.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from assistant.gate import Calibration, GateFeatures, measure_features
from index import Passage, open_index
from index.lexical import analyse
from index.search import OpenBuild

TARGET = Path(__file__).parent.parent / "assistant" / "gate.json"
QUESTIONS = 1_200
# Each of the two rules may refuse this share of the answerable training questions.
REFUSED_BY_EACH_RULE = 0.03


def main(index_dir: str, data_dir: str) -> None:
    """Measure the training questions, fit, and write the calibration."""
    build = open_index(index_dir).current()
    answerable, silent = read_questions(Path(data_dir))
    answered = [measure(build, question) for question in answerable[:QUESTIONS]]
    removed = [measure(build, question, without=question["id"]) for question in answerable[QUESTIONS : 2 * QUESTIONS]]
    near_misses = [measure(build, question) for question in silent]
    fitted = fit(np.array(answered), np.array(removed), np.array(near_misses))
    TARGET.write_text(fitted.model_dump_json(indent=2) + "\n", "utf-8")
    for name, group in (("answerable", answered), ("record taken away", removed), ("marked unanswerable", near_misses)):
        refused = np.mean([is_refused(features, fitted) for features in group])
        print(f"{name}: {len(group)} questions, {refused:.1%} refused")


def read_questions(data_dir: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The training questions that their record answers, in random order, and those that it does not."""
    with gzip.open(data_dir / "questions.train.jsonl.gz", "rt", encoding="utf-8") as stream:
        questions = [json.loads(line) for line in stream]
    answerable = [question for question in questions if question["s"] >= 0]
    random.Random(1).shuffle(answerable)
    return answerable, [question for question in questions if question["s"] < 0]


def measure(build: OpenBuild, question: dict[str, Any], without: str | None = None) -> GateFeatures:
    """The gate's features of a question, as if the record with the source id `without` were not there."""
    passages = build.search(question["q"], top_k=2)
    kept = [passage for passage in passages if passage.record.source_id != without]
    features = measure_features(question["q"], kept, build)
    return features._replace(unseen=unseen_without(build, question["q"], passages, without)) if without else features


def unseen_without(build: OpenBuild, query: str, passages: list[Passage], without: str) -> float:
    """The share of telling words that stand in no record but the one taken away (where it was among those found)."""
    own: set[str] = set()
    for passage in passages:
        if passage.record.source_id == without:
            own = set(analyse(f"{passage.record.title or ''} {passage.record.abstract}"))
    weights = {term: build.term_weight(term) for term in analyse(query)}
    unseen = sum(weight for term, weight in weights.items() if build.document_frequency(term) <= (term in own))
    return unseen / (sum(weights.values()) or 1.0)


def fit(answered: Any, removed: Any, near_misses: Any) -> Calibration:
    """A logistic regression on coverage and similarity, and the limits that REFUSED_BY_EACH_RULE sets."""
    groups = (answered, removed, near_misses)
    features = np.concatenate(groups)[:, :2]
    labels = np.repeat([1, 0, 0], [len(group) for group in groups])
    model = LogisticRegression(class_weight="balanced").fit(features, labels)
    coverage, similarity = map(float, model.coef_[0])
    probabilities = model.predict_proba(answered[:, :2])[:, 1]
    return Calibration(
        coverage=coverage,
        similarity=similarity,
        bias=float(model.intercept_[0]),
        threshold=float(np.quantile(probabilities, REFUSED_BY_EACH_RULE)),
        max_unseen=float(np.quantile(answered[:, 2], 1 - REFUSED_BY_EACH_RULE)),
    )


def is_refused(features: GateFeatures, fitted: Calibration) -> bool:
    """What the gate does with these features."""
    return features.unseen > fitted.max_unseen or fitted.probability(features) < fitted.threshold


if __name__ == "__main__":
    main(*sys.argv[1:])
