"""Training the reader, on a small set written for the test, with the real network."""

from __future__ import annotations

import gzip
import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from assistant.reading.rows import Report
from training import export
from training.data import NO_SPAN, UNKNOWN_SPAN, Example, is_held_out, trains_events
from training.dataset import Counts, groups_of_step, load_material
from training.hard_negatives import add_neighbours
from training.losses import choice_loss, reader_loss
from training.sampling import Group, Mixture, draw_wrong, make_group, promote_some, silence
from training.synthetic import KINDS, make_exercises
from training.train import Config, Run, configure, rate

CASES = {
    f"pmid:{number}": [
        f"A {20 + number}-year-old farmer had {disease} for the second time.",
        f"{drug} was given by mouth for {number + 2} weeks.",
        "He felt well at the last visit.",
    ]
    for number, (disease, drug) in enumerate(
        [("gout", "Colchicine"), ("scurvy", "Vitamin C"), ("tetanus", "Metronidazole"), ("rabies", "Nothing")] * 3
    )
}
REPORTS = {name: Report("", tuple(sentences)) for name, sentences in CASES.items()}
EVENTS = {
    f"pmid:{number}": {"title": f"Hiccups after 9 mg of drug {number}.", "abstract": "He had hiccups. They went away."}
    for number in range(50, 60)
}
EXAMPLE = Example(
    question="how long was colchicine given to the farmer with gout?",
    record_id="pmid:0",
    span=2,
    answer="2 weeks",
    kind="duration",
    near=("pmid:1", "pmid:2", "pmid:3"),
)
PLAIN = Mixture(negatives=2, removed=0, silenced=0, promoted=0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of training data in the form of the development data."""
    root = tmp_path / "data"
    for folder in ("cases", "scifact", "phee"):
        (root / folder).mkdir(parents=True)
    with gzip.open(root / "cases" / "train_records.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.writelines(
            json.dumps({"id": name, "title": None, "sentences": texts}) + "\n" for name, texts in CASES.items()
        )
    with gzip.open(root / "cases" / "questions.train.jsonl.gz", "wt", encoding="utf-8") as lines:
        for name, texts in CASES.items():
            row = {"id": name, "q": f"how long was it given? {texts[0]}", "s": 1, "a": "weeks", "k": "duration"}
            lines.write(json.dumps(row) + "\n")
    abstract = {"id": "71", "title": "Salt and cramps", "abstract": "Salt prevents cramps. Water does not."}
    with gzip.open(root / "scifact" / "records.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps(abstract | {"id": f"{71 + n}"}) + "\n" for n in range(3))
    (root / "scifact" / "queries.train.jsonl").write_text('{"_id": "9", "text": "Salt prevents cramps."}\n', "utf-8")
    (root / "scifact" / "qrels.train.tsv").write_text("query-id\tcorpus-id\tscore\n9\t71\t1\n", "utf-8")
    with gzip.open(root / "phee" / "records.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.writelines(json.dumps({"id": name, **texts}) + "\n" for name, texts in EVENTS.items())
    with (root / "phee" / "questions.dev.jsonl").open("w", encoding="utf-8") as lines:
        for name, texts in EVENTS.items():
            row = {"kind": "dose", "question": "At what dose?", "gold_doc_ids": [name], "answers": ["9 mg"]}
            lines.write(json.dumps(row | {"gold_sentence": texts["title"]}) + "\n")
            lines.write(json.dumps(row | {"gold_sentence": "Nobody wrote this."}) + "\n")
    return root


def test_a_group_is_the_record_asked_about_and_wrong_ones() -> None:
    group = make_group(EXAMPLE, REPORTS, PLAIN, random.Random(1))
    assert group.reports[0] == REPORTS["pmid:0"]
    assert (group.about, group.gold, group.span) == (0, 0, 2)
    assert len(set(group.reports)) == 3


def test_a_question_whose_record_is_taken_away_has_no_answer() -> None:
    group = make_group(EXAMPLE, REPORTS, Mixture(negatives=2, removed=1), random.Random(1))
    assert REPORTS["pmid:0"] not in group.reports
    assert (group.about, group.gold, group.span, len(group.reports)) == (None, None, NO_SPAN, 3)


def test_a_silenced_record_is_still_the_one_asked_about_but_does_not_answer() -> None:
    group = make_group(EXAMPLE, REPORTS, Mixture(removed=0, silenced=1, promoted=0), random.Random(1))
    assert REPORTS["pmid:0"].sentences[1] not in group.reports[0].sentences
    assert (group.about, group.gold, group.span) == (0, None, NO_SPAN)


def test_a_record_that_says_the_answer_twice_is_not_silenced() -> None:
    twice = Report("", ("He had it for 2 weeks.", "It was given for 2 weeks.", "He felt well."))
    assert silence(twice, EXAMPLE) is None


def test_wrong_records_are_different_ones_and_no_more_than_there_are() -> None:
    assert len(set(draw_wrong(EXAMPLE, REPORTS, 9, random.Random(1)))) == 3


def test_a_promoted_sentence_becomes_the_title_and_the_answer_is_still_found() -> None:
    for seed in range(30):
        report, span = promote_some(REPORTS["pmid:0"], 2, chance=1.0, rng=random.Random(seed))
        assert (report.title, *report.sentences)[span] == REPORTS["pmid:0"].sentences[1]


@pytest.fixture
def drug_reports() -> dict[str, Report]:
    return REPORTS | {
        "pmid:0": Report(
            "",
            (
                "A 61-year-old sailor on amiodarone developed ventricular tremor and severe ataxia.",
                "Oral prednisolone was given for temporal arteritis with jaw claudication.",
                "His gait disturbance and slurred speech had gone after six weeks.",
            ),
        ),
        "pmid:1": Report("", ("A sailor had ventricular tremor and severe ataxia on amiodarone.", "Nothing helped.")),
    }


def test_an_exercise_names_the_case_beside_its_answer(drug_reports: dict[str, Report]) -> None:
    answered = [item for item in make_exercises(drug_reports, [EXAMPLE]) if item.span >= 0]
    assert answered
    for item in answered:
        sentence = drug_reports["pmid:0"].sentences[item.span - 1]
        assert item.answer in sentence
        named = set(re.findall(r"\w+", item.question)) & set(re.findall(r"\w+", sentence))
        assert named - set(re.findall(r"\w+", item.answer))


def test_an_exercise_that_no_sentence_answers_is_of_a_kind_that_the_record_lacks(
    drug_reports: dict[str, Report],
) -> None:
    same = {f"pmid:{number}": drug_reports["pmid:1"] for number in range(9)}
    texts = " ".join(drug_reports["pmid:1"].sentences)
    made = make_exercises(same, [replace(EXAMPLE, record_id=name, near=()) for name in same])
    silent = [item.question for item in made if item.span < 0]
    assert silent
    for question in silent:
        asked = [
            kind
            for kind in KINDS.values()
            if any(all(part.strip() in question for part in form.split("{}")) for form in kind.forms)
        ]
        assert any(not kind.answer.search(texts) for kind in asked)


def test_a_neighbour_that_could_answer_an_exercise_too_is_no_wrong_record(drug_reports: dict[str, Report]) -> None:
    reports = drug_reports | {"pmid:0": Report("", drug_reports["pmid:0"].sentences[:1])}
    made = make_exercises(reports, [replace(EXAMPLE, near=("pmid:1", "pmid:2"))])
    assert made
    assert {item.near for item in made if item.span >= 0} == {("pmid:2",)}


def test_choosing_right_costs_little_and_wrong_much() -> None:
    logits = torch.tensor([9.0, -9.0])
    assert choice_loss(logits, 0) < 0.01
    assert choice_loss(logits, 1) > 9
    assert choice_loss(-logits.abs(), None) < 0.01


def test_a_claim_teaches_the_record_and_no_sentence() -> None:
    group = Group(question="", reports=(REPORTS["pmid:0"],), about=0, span=UNKNOWN_SPAN)
    _, parts = reader_loss(torch.tensor([2.0]), [torch.tensor([1.0, 1.0])], [group], silent_weight=1.0)
    assert parts["record"] > 0
    assert parts["span"] == parts["silent"] == 0


def test_the_rate_rises_stays_and_falls() -> None:
    config = Config(warmup=0.1, cooldown=0.5)
    shares = [rate(step, 100, config) for step in (0, 9, 40, 75, 99)]
    assert shares == pytest.approx([0.1, 1.0, 1.0, 0.5, 0.02])


def test_a_setting_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no_such is no setting of a run"):
        configure(tmp_path / "run", ["no_such=1"])


def test_neighbours_of_other_questions_are_refused(tmp_path: Path) -> None:
    cache = tmp_path / "near.jsonl"
    cache.write_text("[]\n[]\n", "utf-8")
    with pytest.raises(ValueError, match="has 2 lines for 1 examples"):
        add_neighbours([EXAMPLE], cache)


def test_questions_on_adverse_events_are_of_records_that_the_measure_does_not_ask(data: Path, tmp_path: Path) -> None:
    material = load_material(data, tmp_path / "material")
    assert {item.record_id for item in material.events} == {name for name in EVENTS if trains_events(name)}
    assert all(item.span == 0 and trains_events(near) for item in material.events for near in item.near)
    assert 0 < len(material.events) < len(EVENTS)


def test_a_run_stopped_and_taken_up_ends_where_an_unbroken_one_does(data: Path, tmp_path: Path) -> None:
    config = Config(questions=2, claims=1, exercises=1, events=1, epochs=1.0, validated=2)
    material = load_material(data, tmp_path / "material")
    assert {example.record_id for example in material.train}.isdisjoint(
        example.record_id for example in material.held_out
    )
    assert all(is_held_out(name) is False for example in material.train for name in example.near)

    def run(name: str) -> Run:
        configure(tmp_path / name, [])
        return Run(tmp_path / name, config, material)

    unbroken = run("unbroken")
    losses = [unbroken.advance()["loss"] for _ in range(4)]
    first = run("broken")
    for _ in range(2):
        first.advance()
    first.save()
    second = run("broken")
    second.resume()
    assert second.step == 2
    assert [second.advance()["loss"] for _ in range(2)] == pytest.approx(losses[2:], rel=1e-3)
    steps = [groups_of_step(material, step, Counts(2, 1, 1, 1), config.mixture, seed=1) for step in (1, 2)]
    assert steps[0] != steps[1]


def test_exported_weights_are_the_mean_without_word_embeddings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.torch import load_file, save_file

    (tmp_path / "config.json").write_text("{}", "utf-8")
    for number in (1, 3):
        weights = {"record.0.bias": torch.full((2,), float(number)), export.WORD_EMBEDDINGS: torch.zeros(1)}
        save_file(weights, tmp_path / f"snapshot-{number}.safetensors")
    monkeypatch.setattr(export, "TARGET", tmp_path)
    export.main([tmp_path / "snapshot-1.safetensors", tmp_path / "snapshot-3.safetensors"])
    stored = load_file(tmp_path / export.WEIGHTS)
    assert list(stored) == ["record.0.bias"]
    assert stored["record.0.bias"].tolist() == [2.0, 2.0]
    facts = json.loads((tmp_path / export.CARD).read_text("utf-8"))
    assert facts["bytes"] == (tmp_path / export.WEIGHTS).stat().st_size
