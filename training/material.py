"""Everything that a run trains and validates with, and which groups belong to which step."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from assistant.reader import Report
from training.data import Example, is_held_out, read_abstracts, read_case_reports
from training.neighbours import prepare_cases, prepare_claims
from training.sampling import Group, Mixture, make_group


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Records by id, and examples: those to train with, those held out (by their record), and claims to train with."""

    reports: dict[str, Report]
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]
    claims: tuple[Example, ...]


def load_material(data: Path, work: Path) -> Material:
    """Read the data, and search the neighbours, which are kept in the folder `work`.

    Records that are held out are no wrong records in training either.
    """
    examples = prepare_cases(data, work)
    return Material(
        reports=read_case_reports(data) | read_abstracts(data),
        train=tuple(
            replace(item, near=tuple(name for name in item.near if not is_held_out(name)))
            for item in examples
            if not is_held_out(item.record_id)
        ),
        held_out=tuple(item for item in examples if is_held_out(item.record_id)),
        claims=tuple(prepare_claims(data, work)),
    )


def groups_of_step(
    material: Material, step: int, questions: int, claims: int, mixture: Mixture, seed: int
) -> list[Group]:
    """`questions` groups of questions and `claims` of claims.

    They follow from the seed and the step alone, so that a run that is taken up again sees what it would have seen.
    """
    return [
        *_draw(material.train, material, step, questions, mixture, f"{seed}"),
        *_draw(material.claims, material, step, claims, mixture, f"{seed}-claims"),
    ]


def _draw(
    examples: Sequence[Example], material: Material, step: int, count: int, mixture: Mixture, seed: str
) -> list[Group]:
    groups = []
    for place in range(step * count, (step + 1) * count):
        epoch, within = divmod(place, len(examples))
        example = examples[_shuffled(len(examples), f"{seed}-{epoch}")[within]]
        groups.append(make_group(example, material.reports, mixture, random.Random(f"{seed}-{place}")))
    return groups


@lru_cache(maxsize=4)
def _shuffled(count: int, seed: str) -> list[int]:
    return random.Random(seed).sample(range(count), count)
