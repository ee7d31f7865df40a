"""Time, memory and disk of builds, updates and searches against the number of records.

    python -m benchmarks.measure_scale ../shared/data/scale/records.jsonl.gz WORK_FOLDER --sizes 1000 3000 10000 28269
    python -m benchmarks.measure_scale ... --sizes 1000 3000 10000 28269 100000 300000 --stand-in

Each size is built, updated with 100 records more and searched, each in a process of its own, and its row in
docs/results/scale.json is replaced. With `--stand-in` the vectors come from a static model of the same dimension,
which costs next to nothing: what is left is everything but the embedding, which takes the same time for each chunk.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.results import result_path
from benchmarks.scale_corpus import find_stand_in, write_corpus

TARGET = result_path("scale")
UPDATE_RECORDS = 100
QUERIES = 200


def main() -> None:
    """Measure the sizes that are asked for, the smallest first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="real records")
    parser.add_argument("work", type=Path, help="folder for corpora and indexes, several GB for the large sizes")
    parser.add_argument("--sizes", type=int, nargs="+", required=True)
    parser.add_argument("--stand-in", action="store_true", help="embed with a static model")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    embedder = find_stand_in(arguments.work) if arguments.stand_in else None
    for size in sorted(arguments.sizes):
        _keep_row(measure_size(arguments.source, size, arguments.work, embedder))


def measure_size(source: str, size: int, work: Path, embedder: Path | None) -> dict[str, Any]:
    """One row: the build of `size` records, an update, and searches."""
    corpus, new, index_dir = work / f"{size}.jsonl", work / f"{size}.new.jsonl", work / f"{size}.index"
    if not corpus.exists():
        write_corpus(source, size + UPDATE_RECORDS, new)
        _split(new, size, corpus)
    shutil.rmtree(index_dir, ignore_errors=True)
    build = _run("build", embedder, str(corpus), str(index_dir))
    disk_mb = sum(path.stat().st_size for path in index_dir.rglob("*") if path.is_file()) / 1e6
    update = _run("update", embedder, str(new), str(index_dir))
    search = _run("search", embedder, str(index_dir))
    shutil.rmtree(index_dir)
    return {
        "model": "stand-in" if embedder else "packaged",
        "date": date.today().isoformat(),
        "size": size,
        **build,
        "disk_mb": round(disk_mb, 1),
        "update_s": update["build_s"],
        "update_peak_rss_mb": update["peak_rss_mb"],
        **search,
    }


def _split(whole: Path, size: int, corpus: Path) -> None:
    """Move all but the last records of a file to another one."""
    rest = whole.with_suffix(".rest")
    with whole.open(encoding="utf-8") as lines, corpus.open("w") as first, rest.open("w") as last:
        for number, line in enumerate(lines):
            (first if number < size else last).write(line)
    rest.replace(whole)


def _run(step: str, embedder: Path | None, *arguments: str) -> dict[str, Any]:
    """A step in a process of its own, so that its memory is its own."""
    environment = os.environ | ({"CASECITE_EMBEDDER": str(embedder)} if embedder else {})
    command = [sys.executable, "-c", f"from benchmarks.measure_scale import {step}; {step}(*{arguments!r})"]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    row: dict[str, Any] = json.loads(done.stdout)
    print(step, *arguments, row, file=sys.stderr)
    return row


def build(path: str, index_dir: str, mode: Any = "rebuild") -> None:
    """Build, and print what it took, also step by step."""
    from index import build_index

    begun: dict[str, float] = {}

    def note(step: str, done: int, total: int | None) -> None:
        begun.setdefault(step, time.monotonic())

    report = build_index([path], index_dir, mode, note)
    ends = [*list(begun.values())[1:], time.monotonic()]
    steps = {step: round(end - start, 1) for (step, start), end in zip(begun.items(), ends, strict=True)}
    row = {"records": report.record_count, "chunks": report.chunk_count, "build_s": report.seconds, "steps_s": steps}
    print(json.dumps(row | {"peak_rss_mb": _peak_rss_mb()}))


def _peak_rss_mb() -> int:
    """The most memory that this process has held; what getrusage says would hold that of its parent, too."""
    status = Path("/proc/self/status").read_text("utf-8")
    return round(int(status.partition("VmHWM:")[2].split()[0]) / 1024)


def update(path: str, index_dir: str) -> None:
    """Update, and print what it took."""
    build(path, index_dir, "update")


def search(index_dir: str) -> None:
    """Search for the titles of records from all over the index, and print the median times."""
    from index import open_index

    build = open_index(index_dir).current()
    titles = [title for _, title in build.record_fields("title") if title]
    queries = titles[:: max(1, len(titles) // QUERIES)][:QUERIES]
    build.search("a first question loads what is loaded once")
    embedding, searching = [], []
    for query in queries:
        started = time.perf_counter()
        build.embedder.embed_query(f"{query} ")  # is kept, so under another spelling than the search's
        embedded = time.perf_counter()
        build.search(query)
        searching.append((time.perf_counter() - embedded) * 1_000)
        embedding.append((embedded - started) * 1_000)
    medians = {"embed_query_p50_ms": statistics.median(embedding), "query_p50_ms": statistics.median(searching)}
    tails = {"query_p95_ms": statistics.quantiles(searching, n=20)[-1]}
    peak = {"search_rss_mb": _peak_rss_mb()}
    print(json.dumps({name: round(value, 2) for name, value in (medians | tails).items()} | peak))


def _keep_row(row: dict[str, Any]) -> None:
    """Put a row into the results, in place of the one of that model and size."""
    rows = json.loads(TARGET.read_text("utf-8"))["sizes"] if TARGET.exists() else []
    kept = [other for other in rows if (other["model"], other["size"]) != (row["model"], row["size"])]
    ordered = sorted([*kept, row], key=lambda item: (item["model"], item["size"]))
    TARGET.write_text(json.dumps({"sizes": ordered}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
