"""Confidence intervals by bootstrap over questions, and a permutation test; seeded, so deterministic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

RESAMPLES = 2_000
PERMUTATIONS = 9_999
CONFIDENCE = 0.95
SEED = 20_251
# Resamples drawn at once; limits the memory for many questions.
BATCH = 100
DIGITS = 4


class Estimate(BaseModel):
    """A mean over `questions` questions, with the bounds of its 95 % interval (None for a single question)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    low: float | None
    high: float | None
    questions: int


class Difference(Estimate):
    """The mean of new minus old over the common questions, with the p-value of a permutation test."""

    old: float
    new: float
    p_value: float


def estimate_mean(values: Sequence[float]) -> Estimate:
    """The mean of `values`, one a question, with its interval."""
    low, high = _interval(values)
    return Estimate(value=_mean(values), low=low, high=high, questions=len(values))


def estimate_difference(old: Sequence[float], new: Sequence[float]) -> Difference:
    """The paired difference of two runs: `old[i]` and `new[i]` belong to the same question."""
    differences = [after - before for before, after in zip(old, new, strict=True)]
    low, high = _interval(differences)
    return Difference(
        value=_mean(differences),
        low=low,
        high=high,
        questions=len(differences),
        old=_mean(old),
        new=_mean(new),
        p_value=_p_value(differences),
    )


def _interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The bounds of the interval by the percentile bootstrap."""
    from scipy import stats

    if len(values) < 2:
        return None, None
    interval = stats.bootstrap(
        (list(values),),
        _axis_mean,
        n_resamples=RESAMPLES,
        batch=BATCH,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=SEED,
    ).confidence_interval
    return round(float(interval.low), DIGITS), round(float(interval.high), DIGITS)


def _p_value(differences: Sequence[float]) -> float:
    """Two-sided paired permutation test: old and new are swapped question by question."""
    from scipy import stats

    if len(differences) < 2:
        return 1.0
    result = stats.permutation_test(
        (list(differences),), _axis_mean, permutation_type="samples", n_resamples=PERMUTATIONS, batch=BATCH, rng=SEED
    )
    return round(float(result.pvalue), DIGITS)


def _axis_mean(sample: Any, axis: int) -> Any:
    return sample.mean(axis=axis)


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), DIGITS)
