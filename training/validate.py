"""Measures a reader on the held-out training questions, so that nothing is chosen on the development questions."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from assistant.reading.passages import softmax_or_none
from assistant.reading.reader import Reader, Reading
from assistant.reading.rows import Report
from training.data import Example

DEPTH = 8
SPARED = 0.05


class Outcome(NamedTuple):
    """What was found for one question: whether the right record and the right sentence came first, how sure it was."""

    is_record_first: bool
    sentence_rank: int | None
    answered: float


def validate(reader: Reader, examples: Sequence[Example], reports: Mapping[str, Report]) -> dict[str, float]:
    """Shares of the held-out questions: right record first, right sentence first and in three, refused.

    Each question is read with its DEPTH nearest records, its own among them. `silent`: the share refused of questions
    whose record does not say. `absent`: of every third question, asked without its record. Both where SPARED of the
    answerable are refused.
    """
    answerable, silent, absent = [], [], []
    for number, example in enumerate(examples):
        others = list(example.near[: DEPTH - 1])
        if number % 3 == 0:
            absent.append(_answered(reader.read(example.question, [reports[name] for name in others])))
        readings = reader.read(example.question, [reports[name] for name in [example.record_id, *others]])
        if example.span < 0:
            silent.append(_answered(readings))
        else:
            answerable.append(_judge(readings, example.span))
    count = max(1, len(answerable))
    threshold = sorted(outcome.answered for outcome in answerable)[int(SPARED * count)]
    return {
        "record_first": sum(outcome.is_record_first for outcome in answerable) / count,
        "sentence_first": sum(outcome.sentence_rank == 1 for outcome in answerable) / count,
        "sentence_in_three": sum((outcome.sentence_rank or 4) <= 3 for outcome in answerable) / count,
        "silent": sum(score < threshold for score in silent) / max(1, len(silent)),
        "absent": sum(score < threshold for score in absent) / max(1, len(absent)),
    }


def draw_sample(examples: Sequence[Example], count: int) -> list[Example]:
    """The same `count` examples every time; a fifth are such that their record does not say, if there are so many."""
    shuffled = random.Random(0).sample(list(examples), len(examples))
    silent = [example for example in shuffled if example.span < 0][: count // 5]
    return silent + [example for example in shuffled if example.span >= 0][: count - len(silent)]


def _judge(readings: Sequence[Reading], gold: int) -> Outcome:
    """The outcome where the first of the records is the right one and its span `gold` answers."""
    chances = softmax_or_none([reading.record for reading in readings])
    scored = sorted(
        (
            (chance * inside, place, number)
            for place, (reading, chance) in enumerate(zip(readings, chances, strict=True))
            for number, inside in enumerate(softmax_or_none([reading.title, *reading.sentences]))
        ),
        reverse=True,
    )
    ranks = {(place, number): rank for rank, (_, place, number) in enumerate(scored, 1)}
    return Outcome(chances[0] == max(chances), ranks.get((0, gold)), _answered(readings))


def _answered(readings: Sequence[Reading]) -> float:
    """The probability that some sentence of some record answers."""
    chances = softmax_or_none([reading.record for reading in readings])
    inside = [sum(softmax_or_none([reading.title, *reading.sentences])) for reading in readings]
    return sum(chance * share for chance, share in zip(chances, inside, strict=True))
