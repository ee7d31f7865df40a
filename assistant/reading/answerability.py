"""How likely the answer is to be right; below a threshold there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from assistant.clinical_text.medical_names import drug_names
from assistant.reading.evidence import ReadRecord
from assistant.reading.lists import measure_coverage
from index.search.snapshot import Snapshot
from index.text.terms import analyse


class GateFeatures(NamedTuple):
    """What the gate looks at.

    record: the logit of the best record, of search and reader together. search: its score in the search, at most 1.
    sentence: the best sentence's logit in it.
    coverage: the share of the question's telling words that stand in that record, 0 to 1.
    unseen: the share of them that stand in no record at all, 0 to 1.
    similarity: the likeness of the question and that record's best passage, -1 to 1.
    drugs: the share of the drugs named in the question that the record does not name, 0 to 1.
    """

    record: float
    search: float
    sentence: float
    coverage: float
    unseen: float
    similarity: float
    drugs: float


class Calibration(BaseModel):
    """How the features make a probability, fitted by `training/calibrate.py` and kept in `gate.json`."""

    model_config = ConfigDict(frozen=True)

    weights: GateFeatures
    bias: float
    threshold: float
    max_unseen: float

    def confidence(self, features: GateFeatures) -> float:
        """The probability that the answer made from a record with these features is right.

        It is 0 where what the question is about (a drug, a disease) stands in no record: in a small index the reader
        meets questions on nothing that is there, as it was not trained to.
        """
        if features.unseen > self.max_unseen:
            return 0.0
        logit = self.bias + sum(weight * value for weight, value in zip(self.weights, features, strict=True))
        return 1 / (1 + math.exp(-logit))


def estimate_answerable(query: str, read: Sequence[ReadRecord], build: Snapshot) -> float:
    """The probability that the answer made from the records is right.

    It is 0 where nothing was found, and where the query names a drug that stands in no record.
    """
    if not read or names_unknown_drug(query, build):
        return 0.0
    return read_calibration().confidence(measure_features(query, read[0], build))


def names_unknown_drug(query: str, build: Snapshot) -> bool:
    """Whether a drug of the query stands in no record, nor anything that it may be a misspelling of.

    So it is for 2 of 584 answerable training questions that name one (docs/log.md).
    """
    terms = analyse(" ".join(drug_names(query)))
    return any(not build.document_frequency(term) and not build.corrections(term) for term in terms)


def measure_features(query: str, best: ReadRecord, build: Snapshot) -> GateFeatures:
    """The features of a query and the best record that was read for it."""
    weights = {term: build.term_weight(term) for term in analyse(query)}
    unseen = sum(weight for term, weight in weights.items() if not build.document_frequency(term))
    drugs = set(analyse(" ".join(drug_names(query))))
    return GateFeatures(
        record=best.score,
        search=min(1.0, best.passage.score),
        sentence=max(best.logits, default=0.0),
        coverage=measure_coverage(query, best.passage.record, build),
        unseen=unseen / (sum(weights.values()) or 1.0),
        similarity=build.similarity(query, best.passage),
        drugs=len(drugs.difference(analyse(best.passage.record.text))) / (len(drugs) or 1),
    )


@cache
def read_calibration() -> Calibration:
    """The fitted gate."""
    return Calibration.model_validate_json(files("assistant.reading").joinpath("gate.json").read_text("utf-8"))
