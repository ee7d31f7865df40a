"""Extrapolate docs/results/scale.json to larger corpora; write docs/results/needs.json.

python -m benchmarks.extrapolate_scale
"""

from __future__ import annotations

import json
import math
from typing import Any

from benchmarks.draw_scale import Rows, fit_power, read_rows
from benchmarks.results import result_path, write_result

# N(million) = RAM(GB) x 0.245: docs.trychroma.com, "Single-node Chroma: performance and limitations".
CHROMA_MILLIONS_A_GB = 0.245
CORPORA = {"2.4 million case reports": 2_400_000, "38 million abstracts": 38_000_000}


def main() -> None:
    """Fit the measured sizes of the stand-in model, and compute what each corpus needs."""
    rows = [
        row | {"other_s": row["build_s"] - row["steps_s"]["loading the embedding model"]}
        for row in read_rows("stand-in")
    ]
    encode = json.loads(result_path("build").read_text("utf-8"))["encode"]
    largest = rows[-1]
    corpora = {"the largest measured, without embedding": largest["records"]} | CORPORA
    needs = [compute_needs(rows, encode["seconds"] / encode["chunks"], records) for records in corpora.values()]
    fields = {"build": "other_s", "disk": "disk_mb", "search": "query_p50_ms"}
    figures = {
        "columns": ["", *corpora],
        "rows": [[name, *(need[name] for need in needs)] for name in needs[0]],
        "from_records": rows[0]["records"],
        "to_records": largest["records"],
        "chunks_a_record": round(largest["chunks"] / largest["records"], 1),
        "exponents": {name: round(fit_power(rows, field)[1], 2) for name, field in fields.items()},
    }
    write_result("needs", "python -m benchmarks.extrapolate_scale", figures)


def compute_needs(rows: Rows, chunk_s: float, records: int) -> dict[str, str]:
    """What so many records need, when embedding takes `chunk_s` seconds a chunk."""
    first, largest = rows[0], rows[-1]
    chunks = records * largest["chunks"] / largest["records"]
    embedding_s = chunks * chunk_s
    factor, exponent = fit_power(rows, "other_s")

    def grow(name: str) -> Any:  # what one more record adds, for what has a fixed part, such as memory
        return (largest[name] - first[name]) / (largest["records"] - first["records"])

    def memory_gb(name: str) -> str:
        return f"{(largest[name] + grow(name) * (records - largest['records'])) / 1e3:,.1f}"

    return {
        "records": f"{records:,}",
        "chunks": f"{chunks:,.0f}",
        "embedding on one machine like this one": format_time(embedding_s),
        "machines like this one that embed it in 24 hours": f"{math.ceil(embedding_s / 3600 / 24):,}",
        "the rest of a build, on one machine": format_time(factor * records**exponent),
        "disk, GB": f"{grow('disk_mb') * records / 1e3:,.1f}",
        "memory of a build, GB": memory_gb("peak_rss_mb"),
        "memory of a process that answers, GB": memory_gb("search_rss_mb"),
        "the same by Chroma's rule for 1,024 dimensions, GB": f"{chunks / 1e6 / CHROMA_MILLIONS_A_GB:,.1f}",
    }


def format_time(seconds: float) -> str:
    """Minutes up to two hours, hours beyond."""
    return f"{seconds / 60:,.0f} minutes" if seconds < 7_200 else f"{seconds / 3_600:,.0f} hours"


if __name__ == "__main__":
    main()
