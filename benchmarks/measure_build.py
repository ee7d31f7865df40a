"""What a build costs, compared with the pipeline that tutorials teach and with the bare `encode` of the same chunks.

    python -m benchmarks.measure_build ../shared/data/cases/records.jsonl.gz ENVIRONMENT [--records N] [--rounds N]

Runs the three in turn, each in a process of its own, and writes the medians to docs/results/build.json. ENVIRONMENT is
the folder of the other pipeline's virtual environment, outside the checkout; it is made if it is not there (2 GB).
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import canonical_pipeline
from benchmarks.canonical_pipeline import make_environment, queries_of, time_queries
from benchmarks.results import write_result

Figures = dict[str, float]


def main(source: Path, environment: Path, records: int | None, rounds: int) -> None:
    """Measure, print and write the figures."""
    if not environment.exists():
        make_environment(environment)
    with tempfile.TemporaryDirectory() as folder:
        sample = Path(folder) / "records.jsonl"
        count = write_sample(source, sample, records)
        runs = [measure_all(environment, sample) for _ in range(rounds)]
    command = "python -m benchmarks.measure_build ../shared/data/cases/records.jsonl.gz ENVIRONMENT"
    figures = {name: medians([run[name] for run in runs]) for name in runs[0]}
    about = {"records": count, "rounds": rounds, "packages": canonical_pipeline.PACKAGES}
    write_result("build", command, about | figures)


def write_sample(source: Path, sample: Path, records: int | None) -> int:
    """The first records of a file of JSON lines, and how many these are."""
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        taken = list(islice(lines, records))
    sample.write_text("".join(taken), "utf-8")
    return len(taken)


def measure_all(environment: Path, sample: Path) -> dict[str, Figures]:
    """The three parts, one after another."""
    here = [sys.executable, "-m", "benchmarks.measure_build"]
    other = [str(environment / "bin" / "python"), canonical_pipeline.__file__]
    return {
        "canonical": measure([*other, str(sample)]),
        "casecite": measure([*here, "--part", "build", str(sample)]),
        "encode": measure([*here, "--part", "encode", str(sample)]),
    }


def measure(command: list[str]) -> Figures:
    """What a command prints, given a folder to fill; its peak memory, and the size of what it left in the folder."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([*command, folder], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(command)} failed")
        disk_mb = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
    figures: Figures = json.loads(printed.splitlines()[-1])
    return figures | {"peak_mb": usage.ru_maxrss / 1_024, "disk_mb": disk_mb}


def medians(runs: list[Figures]) -> Figures:
    """Figure by figure."""
    return {name: round(median(run[name] for run in runs), 2) for name in runs[0]}


def build(sample: str, folder: str) -> Figures:
    """Build an index and ask it; `seconds` holds the imports and the loading of the model, too."""
    from index import build_index, open_index

    report = build_index([sample], folder)
    records = [json.loads(line) for line in Path(sample).read_text("utf-8").splitlines()]
    query_ms = time_queries(open_index(folder).search, queries_of(records))
    return {"seconds": report.seconds, "chunks": report.chunk_count, "query_ms": query_ms}


def encode(sample: str, _: str) -> Figures:
    """Encode the chunks with the model that builds use, loaded before; all at once, as it sorts them by length."""
    from index import Record, read_records
    from index.embedding.embedder import load_embedder
    from index.ingest.chunking import chunk_record, embedding_text

    records = [record for record in read_records([sample]) if isinstance(record, Record)]
    texts = [embedding_text(record, chunk) for record in records for chunk in chunk_record(record)]
    embedder = load_embedder()
    started = time.perf_counter()
    embedder.embed_documents(texts)
    return {"seconds": time.perf_counter() - started, "chunks": len(texts)}


def arguments() -> Any:
    """What was asked."""
    parser = ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, help="only the first so many")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", choices=["build", "encode"], help="only this, in this process")
    return parser.parse_args()


if __name__ == "__main__":
    asked = arguments()
    if asked.part:
        print(json.dumps({"build": build, "encode": encode}[asked.part](str(asked.source), str(asked.folder))))
    else:
        main(asked.source, asked.folder, asked.records, asked.rounds)
