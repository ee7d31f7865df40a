"""How often the right sentence is quoted and the unanswerable refused: writes docs/results/answers.json.

    casecite index build ../shared/data/cases/records.jsonl.gz --index INDEX
    python benchmarks/check_answers.py INDEX ../shared/data/cases/questions.dev.jsonl

A quote is right if it is from a gold record and holds every string that it must, white space and case folded.
"""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from assistant import Answer, Assistant
from index.folding import fold_text
from index.types import Record

TARGET = Path(__file__).parent.parent / "docs" / "results" / "answers.json"
OTHER_KINDS = {"multi_record", "follow_up"}


def main(index_dir: str, questions_path: str) -> None:
    """Ask every question of one turn, and write the shares."""
    questions = [json.loads(line) for line in Path(questions_path).read_text("utf-8").splitlines()]
    asked = [question for question in questions if question["kind"] not in OTHER_KINDS]
    with Assistant.open(index_dir) as assistant:
        build = assistant.index.current()
        answers = [assistant.ask(question["question"]) for question in asked]
        ranks = [rank_of_gold(build.search(question["question"]), question) for question in asked]
    rows = list(zip(asked, answers, ranks, strict=True))
    answerable = [row for row in rows if row[0]["kind"] != "unanswerable"]
    unanswerable = [row for row in rows if row[0]["kind"] == "unanswerable"]
    measures = {
        "answerable / unanswerable questions": f"{len(answerable)} / {len(unanswerable)}",
        "gold record first / in three / in ten": " / ".join(
            share([rank <= cutoff for _, _, rank in answerable]) for cutoff in (1, 3, 10)
        ),
        "answer in the first quote": share([is_right(answer, question, 1) for question, answer, _ in answerable]),
        "answer in the quotes shown": share([is_right(answer, question, 3) for question, answer, _ in answerable]),
        "answerable refused": share([not answer.citations for _, answer, _ in answerable]),
        "unanswerable refused": share([not answer.citations for _, answer, _ in unanswerable]),
        "milliseconds an answer, median": f"{median(answer.timings_ms['total'] for answer in answers):.0f}",
    }
    command = "python benchmarks/check_answers.py INDEX cases/questions.dev.jsonl"
    result = {"command": command, "date": date.today().isoformat(), "measures": measures}
    TARGET.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(json.dumps(measures, indent=2))


def rank_of_gold(passages: list[Any], question: dict[str, Any]) -> float:
    """The rank of the first gold record, infinity where none was found."""
    ranks = (passage.rank for passage in passages if is_gold(passage.record, question))
    return next(ranks, float("inf"))


def is_gold(record: Record, question: dict[str, Any]) -> bool:
    """Whether the question asks for this record."""
    return bool({record.source_id, f"pmid:{record.pmid}"} & set(question["gold_doc_ids"]))


def is_right(answer: Answer, question: dict[str, Any], quotes: int) -> bool:
    """Whether the first `quotes` quotes of gold records hold what the answer must say."""
    shown = [citation for citation in answer.citations[:quotes] if is_gold(citation.record, question)]
    text = fold_text(" ".join(citation.quote for citation in shown))
    if question["must_include"]:
        return all(fold_text(part) in text for part in question["must_include"])
    return any(fold_text(part) in text for part in question["answers"])


def share(hits: list[bool]) -> str:
    """The share of hits with two digits."""
    return f"{sum(hits) / len(hits):.2f}"


if __name__ == "__main__":
    main(*sys.argv[1:])
