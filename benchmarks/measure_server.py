"""What it costs to keep the vectors on a Chroma server: writes docs/results/server.json.

    python -m benchmarks.measure_server ../shared/data/scale/records.jsonl.gz WORK_FOLDER --records 5000

A build and an update with 100 records more, with the vectors in files and on a server on loopback, embedded by a static
model of the same dimension, which costs next to nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.results import write_result
from benchmarks.scale_corpus import find_stand_in
from index import Index, Record, build_index, open_index, read_records
from tests.support.chroma_server import run_chroma_server

NEW_RECORDS = 100
QUERIES = 100


def main() -> None:
    """Measure both, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="real records")
    parser.add_argument("work", type=Path, help="folder for indexes, and for the model")
    parser.add_argument("--records", type=int, required=True)
    arguments = parser.parse_args()
    work: Path = arguments.work
    os.environ["CASECITE_EMBEDDER"] = str(find_stand_in(work))
    _split(arguments.source, arguments.records, work)
    rows = [_measure(work, "files")]
    with _server(work / "server"):
        rows.append(_measure(work, "server"))
    command = f"python -m benchmarks.measure_server ... --records {arguments.records}"
    write_result("server", command, {"rows": rows})


def _split(source: str, count: int, work: Path) -> None:
    records = (record for record in read_records([source]) if isinstance(record, Record))
    for name, number in (("first.jsonl", count), ("new.jsonl", NEW_RECORDS)):
        lines = [json.dumps(record.to_dict(), ensure_ascii=False) for record in islice(records, number)]
        (work / name).write_text("\n".join(lines), "utf-8")


@contextmanager
def _server(folder: Path) -> Iterator[None]:
    folder.mkdir()
    with run_chroma_server(folder) as server:
        os.environ["CASECITE_CHROMA_URL"] = server.url
        yield


def _measure(work: Path, where: str) -> dict[str, Any]:
    index_dir = work / where / "index"
    build = build_index([work / "first.jsonl"], index_dir)
    update = build_index([work / "new.jsonl"], index_dir, mode="update")
    index = open_index(index_dir)
    titles = [title for title in index.first_titles(QUERIES + 1) if title]
    index.search(titles[0])
    return {
        "vectors": where,
        "records": update.record_count,
        "chunks": update.chunk_count,
        "build_s": build.seconds,
        "update_s": update.seconds,
        "query_p50_ms": round(statistics.median(_time_search(index, title) for title in titles[1:]), 1),
    }


def _time_search(index: Index, query: str) -> float:
    started = time.perf_counter()
    index.search(query)
    return (time.perf_counter() - started) * 1_000


if __name__ == "__main__":
    main()
