"""Groups to train on: a question, its record, wrong ones, and what is right for each."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from assistant.reading.rows import Report
from training.data import NO_SPAN, UNKNOWN_SPAN, Example

MIN_ANSWER_CHARS = 2
MIN_SENTENCES_TO_PROMOTE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Records to read for one question.

    `about` is the place of the record that the question is about, None where it was taken away. `span` is what answers
    in it, counted as rows count (0 is the title), NO_SPAN where nothing does and UNKNOWN_SPAN where it is not
    known.
    """

    question: str
    reports: tuple[Report, ...]
    about: int | None
    span: int

    @property
    def gold(self) -> int | None:
        """The place of the record that answers, or None."""
        return None if self.span == NO_SPAN else self.about


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """How groups are drawn.

    negatives: wrong records in a group. removed: how often a question loses its record. silenced: how often the record
    loses the sentence that answers. promoted: how often a sentence of a record without a title becomes its title.
    """

    negatives: int = 1
    removed: float = 0.08
    silenced: float = 0.12
    promoted: float = 0.15


def make_group(example: Example, reports: Mapping[str, Report], mixture: Mixture, rng: random.Random) -> Group:
    """One group for one question, drawn with `rng`; the record it is about comes first where it is there."""
    draw = rng.random()
    if example.span != UNKNOWN_SPAN and draw < mixture.removed:
        wrong = draw_wrong(example, reports, mixture.negatives + 1, rng)
        return Group(question=example.question, reports=tuple(wrong), about=None, span=NO_SPAN)
    own, span = reports[example.record_id], example.span
    if draw < mixture.removed + mixture.silenced and (silenced := silence(own, example)):
        own, span = silenced, NO_SPAN
    wrong = draw_wrong(example, reports, mixture.negatives, rng)
    own, span = promote_some(own, span, mixture.promoted, rng)
    others = [promote_some(report, NO_SPAN, mixture.promoted, rng)[0] for report in wrong]
    return Group(question=example.question, reports=(own, *others), about=0, span=span)


def draw_wrong(example: Example, reports: Mapping[str, Report], count: int, rng: random.Random) -> list[Report]:
    """`count` different neighbours (or as many as there are), the better ranked the likelier."""
    left = list(example.near)
    chosen: list[str] = []
    for _ in range(min(count, len(left))):
        weights = [1 / (3 + rank) for rank in range(len(left))]
        chosen.append(left.pop(rng.choices(range(len(left)), weights)[0]))
    return [reports[name] for name in chosen]


def silence(report: Report, example: Example) -> Report | None:
    """The record without the sentence that answers; None if the answer is elsewhere too or is not known."""
    answer = example.answer.casefold().strip()
    if example.span < 0 or example.kind == "yes_no" or len(answer) < MIN_ANSWER_CHARS:
        return None
    title, *sentences = (
        "" if number == example.span else text for number, text in enumerate((report.title, *report.sentences))
    )
    left = tuple(filter(None, sentences))
    if len(left) < 2 or answer in " ".join([title, *left]).casefold():
        return None
    return Report(title, left)


def promote_some(report: Report, span: int, chance: float, rng: random.Random) -> tuple[Report, int]:
    """Sometimes a sentence of a record without a title becomes its title, half the time the one that answers.

    Nearly all training records are without one, so that the reader would never learn that a title can answer.
    """
    if report.title or len(report.sentences) < MIN_SENTENCES_TO_PROMOTE or rng.random() >= chance:
        return report, span
    place = span - 1 if span > 0 and rng.random() < 0.5 else rng.randrange(len(report.sentences))
    rest = report.sentences[:place] + report.sentences[place + 1 :]
    promoted = Report(report.sentences[place], rest)
    if span > 0 and place == span - 1:
        return promoted, 0
    return promoted, span - 1 if 0 <= place < span - 1 else span
