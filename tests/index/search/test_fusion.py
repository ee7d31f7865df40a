"""Two rankings become one: the mean of their scores, each scaled to the range 0 to 1."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.search.fusion import fuse_scores, scale_min_max

_SCORES = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(-1e6, 1e6), max_size=8)


@settings(deadline=None)
@given(_SCORES)
def test_scaled_scores_run_from_0_to_1_in_the_same_order(scores: dict[str, float]) -> None:
    scaled = scale_min_max(scores)
    assert scaled.keys() == scores.keys()
    assert all(0 <= score <= 1 for score in scaled.values())
    if scores:
        assert max(scaled.values()) == 1
    ranked = sorted(scores, key=lambda key: scores[key])
    assert [scaled[key] for key in ranked] == sorted(scaled.values())


@settings(deadline=None)
@given(_SCORES, st.floats(0.5, 64), st.floats(-100, 100))
def test_neither_unit_nor_zero_of_the_scores_matters(scores: dict[str, float], unit: float, zero: float) -> None:
    scores = {key: float(round(score)) for key, score in scores.items()}
    moved = {key: score * unit + zero for key, score in scores.items()}
    assert scale_min_max(moved) == pytest.approx(scale_min_max(scores), abs=1e-6)


@settings(deadline=None)
@given(_SCORES, _SCORES)
def test_fusion_ranks_every_candidate_once_and_does_not_depend_on_sides(
    dense: dict[str, float], lexical: dict[str, float]
) -> None:
    fused = fuse_scores(dense, lexical)
    assert sorted(key for key, _ in fused) == sorted({*dense, *lexical})
    assert fused == sorted(fused, key=lambda pair: (-pair[1], pair[0]))
    assert all(0 <= score <= 1 for _, score in fused)
    assert fuse_scores(lexical, dense) == fused


@pytest.mark.parametrize(
    ("dense", "lexical", "expected"),
    [
        pytest.param({}, {}, [], id="nothing"),
        pytest.param({"a": 0.9}, {}, [("a", 0.5)], id="one-ranking-only"),
        pytest.param({"a": 0.9, "b": 0.1}, {"b": 7, "a": 1}, [("a", 0.5), ("b", 0.5)], id="tie-by-id"),
        pytest.param({"a": 3, "b": 2, "c": 1}, {"b": 9, "c": 5}, [("b", 0.75), ("a", 0.5), ("c", 0.0)], id="both-win"),
        pytest.param({"a": 1, "b": 1}, {"b": 2}, [("b", 1.0), ("a", 0.5)], id="equal-scores-are-full-scores"),
    ],
)
def test_fused_scores(dense: dict[str, float], lexical: dict[str, float], expected: list[tuple[str, float]]) -> None:
    assert fuse_scores(dense, lexical) == expected
