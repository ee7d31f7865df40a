"""Draw docs/results/scale.json: time, memory and disk against the number of records, with fitted exponents.

python -m benchmarks.draw_scale
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np

from benchmarks.results import DOCS, result_path

PANELS = {
    "seconds": ("build_s", "update_s"),
    "MB": ("peak_rss_mb", "disk_mb"),
    "milliseconds": ("query_p50_ms",),
}
LABELS = {
    "build_s": "full build",
    "update_s": "update by 100 records",
    "peak_rss_mb": "peak memory of the build",
    "disk_mb": "disk",
    "query_p50_ms": "search, median",
}

Rows = Sequence[dict[str, Any]]


def fit_power(rows: Rows, name: str) -> tuple[float, float]:
    """The factor and the exponent of `factor * records ** exponent`, by least squares in logarithms."""
    records, values = (np.log([row[field] for row in rows]) for field in ("records", name))
    exponent, intercept = np.polyfit(records, values, 1)
    return float(np.exp(intercept)), float(exponent)


def read_rows(model: str) -> list[dict[str, Any]]:
    """The measured sizes of a model, `packaged` or `stand-in`, the smallest first."""
    rows = json.loads(result_path("scale").read_text("utf-8"))["sizes"]
    return [row for row in rows if row["model"] == model]


def main() -> None:
    """Draw the three panels."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "casecite"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(PANELS), figsize=(11, 4.6), layout="constrained")
    for axis, (unit, names) in zip(axes, PANELS.items(), strict=True):
        for model, marker in (("stand-in", "o"), ("packaged", "s")):
            rows = read_rows(model)
            for name in names:
                _draw_line(axis, rows, name, marker, "" if model == "packaged" else ", without embedding")
        axis.set(xscale="log", yscale="log", xlabel="records", ylabel=unit)
        axis.grid(visible=True, which="both", alpha=0.2)
        axis.legend(fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.18))  # below, off the curves
    figure.savefig(DOCS / "images" / "scale.svg", metadata={"Date": None})  # unchanged figures, unchanged file


def _draw_line(axis: Any, rows: Rows, name: str, marker: str, note: str) -> None:
    if len(rows) < 2:
        return
    factor, exponent = fit_power(rows, name)
    records = np.array([row["records"] for row in rows])
    label = f"{LABELS[name]}{note}: records^{exponent:.2f}"
    (points,) = axis.plot(records, [row[name] for row in rows], marker, label=label)
    axis.plot(records, factor * records**exponent, "-", color=points.get_color(), linewidth=0.8)


if __name__ == "__main__":
    main()
