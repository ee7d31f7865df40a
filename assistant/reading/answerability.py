"""How likely the answer is to be right. Below a threshold, none is given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from assistant.clinical_text.medical_names import drug_names
from assistant.reading.coverage import record_coverage
from assistant.reading.passages import ReadRecord
from index.search.snapshot import Snapshot
from index.text.terms import analyse


class GateFeatures(NamedTuple):
    """The features of a question and the best record that was read for it.

    Attributes:
        record: the record's logit, of search and reader together.
        search: its search score, at most 1.
        sentence: the logit of its best sentence.
        coverage: the weighted share of the question's terms that it contains, 0 to 1.
        unseen: the weighted share of the question's terms that no record contains, 0 to 1.
        similarity: the cosine of the question and its best passage, -1 to 1.
        drugs: the share of the drugs named in the question that it does not name, 0 to 1.
    """

    record: float
    search: float
    sentence: float
    coverage: float
    unseen: float
    similarity: float
    drugs: float


class Calibration(BaseModel):
    """A logistic regression on the features, fitted by `training/calibrate.py` and stored in `gate.json`."""

    model_config = ConfigDict(frozen=True)

    weights: GateFeatures
    bias: float
    threshold: float
    max_unseen: float

    def confidence(self, features: GateFeatures) -> float:
        """The probability, 0 to 1, that the answer made from a record with these features is right.

        It is 0 where too much of the question is in no record: in a small index the reader is asked about drugs and
        diseases that are not there at all, which it was not trained for.
        """
        if features.unseen > self.max_unseen:
            return 0.0
        logit = self.bias + sum(weight * value for weight, value in zip(self.weights, features, strict=True))
        return 1 / (1 + math.exp(-logit))


def estimate_answerable(query: str, read: Sequence[ReadRecord], snapshot: Snapshot) -> float:
    """The probability, 0 to 1, that the answer made from the records is right.

    It is 0 where nothing was found, and where the query names a drug that is in no record.
    """
    if not read or names_unknown_drug(query, snapshot):
        return 0.0
    return load_calibration().confidence(measure_features(query, read[0], snapshot))


def names_unknown_drug(query: str, snapshot: Snapshot) -> bool:
    """Whether a drug of the query is in no record, nor any term that it may be a misspelling of.

    True of 2 in 584 answerable training questions that name a drug (docs/experiments/gate.md, "Drugs that are in no
    record").
    """
    terms = analyse(" ".join(drug_names(query)))
    return any(not snapshot.document_frequency(term) and not snapshot.corrections(term) for term in terms)


def measure_features(query: str, best: ReadRecord, snapshot: Snapshot) -> GateFeatures:
    """The features of a query and the best record that was read for it."""
    weights = snapshot.weigh_terms(query)
    unseen = sum(weight for term, weight in weights.items() if not snapshot.document_frequency(term))
    drugs = set(analyse(" ".join(drug_names(query))))
    record = best.passage.record
    return GateFeatures(
        record=best.score,
        search=min(1.0, best.passage.score),
        sentence=max(best.logits, default=0.0),
        coverage=record_coverage(query, weights, record),
        unseen=unseen / (sum(weights.values()) or 1.0),
        similarity=best.passage.similarity,
        drugs=len(drugs.difference(analyse(record.text))) / (len(drugs) or 1),
    )


@cache
def load_calibration() -> Calibration:
    """The fitted gate."""
    return Calibration.model_validate_json(files("assistant.reading").joinpath("gate.json").read_text("utf-8"))
