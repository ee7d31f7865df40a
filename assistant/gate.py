"""Whether the records that were found can answer the question at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from index.lexical import analyse
from index.search import OpenBuild
from index.types import Passage


class GateFeatures(NamedTuple):
    """What the gate looks at.

    coverage: the share of the question's telling words that stand in the best record, 0 to 1.
    similarity: the likeness of the question and the best record's best passage, -1 to 1.
    unseen: the share of the question's telling words that stand in no record at all, 0 to 1.
    """

    coverage: float
    similarity: float
    unseen: float


class Calibration(BaseModel):
    """How the features make a probability, fitted by `benchmarks/calibrate_gate.py` and kept in `gate.json`."""

    model_config = ConfigDict(frozen=True)

    coverage: float
    similarity: float
    bias: float
    threshold: float
    max_unseen: float

    def probability(self, features: GateFeatures) -> float:
        """The probability that a record with these features answers."""
        logit = self.coverage * features.coverage + self.similarity * features.similarity + self.bias
        return 1 / (1 + math.exp(-logit))


def estimate_answerable(query: str, passages: Sequence[Passage], build: OpenBuild) -> float:
    """The probability that the best record answers the query.

    It is 0 where nothing was found, or where what the question is about (a drug, a disease) stands in no record.
    """
    if not passages:
        return 0.0
    features, fitted = measure_features(query, passages, build), read_calibration()
    if features.unseen > fitted.max_unseen:
        return 0.0
    return fitted.probability(features)


def measure_features(query: str, passages: Sequence[Passage], build: OpenBuild) -> GateFeatures:
    """The features of a query and the passages found for it, of which there must be one."""
    best = passages[0]
    weights = {term: build.term_weight(term) for term in analyse(query)}
    total = sum(weights.values()) or 1.0
    present = set(analyse(f"{best.record.title or ''} {best.record.abstract}"))
    return GateFeatures(
        coverage=sum(weight for term, weight in weights.items() if term in present) / total,
        similarity=build.similarity(query, best),
        unseen=sum(weight for term, weight in weights.items() if not build.document_frequency(term)) / total,
    )


@cache
def read_calibration() -> Calibration:
    """The fitted gate."""
    return Calibration.model_validate_json(files("assistant").joinpath("gate.json").read_text("utf-8"))
