"""Joining the dense and the lexical ranking into one."""

from __future__ import annotations

from collections.abc import Mapping


def fuse_scores(dense: Mapping[str, float], lexical: Mapping[str, float]) -> list[tuple[str, float]]:
    """The mean of the two rankings' min-max scaled scores, best first, ties by id; absent from one is 0 there."""
    scaled = [scale_min_max(dense), scale_min_max(lexical)]
    ids = dense.keys() | lexical.keys()
    fused = {key: sum(scores.get(key, 0.0) for scores in scaled) / len(scaled) for key in ids}
    return sorted(fused.items(), key=lambda pair: (-pair[1], pair[0]))


def scale_min_max(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores moved to the range 0 to 1; where all are equal, all become 1."""
    if not scores:
        return {}
    low, high = min(scores.values()), max(scores.values())
    width = high - low
    return {key: (score - low) / width if width else 1.0 for key, score in scores.items()}
