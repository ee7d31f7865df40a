"""What docs/performance.md is made of that can be made: a build beside another pipeline, and the encoders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def build_table() -> str:
    """A build, the pipeline that tutorials teach, and the bare encode."""
    data = _read("build.json")
    count = data["records"]
    parts = [data["casecite"], data["canonical"], data["encode"]]
    rows = {
        "records a second": [f"{count / part['seconds']:.1f}" for part in parts],
        "seconds": [f"{part['seconds']:,.0f}" for part in parts],
        "chunks": [f"{part['chunks']:,.0f}" for part in parts],
        "peak memory, MB": [f"{part['peak_mb']:,.0f}" for part in parts],
        "on disk, MB for 1,000 records": [f"{part['disk_mb'] / count * 1_000:.1f}" for part in parts[:2]] + [""],
        "search, median, ms": [f"{part['query_ms']:.1f}" for part in parts[:2]] + [""],
    }
    lines = ["| | casecite | canonical pipeline | bare encode |", "|---|---|---|---|"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    rounds = "once" if data["rounds"] == 1 else f"{data['rounds']} times"
    note = f"{count:,} records, 2 cores, each {rounds} in turn, medians. {_made_by(data)}"
    return "\n".join([*lines, "", note])


def build_ratios() -> str:
    """What the table comes to."""
    data = _read("build.json")
    casecite, canonical, encode = (data[name]["seconds"] for name in ("casecite", "canonical", "encode"))
    return (
        f"A build reads {canonical / casecite:.2f} times as many records a second as the canonical pipeline, and takes "
        f"{casecite / encode:.2f} times as long as the bare encode of its chunks."
    )


def encoder_table() -> str:
    """How fast each form of the packaged model is, and how near to float32."""
    data = _read("encoding.json")
    lines = [
        "| model | chunks a second | a question, ms | cosine to float32: least | 1st percentile | mean |",
        "|---|---|---|---|---|---|",
    ]
    for row in data["rows"]:
        cosines = " | ".join(f"{row[name]:.5f}" for name in ("least", "first_percentile", "mean"))
        lines.append(f"| {row['layers']} | {row['chunks_per_s']:.1f} | {row['query_ms']:.1f} | {cosines} |")
    note = f"{data['chunks']:,} chunks, all models in turn, medians. {_made_by(data)}"
    return "\n".join([*lines, "", note])


def _read(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((RESULTS / name).read_text("utf-8"))
    return data


def _made_by(data: dict[str, Any]) -> str:
    return f"Made by `{data['command']}` on {data['date']}."
