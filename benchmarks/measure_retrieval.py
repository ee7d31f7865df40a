"""How well the search finds records, and how fast: one line of docs/results/retrieval.json for each question file.

    python benchmarks/measure_retrieval.py -o docs/results/retrieval.json INDEX=QUESTIONS ...

QUESTIONS is a JSONL file of questions with `gold_doc_ids` (questions without are left out), of training questions with
`id`, `q` and `s`, or a BEIR `queries` file with its `qrels` (named alike) beside it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from index import Index, open_index

DEPTHS = (1, 3, 10, 16, 20, 50)
NDCG_DEPTH = 10

Question = tuple[str, frozenset[str]]


def main() -> None:
    """Measure every pair of index and questions, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", nargs="+", metavar="INDEX=QUESTIONS")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--sample", type=int, default=2_000, help="at most so many questions of a file, evenly spread")
    options = parser.parse_args()
    results = []
    for pair in options.pairs:
        folder, _, file = pair.partition("=")
        questions = [(question, gold) for question, gold in read_questions(Path(file)) if gold]
        stride = max(1, len(questions) // options.sample)
        measured = measure(open_index(folder), questions[::stride][: options.sample])
        results.append({"questions": "/".join(Path(file).parts[-2:]), **measured})
        print(json.dumps(results[-1]))
    options.output.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def measure(index: Index, questions: Sequence[Question]) -> dict[str, Any]:
    """The share of questions with a gold record among the first N, nDCG and the time of a search."""
    first_ranks, gains, seconds = [], [], []
    index.search("warm up")
    for question, gold in questions:
        started = time.perf_counter()
        passages = index.search(question, top_k=max(DEPTHS))
        seconds.append(time.perf_counter() - started)
        names = [{passage.record.record_id, passage.record.source_id} for passage in passages]
        ranks = [rank for rank, name in enumerate(names, start=1) if name & gold]
        first_ranks.append(min(ranks, default=math.inf))
        gains.append(_ndcg(ranks, len(gold)))
    return {
        "records": index.manifest.record_count,
        "count": len(questions),
        **{f"hit@{depth}": round(statistics.mean(rank <= depth for rank in first_ranks), 4) for depth in DEPTHS},
        f"ndcg@{NDCG_DEPTH}": round(statistics.mean(gains), 4),
        "median_ms": round(1_000 * statistics.median(seconds), 1),
        "p95_ms": round(1_000 * statistics.quantiles(seconds, n=20)[-1], 1),
    }


def read_questions(file: Path) -> Iterator[Question]:
    """The questions of a file, each with the ids of its gold records; lists of records are left out."""
    qrels = file.with_name(file.name.replace("queries", "qrels").replace(".jsonl", ".tsv"))
    relevant = _read_qrels(qrels) if file.name.startswith("queries") else {}
    for row in _read_rows(file):
        if "_id" in row:
            yield row["text"], frozenset(relevant.get(str(row["_id"]), ()))
        elif "q" in row:
            yield row["q"], frozenset({row["id"]} if row["s"] >= 0 else ())
        elif row["kind"] == "follow_up":
            yield row["turns"][0]["question"], frozenset(row["turns"][0]["gold_doc_ids"])
        elif row["kind"] != "multi_record":
            yield row["question"], frozenset(row["gold_doc_ids"])


def _read_rows(file: Path) -> Iterator[Mapping[str, Any]]:
    text = file.read_bytes()
    for line in (gzip.decompress(text) if file.suffix == ".gz" else text).splitlines():
        yield json.loads(line)


def _read_qrels(file: Path) -> dict[str, set[str]]:
    relevant: dict[str, set[str]] = {}
    for line in file.read_text("utf-8").splitlines()[1:]:
        query_id, record_id, score = line.split("\t")
        if int(score) > 0:
            relevant.setdefault(query_id, set()).add(record_id)
    return relevant


def _ndcg(ranks: Sequence[int], gold_count: int) -> float:
    gain = sum(1 / math.log2(rank + 1) for rank in ranks if rank <= NDCG_DEPTH)
    return gain / sum(1 / math.log2(rank + 1) for rank in range(1, min(gold_count, NDCG_DEPTH) + 1))


if __name__ == "__main__":
    main()
