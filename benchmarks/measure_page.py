"""Latency of the page: until it can be used, and until the first text of an answer.

`python -m benchmarks.measure_page ../shared/data INDEX_DIR` serves the page on an index and asks it as a browser does,
by one user and by eight at once, each question once. It writes docs/results/page.json.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
from playwright.sync_api import sync_playwright

from benchmarks.results import write_result

PORT = 7899
URL = f"http://127.0.0.1:{PORT}"
ALONE = 40
ROUNDS = 10
USERS = 8
LOADS = 7
START_SECONDS = 120


def main(data: Path, index_dir: Path) -> None:
    """Measure, print and write the figures."""
    questions = read_questions(data / "cases" / "questions.dev.jsonl")
    with serve(index_dir, questions_per_minute="1000") as records:
        opened = measure_loads()
        alone = asyncio.run(measure_alone(questions[:ALONE]))
        together = asyncio.run(measure_together(questions[ALONE : ALONE + ROUNDS * USERS]))
    figures = {
        "records": records,
        "usable_s": round(median(opened), 2),
        "usable_worst_s": round(max(opened), 2),
        "one_user": describe(alone),
        "eight_users": describe(together),
    }
    write_result("page", "python -m benchmarks.measure_page ../shared/data INDEX_DIR", figures)


def read_questions(path: Path) -> list[str]:
    """The development questions that one record answers, in their order."""
    lines = map(json.loads, path.read_text("utf-8").splitlines())
    return [line["question"] for line in lines if line["kind"] not in ("unanswerable", "follow_up", "multi_record")]


@contextmanager
def serve(index_dir: Path, **settings: str) -> Iterator[int]:
    """The page on an index, in a process of its own, with settings; gives how many records there are."""
    command = [str(Path(sys.executable).with_name("casecite"))]
    where = ["--index", str(index_dir)]
    info = subprocess.run([*command, "index", "info", "--json", *where], capture_output=True, check=True)
    environment = os.environ | {f"CASECITE_{name.upper()}": value for name, value in settings.items()}
    server = subprocess.Popen([*command, "serve", "--port", str(PORT), *where], env=environment)
    try:
        wait_until_served()
        yield json.loads(info.stdout)["record_count"]
    finally:
        server.terminate()
        server.wait()


def wait_until_served() -> None:
    """Wait for the server's first reply."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            httpx.get(f"{URL}/health").raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise SystemExit("the page was not served in time")


def measure_loads() -> list[float]:
    """Seconds from the address to a page whose question box takes text, each time in a browser without a cache."""
    seconds = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for _ in range(LOADS):
            view = browser.new_context().new_page()
            started = time.perf_counter()
            view.goto(URL, wait_until="commit")
            view.get_by_role("textbox", name="Question").fill("ready")
            seconds.append(time.perf_counter() - started)
            view.context.close()
    return seconds


async def measure_alone(questions: list[str]) -> list[float]:
    """Milliseconds to the first text of each question's answer, one question after the other."""
    async with httpx.AsyncClient(timeout=60) as client:
        event = await find_event(client)
        return [await ask(client, event, question) for question in questions]


async def measure_together(questions: list[str]) -> list[float]:
    """The same with USERS asking at once, each a question of their own, in rounds."""
    waited: list[float] = []
    async with httpx.AsyncClient(timeout=60) as client:
        event = await find_event(client)
        for start in range(0, len(questions), USERS):
            waited += await asyncio.gather(*(ask(client, event, asked) for asked in questions[start : start + USERS]))
    return waited


async def find_event(client: httpx.AsyncClient) -> dict[str, Any]:
    """The event of the question box, with the values that the page begins with."""
    config = (await client.get(f"{URL}/config")).json()
    components = {component["id"]: component for component in config["components"]}
    box = next(key for key, item in components.items() if item["props"].get("elem_id") == "question")
    event = next(item for item in config["dependencies"] if [box, "submit"] in item["targets"])
    values = [components[key]["props"].get("value") for key in event["inputs"][1:]]
    return {"fn_index": event["id"], "trigger_id": box, "values": values}


async def ask(client: httpx.AsyncClient, event: dict[str, Any], question: str) -> float:
    """Ask as a browser of its own does; milliseconds until a quote or a refusal is there."""
    session = uuid4().hex
    body = {
        "data": [question, *event["values"]],
        "fn_index": event["fn_index"],
        "trigger_id": event["trigger_id"],
        "session_hash": session,
    }
    started = time.perf_counter()
    (await client.post(f"{URL}/gradio_api/queue/join", json=body)).raise_for_status()
    waited = None
    async with client.stream("GET", f"{URL}/gradio_api/queue/data", params={"session_hash": session}) as stream:
        async for line in stream.aiter_lines():
            if waited is None and ("“" in line or "\\u201c" in line or "These reports don" in line):
                waited = (time.perf_counter() - started) * 1_000
            if '"close_stream"' in line:
                break
    if waited is None:
        raise SystemExit(f"no answer came to: {question}")
    return waited


def describe(waited: list[float]) -> dict[str, float]:
    """Count, median, 95th percentile and maximum, in milliseconds."""
    p50, p95 = np.percentile(waited, [50, 95])
    return {"questions": len(waited), "p50_ms": round(p50), "p95_ms": round(p95), "max_ms": round(max(waited))}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
