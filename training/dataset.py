"""Everything that a run trains and validates with, and which groups belong to which step."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from assistant.reading.rows import Report
from training.data import Example, is_held_out, read_case_reports, read_reports
from training.hard_negatives import prepare_cases, prepare_claims, prepare_events
from training.sampling import Group, Mixture, make_group
from training.synthetic import make_exercises


class Counts(NamedTuple):
    """How many groups of each sort are in a step."""

    questions: int
    claims: int
    exercises: int
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Records by id, and examples: those to train with, those held out (by their record), claims, exercises, events."""

    reports: dict[str, Report]
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    claims: tuple[Example, ...]
    exercises: tuple[Example, ...]
    events: tuple[Example, ...]


def load_material(data: Path, work: Path) -> Material:
    """Read the data, and search the neighbours, which are kept in the folder `work`.

    Records that are held out are no wrong records in training either.
    """
    examples = prepare_cases(data, work)
    others = (read_reports(data / name / "records.jsonl.gz") for name in ("phee", "scifact"))
    reports = {name: report for part in (*others, read_case_reports(data)) for name, report in part.items()}
    train = tuple(
        replace(item, near=tuple(name for name in item.near if not is_held_out(name)))
        for item in examples
        if not is_held_out(item.record_id)
    )
    return Material(
        reports=reports,
        train=train,
        held_out=tuple(item for item in examples if is_held_out(item.record_id)),
        claims=tuple(prepare_claims(data, work)),
        exercises=tuple(make_exercises(reports, train)),
        events=tuple(prepare_events(data, work, reports)),
    )


def groups_of_step(material: Material, step: int, counts: Counts, mixture: Mixture, seed: int) -> list[Group]:
    """The groups of a step, so many of each sort.

    They follow from the seed and the step alone, so that a run that is taken up again sees what it would have seen.
    """
    sorts = (
        (material.train, counts.questions, f"{seed}"),
        (material.claims, counts.claims, f"{seed}-claims"),
        (material.exercises, counts.exercises, f"{seed}-exercises"),
        (material.events, counts.events, f"{seed}-events"),
    )
    return [
        group
        for examples, count, name in sorts
        for group in _draw(examples, material.reports, step, count, mixture, name)
    ]


def _draw(
    examples: Sequence[Example],
    reports: Mapping[str, Report],
    step: int,
    count: int,
    mixture: Mixture,
    seed: str,
) -> list[Group]:
    groups = []
    for place in range(step * count, (step + 1) * count):
        epoch, within = divmod(place, len(examples))
        example = examples[_shuffled(len(examples), f"{seed}-{epoch}")[within]]
        groups.append(make_group(example, reports, mixture, random.Random(f"{seed}-{place}")))
    return groups


@lru_cache(maxsize=8)
def _shuffled(count: int, seed: str) -> list[int]:
    return random.Random(seed).sample(range(count), count)
