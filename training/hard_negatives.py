"""The wrong records that are hard to tell from the right one: those that the product's own search finds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from assistant.reading.rows import Report
from index import build_index, open_index
from training.data import Example, read_case_questions, read_claims, read_event_questions, read_lines, trains_events

DEPTH = 30


def prepare_cases(data: Path, work: Path) -> list[Example]:
    """The training questions with their neighbours among the training records."""
    examples, cache = read_case_questions(data), work / "neighbours-cases.jsonl"
    if not cache.exists():
        rows = read_lines(data / "cases" / "train_records.jsonl.gz")
        source = work / "records-cases.jsonl"
        write_lines(source, (row | {"abstract": " ".join(row["sentences"])} for row in rows))
        search_neighbours(examples, source, work / "index-cases", cache)
    return add_neighbours(examples, cache)


def prepare_claims(data: Path, work: Path) -> list[Example]:
    """SciFact's training claims with their neighbours among its abstracts."""
    examples, cache = read_claims(data), work / "neighbours-claims.jsonl"
    if not cache.exists():
        search_neighbours(examples, data / "scifact" / "records.jsonl.gz", work / "index-claims", cache)
    return add_neighbours(examples, cache)


def prepare_events(data: Path, work: Path, reports: Mapping[str, Report]) -> list[Example]:
    """The questions on adverse drug events that are trained with, with their neighbours among those records."""
    examples, cache = read_event_questions(data, reports), work / "neighbours-events.jsonl"
    if not cache.exists():
        search_neighbours(examples, data / "phee" / "records.jsonl.gz", work / "index-events", cache)
    return [
        replace(item, near=tuple(name for name in item.near if trains_events(name)))
        for item in add_neighbours(examples, cache)
    ]


def search_neighbours(examples: Sequence[Example], records: Path, index_dir: Path, cache: Path) -> None:
    """Index the records, and write what is found for each example, one line each."""
    build_index([records], index_dir)
    index = open_index(index_dir)
    write_lines(
        cache, ([passage.record.source_id for passage in index.search(item.question, DEPTH)] for item in examples)
    )


def add_neighbours(examples: Sequence[Example], cache: Path) -> list[Example]:
    """The examples with the neighbours that a file holds for them.

    Raises:
        ValueError: the file was made for other examples.
    """
    near = [json.loads(line) for line in cache.read_text("utf-8").splitlines()]
    if len(near) != len(examples):
        raise ValueError(f"{cache} has {len(near)} lines for {len(examples)} examples: delete it to compute it again")
    answering: dict[str, set[str]] = {}
    for item in examples:
        answering.setdefault(item.question, set()).add(item.record_id)
    return [
        replace(item, near=tuple(name for name in names if name not in answering[item.question]))
        for item, names in zip(examples, near, strict=True)
    ]


def write_lines(path: Path, rows: Iterable[Mapping[str, object] | Sequence[object]]) -> None:
    """Write a JSONL file whole or not at all."""
    partial = path.with_suffix(".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    partial.replace(path)
