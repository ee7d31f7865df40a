"""Draws the curves of a run into docs/images/training.svg, and keeps their points in docs/results/training.json.

python -m training.draw_curves runs/NAME
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import typer

from training.data import read_lines

DOCS = Path(__file__).parent.parent / "docs"
SHARES = ("record_first", "sentence_first", "sentence_in_three")


def main(run: Path) -> None:
    """Read the log of a run, write its points and the picture."""
    entries = list(read_lines(run / "log.jsonl"))
    points = {
        "config": json.loads((run / "config.json").read_text("utf-8")),
        "steps": [
            {key: entry[key] for key in ("step", "record", "span", "silent")}
            for entry in entries
            if entry.get("event") == "train"
        ],
        "validations": [
            {key: value for key, value in entry.items() if key not in {"time", "event"}}
            for entry in entries
            if entry.get("event") == "validation"
        ],
    }
    (DOCS / "results" / "training.json").write_text(json.dumps(points, indent=1) + "\n", "utf-8")
    draw(points, DOCS / "images" / "training.svg")


def draw(points: dict[str, Any], path: Path) -> None:
    """Losses above, what is measured on held-out questions below."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "casecite"
    from matplotlib import pyplot as plt

    figure, (losses, shares) = plt.subplots(2, 1, figsize=(6, 6), sharex=True, layout="constrained")
    for name in ("record", "span", "silent"):
        losses.plot(
            [point["step"] for point in points["steps"]], [point[name] for point in points["steps"]], label=name
        )
    for name in SHARES:
        measured = points["validations"]
        shares.plot([point["step"] for point in measured], [point[name] for point in measured], "o-", label=name)
    losses.set(ylabel="loss")
    shares.set(xlabel="step", ylabel="share of held-out questions", ylim=(0, 1))
    losses.legend()
    shares.legend()
    figure.savefig(path, metadata={"Date": None})  # without a date, an unchanged picture is an unchanged file


if __name__ == "__main__":
    typer.run(main)
