"""How well the search finds records, how fast, and what each part of reading a question gives.

    python benchmarks/measure_retrieval.py -o docs/results/retrieval.json INDEX=QUESTIONS ...

QUESTIONS is a JSONL file of questions with `gold_doc_ids` (questions without are left out, as are lists of records), of
training questions with `id`, `q` and `s`, or a BEIR `queries` file with its `qrels` (named alike) beside it. Every file
is asked as it is, and once with a slip in the rarest word of each question. Times are the processor's, for the search
as it ships, so that other work on the machine counts little; set OMP_NUM_THREADS=1, since waiting threads count.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import re
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from index import Index, open_index
from index.search.query import Query, expand_query
from index.text.terms import analyse

DEPTHS = (1, 3, 10, 16, 20, 50)
NDCG_DEPTH = 10
SLIP_MIN_CHARS = 6

Question = tuple[str, frozenset[str]]
Results = list[dict[str, Any]]


def _typed(question: str, *_: object) -> Query:
    return Query(text=question, terms=dict.fromkeys(analyse(question), 1.0))


def _nothing(_: str) -> list[Any]:
    return []


_READ = "index.search.snapshot.expand_query"
VARIANTS: Mapping[str, tuple[str, Any]] = {
    "as shipped": (_READ, expand_query),
    "without long forms": (_READ, lambda text, _, shorter, mend: expand_query(text, _nothing, shorter, mend)),
    "without short forms": (_READ, lambda text, longer, _, mend: expand_query(text, longer, _nothing, mend)),
    "without corrections": (_READ, lambda text, longer, shorter, _: expand_query(text, longer, shorter, _nothing)),
    "without ages": ("index.search.query.spell_out_ages", str),
    "without presence": ("index.storage.lexical_index._TEXT_FIELDS", ("text",)),
    "words as typed": (_READ, _typed),
}


def main() -> None:
    """Measure every pair of index and questions, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="INDEX=QUESTIONS")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--sample", type=int, default=2_000, help="at most so many questions of a file, evenly spread")
    options = parser.parse_args()
    results: Results = []
    for pair in options.pairs:
        folder, _, file = pair.partition("=")
        questions = [(question, gold) for question, gold in read_questions(Path(file)) if gold]
        sample = questions[:: math.ceil(len(questions) / options.sample)]
        results += measure_all("/".join(Path(file).parts[-2:]), open_index(folder), sample)
        options.output.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def measure_all(name: str, index: Index, questions: Sequence[Question]) -> Results:
    """Each variant of the search over the questions as they are and misspelt."""
    random = Random(0)
    misspelt = [(misspell(question, index, random), gold) for question, gold in questions]
    results: Results = []
    for asked, kind in ((questions, "as typed"), (misspelt, "misspelt")):
        head = {"questions": name, "spelling": kind, "records": index.manifest.record_count, "count": len(questions)}
        timed = {"variant": "as shipped", **measure(index, asked)}
        vector = index.current().embedder.embed_query
        with patch.object(index.current().embedder, "embed_query", cache(vector)):
            for variant, (target, replacement) in list(VARIANTS.items())[1:]:
                with patch(target, replacement):
                    measured = {
                        key: value for key, value in measure(index, asked).items() if not key.endswith("_cpu_ms")
                    }
                    results.append({**head, "variant": variant, **measured})
        results.insert(-len(VARIANTS) + 1, {**head, **timed})
    for row in results:
        print(json.dumps(row))
    return results


def measure(index: Index, questions: Sequence[Question]) -> dict[str, float]:
    """The share of questions with a gold record among the first N, nDCG and the processor time of a search."""
    first_ranks, gains, seconds = [], [], []
    index.search("warm up")
    for question, gold in questions:
        started = time.process_time()
        passages = index.search(question, top_k=max(DEPTHS))
        seconds.append(time.process_time() - started)
        names = [{passage.record.record_id, passage.record.source_id} for passage in passages]
        ranks = [rank for rank, name in enumerate(names, start=1) if name & gold]
        first_ranks.append(min(ranks, default=math.inf))
        gains.append(_ndcg(ranks, len(gold)))
    return {
        **{f"hit@{depth}": round(statistics.mean(rank <= depth for rank in first_ranks), 4) for depth in DEPTHS},
        f"ndcg@{NDCG_DEPTH}": round(statistics.mean(gains), 4),
        "median_cpu_ms": round(1_000 * statistics.median(seconds), 1),
        "p95_cpu_ms": round(1_000 * statistics.quantiles(seconds, n=20)[-1], 1),
    }


def misspell(question: str, index: Index, random: Random) -> str:
    """The question with a letter lost, doubled, moved or wrong inside its rarest long word that the records hold."""
    build = index.current()
    uses = {
        word: count
        for word in re.findall(rf"[A-Za-z]{{{SLIP_MIN_CHARS},}}", question)
        if (count := max(map(build.document_frequency, analyse(word)), default=0))
    }
    if not uses:
        return question
    word = min(uses, key=lambda word: uses[word])
    at = random.randrange(1, len(word) - 1)
    middles = (
        word[at + 1],
        word[at] * 2 + word[at + 1],
        word[at + 1] + word[at],
        random.choice("aeiou") + word[at + 1],
    )
    return question.replace(word, word[:at] + random.choice(middles) + word[at + 2 :], 1)


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
