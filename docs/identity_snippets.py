"""What is measured of records that are the same report. `make docs` writes it into the docs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "identity.json"


def corpora_table() -> str:
    """What became of the records of real corpora."""
    results = json.loads(RESULTS.read_text("utf-8"))
    rows = {**results["corpora"], "all in one": results["together"]}
    lines = ["| corpus | records | repeated | merged | of other ids | rejected |", "|---|---|---|---|---|---|"]
    lines += [_corpus_row(name, row) for name, row in rows.items()]
    return "\n".join(lines)


def _corpus_row(name: str, row: dict[str, Any]) -> str:
    counts = (row["records"], row["duplicates"], row["merged"], len(row["joined_by_text"]), row["rejected"])
    return f"| {name} | {' | '.join(f'{count:,}' for count in counts)} |"


def two_sources_table() -> str:
    """How many pairs of two made-up sources were joined, by what the second one does to the records."""
    measured = json.loads(RESULTS.read_text("utf-8"))["two_sources"]
    lines = ["| what the second source does | pairs | joined |", "|---|---|---|"]
    lines += [f"| {kind} | {row['pairs']} | {row['joined']} |" for kind, row in sorted(measured["by_kind"].items())]
    total = f"| all | {measured['pairs']:,} | {measured['joined']:,} |"
    return "\n".join([*lines, total, "", f"Wrong joins: {measured['wrong']}."])


def threshold_facts() -> str:
    """What the least share of words was chosen from, and what recognising costs."""
    results = json.loads(RESULTS.read_text("utf-8"))
    words, intake = results["shared_words"], results["intake"]
    return (
        f"Of {words['random_pairs']:,} random pairs of abstracts the longer holds {words['random_median']:.0%} of the "
        f"words of the shorter at the median, {words['random_most']:.0%} at most. Of {intake['records']:,} records "
        f"{len(words['other_reports_with_a_key'])} pairs with other ids share a key; {words['told_by_text_alone']} of "
        "them would be taken for one report, had the one only a DOI and the other only a PubMed number.\n\n"
        f"To parse these records takes {intake['parsing_s']} s of a processor's time, to recognise and store them "
        f"{intake['storing_s']} s, to recognise all of them once more in an update {intake['recognising_s']} s."
    )
