"""What docs/scale.md is made of that can be made: curves fitted to what was measured, and what they come to."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

RESULTS = Path(__file__).parent / "results"
CORPORA = {
    "the largest measured, without embedding": None,
    "2.4 million case reports": 2_400_000,
    "38 million abstracts": 38_000_000,
}
HOURS = 24
# N(million) = RAM(GB) x 0.245: docs.trychroma.com, "Single-node Chroma: performance and limitations".
CHROMA_MILLIONS_A_GB = 0.245
NEVER = "not measured yet"

Row = dict[str, Any]


class Curve(NamedTuple):
    """`factor * records ** exponent`, fitted by least squares to logarithms."""

    factor: float
    exponent: float

    def at(self, records: float) -> float:
        """The value at so many records."""
        return float(self.factor * records**self.exponent)


def fit(points: Sequence[tuple[float, float]]) -> Curve:
    """The curve through points of records and what was measured, all above 0."""
    xs, ys = ([math.log(value) for value in values] for values in zip(*points, strict=True))
    exponent, intercept = statistics.linear_regression(xs, ys)
    return Curve(math.exp(intercept), exponent)


def growth(rows: Sequence[Row], name: str) -> float:
    """What one record more adds, from the smallest to the largest size: for what has a fixed part, as memory has."""
    first, last = rows[0], rows[-1]
    return float((last[name] - first[name]) / (last["records"] - first["records"]))


def needs_table() -> str:
    """What the corpora need, from the curves."""
    rows = _stand_in_rows()
    if len(rows) < 2:
        return NEVER
    largest = rows[-1]
    sizes = {name: records or largest["records"] for name, records in CORPORA.items()}
    needs: dict[str, Callable[[int], str]] = {
        "records": lambda records: f"{records:,}",
        "chunks": lambda records: f"{_chunks(largest, records):,.0f}",
        "embedding on one machine like this one": lambda records: _hours(_embedding_s(largest, records)),
        f"machines like this one that embed it in {HOURS} hours": lambda records: (
            f"{math.ceil(_embedding_s(largest, records) / 3600 / HOURS):,}"
        ),
        "all else of a build, on one machine": lambda records: _hours(fit(_points(rows, _other_s)).at(records)),
        "disk, GB": lambda records: f"{growth(rows, 'disk_mb') * records / 1e3:,.1f}",
        "memory of a build, GB": lambda records: _memory_gb(rows, "peak_rss_mb", records),
        "memory of a process that answers, GB": lambda records: _memory_gb(rows, "search_rss_mb", records),
        "the same by Chroma's rule for 1,024 dimensions, GB": lambda records: (
            f"{_chunks(largest, records) / 1e6 / CHROMA_MILLIONS_A_GB:,.1f}"
        ),
    }
    lines = [f"| | {' | '.join(sizes)} |", "|---|" + "---|" * len(sizes)]
    lines += [f"| {name} | {' | '.join(need(records) for records in sizes.values())} |" for name, need in needs.items()]
    return "\n".join(lines)


def curves() -> str:
    """The exponents, and how far they were measured."""
    rows = _stand_in_rows()
    if len(rows) < 2:
        return NEVER
    other = fit(_points(rows, _other_s)).exponent
    query = fit(_points(rows, lambda row: float(row["query_p50_ms"]))).exponent
    disk = fit(_points(rows, lambda row: float(row["disk_mb"]))).exponent
    return (
        f"From {rows[0]['records']:,} to {rows[-1]['records']:,} records, all but the embedding takes time that grows "
        f"with the power {other:.2f} of their number, disk with {disk:.2f}, a search with {query:.2f}; embedding grows "
        f"with the number of chunks, {rows[-1]['chunks'] / rows[-1]['records']:.1f} a record. What is said of more is "
        "drawn out of these curves, and was not measured."
    )


def size_table() -> str:
    """Each measured size: time, memory, disk and search."""
    lines = [
        "| model | records | build, s | update by 100, s (share of the build) | memory at the peak, MB | the same for "
        "1,000 records | disk, MB for 1,000 records | question's embedding, ms | search with it, p50, ms |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in _read("scale.json")["sizes"]:
        thousands = row["records"] / 1_000
        cells = [
            row["model"],
            f"{row['records']:,}",
            f"{row['build_s']:,.0f}",
            f"{row['update_s']:.1f} ({row['update_s'] / row['build_s']:.1%})",
            f"{row['peak_rss_mb']:,}",
            f"{row['peak_rss_mb'] / thousands:,.0f}",
            f"{row['disk_mb'] / thousands:.1f}",
            f"{row['embed_query_p50_ms']:.1f}",
            f"{row['query_p50_ms']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def server_table() -> str:
    """Vectors in files and on a server, side by side."""
    data = _read("server.json")
    lines = ["| vectors in | build, s | update with 100 records, s | search, median, ms |", "|---|---|---|---|"]
    for row in data["rows"]:
        place = {"files": "files of the build", "server": "a Chroma server"}[row["vectors"]]
        lines.append(f"| {place} | {row['build_s']:.0f} | {row['update_s']:.1f} | {row['query_p50_ms']:.0f} |")
    row = data["rows"][-1]
    note = f"{row['records']:,} records, {row['chunks']:,} chunks, a model that costs nothing, 2 cores."
    return "\n".join([*lines, "", f"{note} Made by `{data['command']}` on {data['date']}."])


def _stand_in_rows() -> list[Row]:
    return [row for row in _read("scale.json")["sizes"] if row["model"] == "stand-in"]


def _points(rows: Sequence[Row], measure: Callable[[Row], float]) -> list[tuple[float, float]]:
    return [(row["records"], measure(row)) for row in rows]


def _other_s(row: Row) -> float:
    """All of a build but the embedding, which the stand-in does for nothing, and the loading of the model."""
    return float(row["build_s"] - row["steps_s"]["loading the embedding model"])


def _embedding_s(largest: Row, records: int) -> float:
    encode = _read("build.json")["encode"]
    return float(_chunks(largest, records) * encode["seconds"] / encode["chunks"])


def _memory_gb(rows: Sequence[Row], name: str, records: int) -> str:
    last = rows[-1]
    return f"{(last[name] + growth(rows, name) * (records - last['records'])) / 1e3:,.1f}"


def _chunks(largest: Row, records: int) -> float:
    return float(records * largest["chunks"] / largest["records"])


def _hours(seconds: float) -> str:
    return f"{seconds / 60:,.0f} minutes" if seconds < 7_200 else f"{seconds / 3_600:,.0f} hours"


def _read(name: str) -> Any:
    path = RESULTS / name
    return json.loads(path.read_text("utf-8")) if path.exists() else {"sizes": []}
