"""Many users at once while the index is replaced under them: errors, answers from a mixed index, memory, waiting times.

`python -m benchmarks.measure_load ../shared/data WORK_DIR [--users 50] [--minutes 10]` builds an index in WORK_DIR (or
takes the one that is there), serves the page with a login for each user, and lets them ask by Gradio's client, with
pauses to read. Twice meanwhile `casecite index update` publishes another build, in which 50 records have another text.
Every citation of every answer is then compared with the records of the build that the answer names. At last more
questions are asked at once than admission control allows. It writes docs/results/load.json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
from gradio_client import Client
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.measure_page import URL, serve
from benchmarks.results import write_result
from index import build_index, open_index

RECORDS = 3_000
CHANGING = 50
SWAPS = 2
PAUSE_S = (10.0, 30.0)
SAMPLE_S = 5.0
SETTLED = 0.5  # of the time, before which memory still grows as models and caches fill
AT_ONCE = 200
DRUGS = ("sertraline", "carbamazepine", "nitrofurantoin", "allopurinol", "lamotrigine")
TRADES = ("baker", "weaver", "miner", "potter", "sailor", "tailor", "carter", "cooper", "glazier", "mason")
WATCHER = "watcher"

Texts = dict[str, tuple[str, str]]
"""Title and abstract by record id."""


class Asked(NamedTuple):
    """A question that was answered, or the error instead."""

    seconds: float
    result: dict[str, Any] | None
    error: str | None


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    index_dir = prepare_index(options.data, options.folder)
    users = {f"user{number}": f"password of {number}" for number in range(options.users)}
    with serve(index_dir, auth=json.dumps(users | {WATCHER: WATCHER}), log_format="json"):
        clients = [Client(URL, auth=login, verbose=False) for login in users.items()]
        asked, memory, builds = put_under_load(clients, read_questions(options.data), index_dir, options.minutes)
        at_once = ask_at_once(clients)
    command = "python -m benchmarks.measure_load ../shared/data WORK_DIR"
    figures = {
        "users": options.users,
        "minutes": options.minutes,
        **describe_answers(asked, builds),
        **describe_memory(memory, options.minutes),
        "at_once": describe_overload(at_once),
    }
    write_result("load", f"{command} --users {options.users} --minutes {options.minutes:g}", figures)


def prepare_index(data: Path, folder: Path) -> Path:
    """An index of real records and those that will change, in their first form."""
    index_dir = folder / "index"
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(data / "cases" / "records.jsonl.gz", "rt", encoding="utf-8") as lines:
        real = [line for _, line in zip(range(RECORDS), lines, strict=False)]
    (folder / "records.jsonl").write_text("".join(real), "utf-8")
    build_index([folder / "records.jsonl", write_changing(folder, 0)], index_dir)
    return index_dir


def write_changing(folder: Path, version: int) -> Path:
    """The records that differ from build to build: each says another dose in each version."""
    path = folder / f"changing-{version}.jsonl"
    lines = []
    for number in range(CHANGING):
        trade, drug = TRADES[number % len(TRADES)], DRUGS[number // len(TRADES)]
        abstract = (
            f"A {31 + number}-year-old {trade} with a rash was seen. {trade.capitalize()} and family were well before. "
            f"The {trade} took {drug} {1_000 * (version + 1) + number} mg daily for {number + 2} weeks."
        )
        record = {"doi": f"10.5555/load.{number}", "title": f"Rash in a {trade} on {drug}", "abstract": abstract}
        lines.append(json.dumps(record | {"year": 2020}) + "\n")
    path.write_text("".join(lines), "utf-8")
    return path


def read_questions(data: Path) -> list[str]:
    """The development questions that need no others before them, and one on each record that changes."""
    lines = map(json.loads, (data / "cases" / "questions.dev.jsonl").read_text("utf-8").splitlines())
    return [line["question"] for line in lines if line["kind"] != "follow_up"] + list(ask_of_changing())


def ask_of_changing() -> Iterator[str]:
    """A question on each record that changes."""
    for number in range(CHANGING):
        trade, drug = TRADES[number % len(TRADES)], DRUGS[number // len(TRADES)]
        yield f"What daily dose of {drug} did the {31 + number}-year-old {trade} with a rash take?"


def put_under_load(
    clients: Sequence[Client], questions: list[str], index_dir: Path, minutes: float
) -> tuple[list[Asked], list[tuple[float, float]], dict[str, Texts]]:
    """What was answered, the server's memory (minutes, MB), and the records of every build that was live."""
    end = time.monotonic() + minutes * 60
    asked: list[Asked] = []
    memory: list[tuple[float, float]] = []
    builds = dict([read_build(index_dir)])
    threads = [
        threading.Thread(target=be_user, args=(client, questions, number, end, asked))
        for number, client in enumerate(clients)
    ]
    threads.append(threading.Thread(target=watch_memory, args=(end, memory)))
    for thread in threads:
        thread.start()
    for version in range(1, SWAPS + 1):
        time.sleep(minutes * 60 / (SWAPS + 1))
        changed = write_changing(index_dir.parent, version)
        command = [str(Path(sys.executable).with_name("casecite")), "index", "update", str(changed)]
        subprocess.run([*command, "--index", str(index_dir)], check=True, capture_output=True)
        builds |= dict([read_build(index_dir)])
    for thread in threads:
        thread.join()
    return asked, memory, builds


def read_build(index_dir: Path) -> tuple[str, Texts]:
    """The id of the live build and what its records say."""
    build = open_index(index_dir).current()
    texts = {record.record_id: (record.title or "", record.abstract) for record, _ in build.iter_records()}
    return build.manifest.build_id, texts


def be_user(client: Client, questions: list[str], number: int, end: float, asked: list[Asked]) -> None:
    """Ask, read, and ask again until the time is over."""
    chance = random.Random(number)
    time.sleep(chance.uniform(0, PAUSE_S[1]))
    while time.monotonic() < end:
        asked.append(ask(client, chance.choice(questions)))
        time.sleep(chance.uniform(*PAUSE_S))


def ask(client: Client, question: str) -> Asked:
    """Ask one question."""
    started = time.monotonic()
    try:
        return Asked(0.0, client.predict(question, api_name="/ask"), None)._replace(seconds=time.monotonic() - started)
    except Exception as error:  # whatever it is, it counts
        return Asked(time.monotonic() - started, None, f"{type(error).__name__}: {error}")


def watch_memory(end: float, memory: list[tuple[float, float]]) -> None:
    """Note how much memory the server holds."""
    started = time.monotonic()
    while time.monotonic() < end:
        memory.append(((time.monotonic() - started) / 60, read_metrics()["process_resident_memory_bytes"] / 1e6))
        time.sleep(SAMPLE_S)


def read_metrics() -> dict[str, float]:
    """The server's metrics that have no labels."""
    text = httpx.get(f"{URL}/metrics", auth=(WATCHER, WATCHER), timeout=60).raise_for_status().text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {sample.name: sample.value for sample in samples if not sample.labels}


def ask_at_once(clients: Sequence[Client]) -> list[Asked]:
    """Ask far more at the same moment than is let in."""
    questions = [f"What happened to patient {number}, who took sertraline?" for number in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, [clients[number % len(clients)] for number in range(AT_ONCE)], questions))


def describe_answers(asked: Sequence[Asked], builds: dict[str, Texts]) -> dict[str, Any]:
    """What came of the questions, and whether each answer is of the build that it names."""
    results = [item.result for item in asked if item.result is not None]
    seconds = np.array([item.seconds for item in asked if item.result is not None])
    citations = [(result["index_id"], citation) for result in results for citation in result["citations"]]
    return {
        "builds": len(builds),
        "questions": len(asked),
        "errors": Counter(item.error for item in asked if item.error),
        "answers_by_build": sorted(Counter(result["index_id"] for result in results).values(), reverse=True),
        "refused": sum(result["status"] == "insufficient_evidence" for result in results),
        "citations": len(citations),
        "citations_of_changing_records": sum(
            citation["record_id"].startswith("doi:10.5555/load") for _, citation in citations
        ),
        "citations_of_another_build": sum(not stands_in(citation, builds[build]) for build, citation in citations),
        "p50_s": round(float(np.percentile(seconds, 50)), 2),
        "p95_s": round(float(np.percentile(seconds, 95)), 2),
        "longest_s": round(float(seconds.max()), 2),
    }


def stands_in(citation: dict[str, Any], texts: Texts) -> bool:
    """Whether a citation's sentence is in the record that it names, as a build has it."""
    title, abstract = texts.get(citation["record_id"], ("", ""))
    source = title if citation["field"] == "title" else abstract
    return bool(citation["quote"]) and source[citation["start"] : citation["end"]] == citation["quote"]


def describe_memory(memory: Sequence[tuple[float, float]], minutes: float) -> dict[str, Any]:
    """How much memory was held, and how it changed once caches were filled."""
    settled = np.array([sample for sample in memory if sample[0] >= SETTLED * minutes])
    slope = np.polyfit(settled[:, 0], settled[:, 1], 1)[0]
    return {
        "memory_mb": {
            "first": round(memory[0][1]),
            "settled": round(float(settled[0, 1])),
            "last": round(memory[-1][1]),
            "highest": round(max(value for _, value in memory)),
            "slope_mb_per_minute": round(float(slope), 2),
        },
        "memory_curve": [(round(at, 2), round(value)) for at, value in memory[:: max(1, len(memory) // 60)]],
    }


def describe_overload(asked: Sequence[Asked]) -> dict[str, Any]:
    """How many were let in, and how soon the others were told."""
    busy = [item.seconds for item in asked if item.error and "busy" in item.error]
    return {
        "questions": len(asked),
        "answered": sum(item.result is not None for item in asked),
        "told_busy": len(busy),
        "other_errors": Counter(item.error for item in asked if item.error and "busy" not in item.error),
        "told_after_p50_s": round(float(np.percentile(busy, 50)), 2) if busy else None,
        "told_after_longest_s": round(max(busy), 2) if busy else None,
        "answered_after_longest_s": round(max(item.seconds for item in asked if item.result is not None), 2),
    }


if __name__ == "__main__":
    main()
