"""Speed of `index.embedding.packed_bert` against the model's own layers, and how close its vectors are to float32's.

`python -m benchmarks.compare_encoders ../shared/data/cases/records.jsonl.gz [CHUNKS]` writes
docs/results/encoding.json. All encode the same chunks in turn, in one process, round after round.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from benchmarks.results import write_result
from index import Record, read_records
from index.embedding.embedder import BATCH_SIZE, has_fast_bfloat16, packaged_model
from index.embedding.packed_bert import use_packed_layers
from index.ingest.chunking import chunk_record, embedding_text

CHUNKS = 512
ROUNDS = 5
QUERY = "what was the BMD change under romosozumab?"
QUERIES = 40


def main(source: str, chunks: str = str(CHUNKS)) -> None:
    """Compare, print and write the figures."""
    texts = read_texts(source, int(chunks))
    models = {f"{layers}, {name}": model for name in precisions() for layers, model in both(name)}
    exact = encode(models["own layers, float32"], texts)
    seconds = in_turn({name: lambda model=model: encode(model, texts) for name, model in models.items()})
    query_seconds = in_turn({name: lambda model=model: ask(model) for name, model in models.items()})
    rows = [
        {
            "layers": name,
            "chunks_per_s": round(len(texts) / seconds[name], 1),
            "query_ms": round(query_seconds[name] / QUERIES * 1_000, 1),
            **closeness(encode(model, texts), exact),
        }
        for name, model in models.items()
    ]
    command = "python -m benchmarks.compare_encoders ../shared/data/cases/records.jsonl.gz"
    write_result("encoding", command, {"chunks": len(texts), "rows": rows})


def read_texts(source: str, count: int) -> list[str]:
    """So many chunks, from records all over the source."""
    records = [record for record in read_records([source]) if isinstance(record, Record)]
    texts = [embedding_text(record, chunk) for record in records for chunk in chunk_record(record)]
    return texts[:: max(1, len(texts) // count)][:count]


def precisions() -> list[str]:
    """What this processor computes fast in."""
    return ["bfloat16", "float32"] if has_fast_bfloat16() else ["float32"]


def both(precision: str) -> list[tuple[str, SentenceTransformer]]:
    """The model as it comes, and with packed layers."""
    settings: dict[str, Any] = {"local_files_only": True, "model_kwargs": {"dtype": getattr(torch, precision)}}
    own, packed = (SentenceTransformer(str(packaged_model()), **settings) for _ in range(2))
    use_packed_layers(packed)
    return [("own layers", own), ("packed layers", packed)]


def encode(model: SentenceTransformer, texts: list[str]) -> np.ndarray:
    """The vectors of texts."""
    return model.encode_document(texts, batch_size=BATCH_SIZE, show_progress_bar=False)


def ask(model: SentenceTransformer) -> None:
    """Encode a question many times, one by one."""
    for _ in range(QUERIES):
        model.encode_query([QUERY], show_progress_bar=False)


def in_turn(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """The median seconds of each call; the first round only warms up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - started)
    return {name: median(taken[1:]) for name, taken in times.items()}


def closeness(vectors: np.ndarray, exact: np.ndarray) -> dict[str, float]:
    """The cosines between vectors of the same texts: the least, the first percentile, the mean."""
    some, others = (each.astype(np.float64) for each in (vectors, exact))
    cosines = (some * others).sum(1) / np.linalg.norm(some, axis=1) / np.linalg.norm(others, axis=1)
    figures = {"least": cosines.min(), "first_percentile": np.percentile(cosines, 1), "mean": cosines.mean()}
    return {name: round(float(value), 5) for name, value in figures.items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
