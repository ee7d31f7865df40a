"""What the claim check catches, what it lets through and what it costs: writes docs/results/claims.json.

    python -m benchmarks.measure_claims ../shared/data WORK_FOLDER

Planted faults and sound statements from the development questions, and paraphrases of the demo records, are checked.
Then a real chat model of 135 million parameters answers some of them over all records, with the check and without it.
The index is built in WORK_FOLDER if it is not there.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from assistant import Answer, Assistant
from assistant.evaluation.judging import find_gold_records, resolve_gold
from assistant.evaluation.matching import holds_answer, is_gold_sentence
from assistant.evaluation.questions import Question, QuestionSet, read_questions
from assistant.generation.chat_models import ChatModel, ModelRequest, open_chat_model
from assistant.generation.prompting import is_abstention, select_offered
from assistant.generation.quotes import draft_quotes
from assistant.reading.reader import load_reader
from assistant.reading.sentences import split_record
from assistant.settings import AssistantSettings
from assistant.verification.checker import DraftChecker
from assistant.verification.draft_claims import parse_draft
from benchmarks.planted_claims import Case, PlantedClaim, plant_claims, read_paraphrases
from benchmarks.results import write_result
from index import DEMO_RECORDS, build_index, open_index, read_records
from index.types import Record
from tests.support.llama_server import run_llama_server

PLANTED = 300
ASKED = 60


def main(data_dir: str, work_dir: str) -> None:
    """Check the planted claims, ask the real model, write both down."""
    data, index_dir = Path(data_dir), Path(work_dir) / "cases"
    if not (index_dir / "CURRENT").exists():
        build_index([data / "cases" / "records.jsonl.gz"], index_dir)
    questions = read_questions(data / "cases" / "questions.dev.jsonl")
    planted = plant_claims(list(find_cases(questions, index_dir)), PLANTED)
    demo = [item for item in read_records([DEMO_RECORDS]) if isinstance(item, Record)]
    checked = [check_planted(claim) for claim in [*planted, *read_paraphrases(demo)]]
    with run_llama_server() as address:
        asked = list(ask_model(questions, index_dir, address))
    figures = {
        "planted": summarise_planted(checked),
        "check_ms": spread([row["ms"] for row in checked]),
        "model": summarise_asked(asked),
    }
    write_result("claims", "python -m benchmarks.measure_claims ../shared/data WORK_FOLDER", figures)


def find_cases(questions: QuestionSet, index_dir: Path) -> Iterator[Case]:
    """The answering sentences of questions and turns with one gold record."""
    build = open_index(index_dir).current()
    records = {record.record_id: record for record, _ in build.iter_records()}
    found = find_gold_records(questions, records.values())
    for question in questions:
        gold = resolve_gold(question, found).labels
        if not question.gold_sentences or len(gold) != 1:
            continue
        record = records[next(iter(gold))]
        wanted = question.gold_sentences[0]
        places = [place for place, item in enumerate(split_record(record)) if is_gold_sentence(item.text, wanted)]
        if places:
            yield Case(record=record, place=places[0])


def check_planted(planted: PlantedClaim) -> dict[str, Any]:
    """A draft and what became of it; caught: nothing of it is shown with what is wrong with it."""
    checker, claims = DraftChecker(load_reader()), parse_draft(planted.draft)
    started = time.perf_counter()
    checked = checker.check(claims, planted.evidence)
    took_ms = (time.perf_counter() - started) * 1_000 / len(claims)
    is_shown = bool(checked.claims) and all(claim.supported for claim in checked.claims)
    return {
        "group": planted.group,
        "kind": planted.kind,
        "shown": is_shown,
        "unknown_keys": checked.unknown_keys,
        "ms": took_ms,
    }


def summarise_planted(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By kind: how many were shown as they were drafted. An invented key is caught where it is dropped and counted."""
    summary = []
    for group, kind in dict.fromkeys((row["group"], row["kind"]) for row in rows):
        own = [row for row in rows if row["kind"] == kind]
        caught = [row["unknown_keys"] > 0 if kind == "key invented" else not row["shown"] for row in own]
        shown = sum(row["shown"] for row in own)
        summary.append({"group": group, "kind": kind, "drafts": len(own), "caught": sum(caught), "shown": shown})
    return summary


class RecordingModel(ChatModel):
    """Keeps what the model wrote last."""

    written: list[str] = []  # noqa: RUF012 - one model in this program

    def stream(self, request: ModelRequest) -> Generator[str]:
        """As ever, and kept."""
        self.written.clear()
        for piece in super().stream(request):
            self.written.append(piece)
            yield piece


def ask_model(questions: QuestionSet, index_dir: Path, address: str) -> Iterator[dict[str, Any]]:
    """Some of the questions, each answered with the check, beside the draft as it was."""
    model = RecordingModel(*open_chat_model("openai:smollm2", address))
    single = [turns[0] for turns in questions.conversations if len(turns) == 1 and turns[0].kind != "multi_record"]
    chosen = random.Random(0).sample(single, ASKED)
    with Assistant(open_index(index_dir), AssistantSettings(), model) as assistant:
        found = find_gold_records(questions, (record for record, _ in assistant.index.current().iter_records()))
        assistant.ask(chosen[0].text)  # loads the models
        for question in chosen:
            model.written.clear()
            answer = assistant.ask(question.text)
            draft = "".join(model.written)
            yield judge_checked(question, found, answer, draft) | judge_unchecked(question, found, answer, draft)


def judge_checked(question: Question, found: dict[str, set[str]], answer: Answer, draft: str) -> dict[str, Any]:
    """What was shown: how it came about, its numbers that are in no cited sentence, whether it is right."""
    quotes = {citation.number: citation.quote for citation in answer.citations}
    shown = [claim for claim in answer.claims if claim.supported]
    foreign = sum(len(numbers_of(claim.text) - numbers_of(*map(quotes.get, claim.citations))) for claim in shown)
    if answer.mode == "extractive":
        outcome = "quotes in place of the draft" if answer.citations else "refused before the model was asked"
    elif not answer.citations:
        outcome = "the model says that the reports do not say"
    else:
        outcome = "written, and completed by quotes" if "“" in answer.text else "written"
    cited = [citation.record for citation in answer.citations]
    return {
        "outcome": outcome,
        "foreign_on": foreign,
        "numbers_on": sum(len(numbers_of(claim.text)) for claim in shown),
        "right_on": is_right(question, found, answer.text, cited),
        "answerable": question.is_answerable,
        "refused_on": not answer.citations,
        "warnings": answer.warnings,
        "timings": answer.timings_ms,
        "drafted": bool(draft),
    }


def judge_unchecked(question: Question, found: dict[str, set[str]], answer: Answer, draft: str) -> dict[str, Any]:
    """The same of the draft as it was, with the sentences of those of its keys that were offered."""
    offered = {item.key: item for item in select_offered(answer.evidence)}
    claims = parse_draft(draft)
    foreign, cited, uncited = 0, [], 0
    for claim in claims:
        own = [offered[key] for key in claim.keys if key in offered]
        foreign += len(numbers_of(claim.text) - numbers_of(*(item.quote for item in own)))
        uncited += not own
        cited += [item.record for item in own]
    return {
        "foreign_off": foreign,
        "numbers_off": sum(len(numbers_of(claim.text)) for claim in claims),
        "claims_off": len(claims),
        "uncited_off": uncited,
        "right_off": is_right(question, found, draft, cited),
        "right_quotes": is_right_by_quotes(question, found, answer),
        "refused_off": not claims or is_abstention(claims[0].text),
    }


def is_right_by_quotes(question: Question, found: dict[str, set[str]], answer: Answer) -> bool:
    """Whether the answer made of quotes would have been right."""
    if not answer.citations:
        return False
    quotes = [item for claim in draft_quotes(answer.evidence) for item in answer.evidence if item.key in claim.keys]
    return is_right(question, found, " ".join(item.quote for item in quotes), [item.record for item in quotes])


def numbers_of(*texts: str) -> set[str]:
    """The numbers of texts as they are written, by a plain rule that is not the check's own."""
    words = " ".join(texts).replace(",", "").split()
    return {word.strip(".()[]%;:") for word in words if word.strip(".()[]%;:").replace(".", "", 1).isdecimal()}


def is_right(question: Question, found: dict[str, set[str]], text: str, cited: Iterable[Record]) -> bool:
    """Whether the text holds the answer and a gold record is cited."""
    gold = resolve_gold(question, found)
    return any(map(gold.holds, cited)) and holds_answer([text], question.must_include, question.answers)


def summarise_asked(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sums over the questions, and over the drafts the times."""
    drafted = [row for row in rows if row["drafted"]]
    checked = [row["timings"] for row in drafted if "first_text" in row["timings"]]
    return {
        "questions": len(rows),
        "answerable": sum(row["answerable"] for row in rows),
        "drafts": len(drafted),
        "outcomes": dict(Counter(row["outcome"] for row in rows).most_common()),
        "on": summarise_side(rows, "on"),
        "off": summarise_side(rows, "off")
        | {"claims": sum(row["claims_off"] for row in rows), "uncited": sum(row["uncited_off"] for row in rows)},
        "right_by_quotes_alone": sum(row["right_quotes"] for row in rows),
        "first_piece_ms": spread([timings["first_piece"] for timings in checked]),
        "first_text_ms": spread([timings["first_text"] for timings in checked]),
    }


def summarise_side(rows: Sequence[dict[str, Any]], side: str) -> dict[str, int]:
    """With the check on or off."""
    return {
        "numbers": sum(row[f"numbers_{side}"] for row in rows),
        "foreign_numbers": sum(row[f"foreign_{side}"] for row in rows),
        "answers_with_foreign_numbers": sum(row[f"foreign_{side}"] > 0 for row in rows),
        "right": sum(row[f"right_{side}"] for row in rows if row["answerable"]),
        "answered_unanswerable": sum(not row[f"refused_{side}"] for row in rows if not row["answerable"]),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """The median and the 95th percentile."""
    return {"p50": round(median(values), 1), "p95": round(quantiles(values, n=20)[-1], 1), "count": len(values)}


if __name__ == "__main__":
    main(*sys.argv[1:])
