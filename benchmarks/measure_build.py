"""What a build costs against the model's bare `encode` over the same chunks: writes docs/results/build.json.

    python benchmarks/measure_build.py ../shared/data/cases/records.jsonl.gz

The bare encode runs before and after the build, in the same process, and the mean of both is the yardstick.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from sentence_transformers import SentenceTransformer

from index import Record, build_index, open_index, read_records
from index.chunking import chunk_record, embedding_text
from index.embedding import BATCH_SIZE, load_embedder

TARGET = Path(__file__).parent.parent / "docs" / "results" / "build.json"


def main(source: str) -> None:
    """Encode, build, encode again, and write the figures."""
    records = [record for record in read_records([source]) if isinstance(record, Record)]
    texts = [embedding_text(record, chunk) for record in records for chunk in chunk_record(record)]
    del records
    model = load_embedder().model
    before = time_encode(model, texts)
    memory_before = peak_memory_mb()
    with tempfile.TemporaryDirectory() as folder:
        report = build_index([source], folder)
        disk_mb = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
        query_ms = time_search(folder)
    after = time_encode(model, texts)
    encode_s = (before + after) / 2
    measures = {
        "records": f"{report.record_count:,}",
        "chunks": f"{report.chunk_count:,}",
        "build": f"{report.seconds:.0f} s, {report.record_count / report.seconds:.0f} records a second",
        "bare encode of the same chunks": f"{encode_s:.0f} s ({before:.0f} s before, {after:.0f} s after)",
        "build / bare encode": f"{report.seconds / encode_s:.2f}",
        "peak memory before the build (model loaded, chunks encoded)": f"{memory_before:.0f} MB",
        "peak memory after it": f"{peak_memory_mb():.0f} MB",
        "index on disk": f"{disk_mb:.0f} MB, {disk_mb * 1e3 / report.record_count:.1f} kB a record",
        "hybrid search, median of 100": f"{query_ms:.0f} ms",
    }
    command = "python benchmarks/measure_build.py cases/records.jsonl.gz"
    result = {"command": command, "date": date.today().isoformat(), "measures": measures}
    TARGET.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", "utf-8")
    print(json.dumps(measures, indent=2))


def time_encode(model: SentenceTransformer, texts: list[str]) -> float:
    """Seconds that the model needs for the texts, given all at once (it sorts them by length)."""
    started = time.perf_counter()
    model.encode_document(texts, batch_size=BATCH_SIZE, convert_to_numpy=True, show_progress_bar=False)
    return time.perf_counter() - started


def time_search(index_dir: str) -> float:
    """The median milliseconds of a hybrid search for one of a hundred beginnings of abstracts."""
    index = open_index(index_dir)
    queries = [record.abstract[:80] for record, _ in index.current().iter_records()][::80][:100]
    times = []
    for query in queries:
        started = time.perf_counter()
        index.search(query)
        times.append((time.perf_counter() - started) * 1_000)
    return sorted(times)[len(times) // 2]


def peak_memory_mb() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


if __name__ == "__main__":
    main(*sys.argv[1:])
