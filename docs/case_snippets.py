"""What docs/case-table.md is made of that can be made: the figures of the cells."""

from __future__ import annotations

import json
from pathlib import Path

RESULTS = Path(__file__).parent / "results" / "cases.json"


def cells_table() -> str:
    """How often cells are right, wrong or empty against gold answers."""
    data = json.loads(RESULTS.read_text("utf-8"))
    lines = ["| cell | right | wrong | empty | not compared |", "|---|---|---|---|---|"]
    for row in data["cells"]:
        lines.append(f"| {row['column']} | {row['right']} | {row['wrong']} | {row['empty']} | {row['vague']} |")
    return "\n".join([*lines, "", f"Made by `{data['command']}` on {data['date']}."])


def filled_table() -> str:
    """The share of rows that have each cell, and what a table takes."""
    data = json.loads(RESULTS.read_text("utf-8"))
    filled, time = data["filled"], data["table_ms"]
    head = " | ".join(name.replace("_", " ") for name in filled)
    values = " | ".join(f"{share:.2f}" for share in filled.values())
    seconds, most = time["p50"] / 1_000, time["most"] / 1_000
    took = f"A table of {time['rows']} rows takes {seconds:.1f} s on 2 cores (median; at most {most:.1f} s)."
    return "\n".join([f"| {head} |", "|" + "---|" * len(filled), f"| {values} |", "", took])
