"""Measures worked out by hand, runs with a scripted assistant, and the command on the demo corpus."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assistant.answers import Answer
from assistant.cli.evaluate_command import evaluate_files
from assistant.evaluation import Report, compare_reports, evaluate, read_questions, read_report, render_report
from assistant.evaluation.intervals import estimate_difference, estimate_mean
from assistant.evaluation.judging import find_gold_records, judge_answer, label_ranking, resolve_gold
from assistant.evaluation.questions import FileInfo, Question, QuestionSet
from assistant.evaluation.ranking import measure_rankings
from assistant.evaluation.report import Row, summarise_rows
from assistant.types import Citation
from index import DEMO_RECORDS
from index.errors import WrongUseError
from index.types import Chunk, Filters, Passage, Record
from tests.conftest import Casecite


def make_record(name: str, **values: Any) -> Record:
    return Record(record_id=f"doi:{name}", abstract=f"Case {name}.", content_hash=name, source_id=name, **values)


def make_passages(*records: Record) -> list[Passage]:
    return [
        Passage(
            record=record,
            chunk=Chunk(record_id=record.record_id, ordinal=0, section=None, start=0, end=1, text=""),
            score=1 / rank,
            rank=rank,
            stage="reader",
            similarity=1.0,
        )
        for rank, record in enumerate(records, start=1)
    ]


def make_answer(*quotes: tuple[Record, str], query: str = "") -> Answer:
    citations = tuple(
        Citation(number=number, record=record, field="abstract", start=0, end=len(quote), quote=quote, url=None)
        for number, (record, quote) in enumerate(quotes, start=1)
    )
    return Answer(
        question=query,
        kind="fact",
        query=query,
        text=" ".join(f"{quote} [{number}]" for number, (_, quote) in enumerate(quotes, start=1)) or "not there",
        claims=(),
        citations=citations,
        evidence=(),
        status="answered" if quotes else "insufficient_evidence",
        confidence=0.5,
        mode="extractive",
        model=None,
        index_id="build",
        settings_id="settings",
        timings_ms={"total": 10.0},
    )


A, B, C = make_record("a", pmid="1"), make_record("b", pmid="2"), make_record("c")
A_AGAIN = make_record("a2", pmid="1")


def make_question(**values: Any) -> Question:
    return Question(**{"question_id": "q", "kind": "quantity", "text": "q?", "gold": {"a": 1}} | values)


def judge(question: Question, answer: Answer) -> Mapping[str, float]:
    return judge_answer(question, resolve_gold(question, find_gold_records([question], [A, B, C, A_AGAIN])), answer)


def test_ranking_measures_are_those_worked_out_by_hand() -> None:
    relevance = {"first": {"a": 1}, "third": {"a": 1}, "two": {"a": 1, "b": 1}, "none": {"a": 1}, "missing": {"a": 1}}
    rankings = {
        "first": ["a", "x", "y"],
        "third": ["x", "y", "a"],
        "two": ["b", "x", "a"],
        "none": ["x", "y"],
        "not judged": ["a"],
    }
    measured = measure_rankings(relevance, rankings)
    assert measured.keys() == relevance.keys()
    assert [measured[query]["hit@1"] for query in relevance] == [1, 0, 1, 0, 0]
    assert [measured[query]["hit@3"] for query in relevance] == [1, 1, 1, 0, 0]
    assert [measured[query]["mrr@10"] for query in relevance] == [1, 0.333333, 1, 0, 0]
    # (1/log2(2) + 1/log2(4)) / (1/log2(2) + 1/log2(3))
    assert [measured[query]["ndcg@10"] for query in relevance] == [1, 0.5, 0.919721, 0, 0]


def test_a_record_behind_the_tenth_counts_for_nothing() -> None:
    tenth, eleventh = [f"x{n}" for n in range(9)] + ["a"], [f"x{n}" for n in range(10)] + ["a"]
    measured = measure_rankings({"tenth": {"a": 1}, "eleventh": {"a": 1}}, {"tenth": tenth, "eleventh": eleventh})
    assert (measured["tenth"]["hit@5"], measured["tenth"]["hit@10"], measured["tenth"]["mrr@10"]) == (0, 1, 0.1)
    assert set(measured["eleventh"].values()) == {0}
    assert measure_rankings({}, {"q": ["a"]}) == {}


def test_gold_records_are_found_by_source_id_pubmed_id_record_id_and_former_ids() -> None:
    question = make_question(gold={"a": 1, "pmid:2": 1, "doi:c": 1, "pmid:9": 1, "e3c:d": 1})
    joined = make_record("d", other_ids=("sha256:0", "e3c:d"))
    found = find_gold_records([question], [A, B, C, A_AGAIN, joined])
    assert found == {"a": {"doi:a"}, "pmid:2": {"doi:b"}, "doi:c": {"doi:c"}, "e3c:d": {"doi:d"}}


def test_two_names_of_a_record_are_one_gold_record_and_two_records_of_a_report_too() -> None:
    question = make_question(gold={"a": 1, "pmid:1": 2})
    gold = resolve_gold(question, find_gold_records([question], [A, B, A_AGAIN]))
    assert gold.relevance == {"a": 2}
    assert label_ranking(make_passages(B, A_AGAIN, A), gold) == ["doi:b", "a", "doi:a"]


def test_gold_that_the_index_lacks_stays_in_what_could_be_found() -> None:
    measures = judge(make_question(gold={"a": 1, "pmid:9": 1}), make_answer((A, "x")))
    assert (measures["citation_precision"], measures["citation_recall"]) == (1, 0.5)


@pytest.mark.parametrize(
    ("quotes", "right"),
    [
        pytest.param([(A, "5 mg"), (B, "x")], (1, 1, 1), id="first"),
        pytest.param([(B, "x"), (B, "y"), (A, "5mg")], (0, 1, 1), id="third"),
        pytest.param([(B, "x"), (B, "y"), (B, "z"), (A, "5 mg")], (0, 0, 1), id="fourth"),
        pytest.param([(B, "5 mg")], (0, 0, 0), id="right words of another record"),
        pytest.param([(A, "15 mg")], (0, 0, 0), id="another number"),
        pytest.param([], (0, 0, 0), id="abstained"),
    ],
)
def test_an_answer_counts_from_quotes_of_gold_records(quotes: list[Any], right: tuple[int, int, int]) -> None:
    measures = judge(make_question(must_include=("5 mg",)), make_answer(*quotes))
    assert (measures["answer_at_1"], measures["answer_at_3"], measures["answer_in_text"]) == right
    assert measures["abstained_answerable"] == (not quotes)


def test_parts_of_an_answer_may_stand_in_several_quotes() -> None:
    question = make_question(must_include=("5 mg", "two weeks"))
    measures = judge(question, make_answer((A, "5 mg"), (A, "for two weeks")))
    assert (measures["answer_at_1"], measures["answer_at_3"]) == (0, 1)


def test_yes_and_no_are_right_if_the_sentence_that_shows_it_is_quoted() -> None:
    question = make_question(answers=("no",), gold_sentences=("The scan was negative for virus.",))
    assert judge(question, make_answer((A, "The scan was negative for virus.")))["answer_at_1"] == 1
    assert judge(question, make_answer((A, "No complaint was voiced.")))["answer_at_1"] == 0


def test_citations_are_measured_by_record_and_quotes_by_sentence() -> None:
    question = make_question(gold={"a": 1, "b": 1}, gold_sentences=("She took 5 mg a day.", "She died."))
    answer = make_answer((A, "She took 5 mg a day."), (A, "She was 40."), (C, "She died."))
    measures = judge(question, answer)
    assert (measures["citation_precision"], measures["citation_recall"]) == (0.5, 0.5)
    assert (measures["sentence_precision"], measures["sentence_recall"]) == (pytest.approx(1 / 3), 0.5)


def test_questions_that_are_unanswerable_or_not_answered_have_only_the_measure_of_abstention() -> None:
    assert judge(make_question(gold={}), make_answer((A, "x"))) == {"answered_unanswerable": 1}
    assert judge(make_question(gold={}), make_answer()) == {"answered_unanswerable": 0}
    assert judge(make_question(gold_sentences=("x",)), make_answer()) == {"abstained_answerable": 1}


def test_intervals_are_the_same_every_time_and_hold_the_mean() -> None:
    values = [1.0] * 30 + [0.0] * 10
    estimate = estimate_mean(values)
    assert estimate == estimate_mean(values)
    assert estimate.low is not None
    assert estimate.high is not None
    assert (estimate.value, estimate.questions) == (0.75, 40)
    # The standard error is sqrt(.75 * .25 / 40) = .068, so the interval is about .75 -+ .13.
    assert estimate.low == pytest.approx(0.62, abs=0.03)
    assert estimate.high == pytest.approx(0.88, abs=0.03)


def test_a_difference_is_paired() -> None:
    old, new = [0.0, 1.0] * 10, [1.0, 1.0] * 10
    difference = estimate_difference(old, new)
    assert (difference.old, difference.new, difference.value) == (0.5, 1.0, 0.5)
    assert difference.p_value == pytest.approx(2 / 2**10, abs=0.002)  # ten questions changed, all for the better
    assert difference == estimate_difference(old, new)
    same = estimate_difference(old, old)
    assert (same.value, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    single = estimate_difference([0.0], [1.0])
    assert (single.low, single.high, single.p_value) == (None, None, 1)


class ScriptedAssistant:
    """Answers and ranks by table, and keeps what it was asked."""

    settings = SimpleNamespace(settings_id="settings", llm=None)

    def __init__(self, answers: Mapping[str, Answer], rankings: Mapping[str, Sequence[Record]]) -> None:
        self.asked: list[tuple[str, list[str]]] = []
        self._answers, self._rankings = answers, rankings
        manifest = SimpleNamespace(build_id="build", record_count=3, embedder="embedder")
        build = SimpleNamespace(manifest=manifest, iter_records=lambda: [(record, []) for record in (A, B, C)])
        self.index = SimpleNamespace(manifest=manifest, current=lambda: build)

    def ask(self, question: str, history: Iterable[Any] = (), filters: Filters | None = None) -> Answer:
        self.asked.append((question, [turn.content for turn in history]))
        return self._answers[question]

    def search(self, query: str, top_k: int = 10, filters: Filters | None = None) -> list[Passage]:
        return make_passages(*self._rankings.get(query, ())[:top_k])


def make_set(*conversations: tuple[Question, ...], sha256: str = "1" * 64) -> QuestionSet:
    return QuestionSet(source=FileInfo(name="q.jsonl", sha256=sha256), conversations=conversations)


def run_scripted(answers: Mapping[str, Answer], questions: QuestionSet) -> tuple[Report, ScriptedAssistant]:
    assistant = ScriptedAssistant(answers, {"first?": [B, A], "first? then?": [A, B], "lost?": [C]})
    return evaluate(assistant, questions), assistant  # type: ignore[arg-type]


CONVERSATION = (
    make_question(text="first?", kind="follow_up first", answers=("5 mg",)),
    make_question(text="then?", kind="follow_up later", answers=("died",), turn=2),
)
LOST = make_question(question_id="lost", text="lost?", gold={"pmid:9": 1}, answers=("x",))
NEVER = make_question(question_id="never", kind="unanswerable", text="never?", gold={})
ANSWERS = {
    "first?": make_answer((B, "5 mg"), query="first?"),
    "then?": make_answer((A, "died"), query="first? then?"),
    "lost?": make_answer(query="lost?"),
    "never?": make_answer(query="never?"),
}
BETTER = ANSWERS | {"first?": make_answer((A, "5 mg"), query="first?")}


def test_turns_are_asked_in_sequence_and_judged_each_by_itself() -> None:
    report, assistant = run_scripted(ANSWERS, make_set(CONVERSATION, (LOST,), (NEVER,)))
    asked = [("first?", []), ("then?", ["first?", "5 mg [1]"]), ("lost?", []), ("never?", [])]
    assert assistant.asked == asked
    *turns, lost, never = report.rows
    assert [(turn.gold_rank, turn.ranked_ids, turn.right_at_1, turn.cited_ids) for turn in turns] == [
        (2, ("doi:b", "a"), False, ("doi:b",)),
        (1, ("a", "doi:b"), True, ("a",)),
    ]
    assert (lost.gold_rank, lost.right_in_answer, lost.abstained) == (None, False, True)
    assert (never.right_at_1, never.measures, never.ms) == (None, {"answered_unanswerable": 0}, 10)
    kinds = ["all", "follow_up first", "follow_up later", "quantity", "unanswerable"]
    assert [group.kind for group in report.groups] == kinds
    overall = report.groups[0].measures
    assert (overall["hit@1"].value, overall["hit@1"].questions) == (pytest.approx(1 / 3, abs=1e-4), 3)
    assert overall["answered_unanswerable"].questions == 1
    assert report.warnings == ("questions without a gold record in the index, which count as missed: 1 (lost)",)


def test_a_report_is_read_back_unchanged_and_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    with pytest.raises(WrongUseError, match="no report at"):
        read_report(path)
    path.write_text('{"schema_version": 2}', "utf-8")
    with pytest.raises(WrongUseError, match=r"is not a report of version 1: schema_version"):
        read_report(path)
    report, _ = run_scripted(ANSWERS, make_set(CONVERSATION))
    path.write_text(report.model_dump_json(), "utf-8")
    assert read_report(path) == report


def test_reports_are_compared_question_by_question() -> None:
    old, _ = run_scripted(ANSWERS, make_set(CONVERSATION, (LOST,)))
    new, _ = run_scripted(BETTER, make_set(CONVERSATION, (LOST,), (NEVER,)))
    comparison = compare_reports(old, new)
    assert [(group.kind, group.questions) for group in comparison.groups] == [
        ("all", 3),
        ("follow_up first", 1),
        ("follow_up later", 1),
        ("quantity", 1),
    ]
    difference = comparison.groups[0].measures["answer_at_1"]
    assert (difference.old, difference.new, difference.questions) == (0.3333, 0.6667, 3)
    assert comparison.groups[0].measures["hit@1"].value == 0
    shown = render_report(new.model_copy(update={"comparison": comparison}))
    assert "| answer in the first sentence quoted | 0.333 | 0.667 | +0.333 |" in shown


def test_latency_is_by_nearest_rank() -> None:
    rows = [
        Row(id=str(n), kind="k", turn=1, query="", gold_rank=None, ranked_ids=(), ms=n, measures={})
        for n in range(1, 21)
    ]
    latency = summarise_rows(rows)[0].latency_ms
    assert (latency.p50, latency.p95) == (10, 19)


DEMO_QUESTIONS = [
    {
        "id": "bmd",
        "kind": "quantity",
        "question": "what was the BMD change under romosozumab?",
        "gold_doc_ids": ["doi:10.21037/acr-24-163"],
        "gold_sentence": "BMD at the lumbar spine stood 22.1% above baseline",
        "answers": [],
        "must_include": ["22.1 %"],
    },
    {
        "id": "ck",
        "kind": "follow_up",
        "turns": [
            {
                "question": "what was the creatine kinase under simvastatin, amiodarone and atazanavir?",
                "gold_doc_ids": ["pmid:17615423"],
                "answers": ["66680 U/L"],
            },
            {"question": "and the creatinine?", "gold_doc_ids": ["pmid:17615423"], "answers": ["4.6mg/dl"]},
        ],
    },
    {"id": "lost", "kind": "quantity", "question": "zebrafish dose?", "gold_doc_ids": ["pmid:1"], "answers": ["5 mg"]},
    {
        "id": "never",
        "kind": "unanswerable",
        "question": "how was dupilumab conjunctivitis treated?",
        "gold_doc_ids": [],
    },
]


@pytest.fixture
def questions_path(tmp_path: Path) -> Path:
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in DEMO_QUESTIONS), "utf-8")
    return path


@pytest.mark.timeout(300)  # processes that load the models, on a busy machine
def test_the_command_reports_on_the_demo_corpus(
    casecite: Casecite, demo_index_dir: Path, tmp_path: Path, questions_path: Path
) -> None:
    run = casecite("evaluate", "--questions", str(questions_path), "-o", "report.json", index=demo_index_dir)
    assert run.returncode == 0, run.stderr
    assert "asking questions ..." in run.stderr
    assert "which count as missed: 1 (lost)" in run.stderr
    assert "| gold record first | " in run.stdout
    assert "| follow_up later | 1 | " in run.stdout
    report = read_report(tmp_path / "report.json")
    assert report.run.mode == "answers"
    assert report.run.questions == read_questions(questions_path).source
    assert (report.run.index.record_count, report.run.qrels) == (40, None)
    rows = {(row.id, row.turn): row for row in report.rows}
    assert rows.keys() == {("bmd", 1), ("ck", 1), ("ck", 2), ("lost", 1), ("never", 1)}
    bmd = rows["bmd", 1]
    assert (bmd.gold_rank, bmd.right_in_answer, bmd.abstained) == (1, True, False)
    assert bmd.ranked_ids[0] == "doi:10.21037/acr-24-163"
    assert len(bmd.ranked_ids) == len(set(bmd.ranked_ids)) == 10
    assert rows["ck", 2].gold_rank == 1
    assert "simvastatin" in rows["ck", 2].query


@pytest.mark.timeout(300)  # processes that load the models, on a busy machine
def test_the_command_ranks_the_records_of_a_collection_by_its_qrels(casecite: Casecite, tmp_path: Path) -> None:
    (tmp_path / "queries.jsonl").write_text('{"_id": "1", "text": "romosozumab for fragile bone"}\n', "utf-8")
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n1\tdoi:10.21037/acr-24-163\t1\n", "utf-8")
    files = ("--questions", "queries.jsonl", "--qrels", "qrels.tsv", "--records", str(DEMO_RECORDS))
    run = casecite("evaluate", *files, "-o", "report.json")
    assert run.returncode == 0, run.stderr
    report = read_report(tmp_path / "report.json")
    assert report.run.mode == "ranking"
    assert report.groups[0].measures.keys() == {"hit@1", "hit@3", "hit@5", "hit@10", "mrr@10", "ndcg@10"}
    assert report.groups[0].measures["mrr@10"].value == 1
    assert (report.rows[0].abstained, report.rows[0].cited_ids) == (None, ())
    assert not (tmp_path / "default-index").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            {"record_paths": ["a"], "index_dir": Path("b")}, "--records and --index are both", id="two sources"
        ),
        pytest.param({"qrels_path": Path("q"), "llm": "p:m"}, "--llm is given with --qrels", id="chat model to rank"),
        pytest.param({"report_path": Path("no/r.json")}, "no report can be written to no/r.json", id="no folder"),
        pytest.param({"old_report_path": Path("none.json")}, "no report at none.json", id="no old report"),
        pytest.param({"record_paths": ["nowhere"]}, "no file or folder at nowhere", id="no records"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_asked(
    questions_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(WrongUseError, match=message):
        evaluate_files(questions_path, **options)


def test_a_report_on_other_questions_is_not_compared_and_refused_before_anything_is_asked(
    questions_path: Path, tmp_path: Path
) -> None:
    old, _ = run_scripted(ANSWERS, make_set(CONVERSATION))
    new, _ = run_scripted(ANSWERS, make_set(CONVERSATION, sha256="2" * 64))
    with pytest.raises(WrongUseError, match=r"questions are not those .* q.jsonl \(2{12}\) here, .* \(1{12}\) there"):
        compare_reports(old, new)
    (tmp_path / "old.json").write_text(old.model_dump_json(), "utf-8")
    with pytest.raises(WrongUseError, match="the questions are not those of the old report"):
        evaluate_files(questions_path, old_report_path=tmp_path / "old.json", index_dir=tmp_path / "none")
