"""The report of a run: its provenance, a row for each question, and the measures by kind and overall."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from assistant.evaluation.intervals import Difference, Estimate, estimate_mean
from assistant.evaluation.questions import FileInfo
from assistant.evaluation.ranking import RANKING_MEASURES
from index.errors import WrongUseError

SCHEMA_VERSION: Literal[1] = 1
ALL = "all"
SHARES = (
    *RANKING_MEASURES,
    "answer_at_1",
    "answer_at_3",
    "answer_in_text",
    "citation_precision",
    "citation_recall",
    "sentence_precision",
    "sentence_recall",
    "answered_unanswerable",
    "abstained_answerable",
)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class IndexInfo(_Model):
    """The evaluated build of the index."""

    build_id: str
    record_count: int
    embedder: str


class MachineInfo(_Model):
    """The machine on which the latencies were measured."""

    cores: int
    system: str
    python: str


class RunInfo(_Model):
    """Provenance of a run. `git_commit` ends in -dirty if the checkout was changed; None outside of a checkout."""

    mode: Literal["answers", "ranking"]
    questions: FileInfo
    qrels: FileInfo | None
    index: IndexInfo
    settings_id: str
    llm: str | None
    casecite_version: str
    git_commit: str | None
    date: datetime
    machine: MachineInfo


class Row(_Model):
    """One question. `gold_rank` is the rank of the first gold record among the ten ranked.

    In `ranked_ids` and `cited_ids` a gold record has its gold id, another record its record id. `right_...` is None and
    `measures` lacks a measure that does not apply to the question; in a ranking run all fields on answers are None.
    """

    id: str
    kind: str
    turn: int
    query: str
    gold_rank: int | None
    ranked_ids: tuple[str, ...]
    cited_ids: tuple[str, ...] = ()
    right_at_1: bool | None = None
    right_at_3: bool | None = None
    right_in_answer: bool | None = None
    abstained: bool | None = None
    confidence: float | None = None
    ms: float
    measures: dict[str, float]


class Latency(_Model):
    """Percentiles of the milliseconds a question."""

    p50: float
    p95: float


class Group(_Model):
    """The questions of one kind, or all; each measure is over the questions to which it applies."""

    kind: str
    questions: int
    measures: dict[str, Estimate]
    latency_ms: Latency


class GroupDifference(_Model):
    """New minus old for the questions of one kind, or all, that both reports have."""

    kind: str
    questions: int
    measures: dict[str, Difference]


class Comparison(_Model):
    """This run compared with an older one."""

    old_run: RunInfo
    groups: tuple[GroupDifference, ...]


class Report(_Model):
    """A run and its results."""

    schema_version: Literal[1] = SCHEMA_VERSION
    run: RunInfo
    warnings: tuple[str, ...]
    groups: tuple[Group, ...]
    comparison: Comparison | None = None
    rows: tuple[Row, ...]


def summarise_rows(rows: Sequence[Row]) -> tuple[Group, ...]:
    """The measures over all rows, then by kind in the order of first occurrence."""
    return tuple(
        Group(kind=kind, questions=len(group), measures=_estimate(group), latency_ms=_latency(group))
        for kind, group in group_rows(rows).items()
    )


def group_rows(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """All rows, then those of each kind."""
    groups = {ALL: list(rows)}
    for row in rows:
        groups.setdefault(row.kind, []).append(row)
    return groups


def read_report(path: str | Path) -> Report:
    """Read a report of this version.

    Raises:
        WrongUseError: the file is missing or not a report of this version.
    """
    remedy = "give a report written by casecite evaluate -o"
    try:
        return Report.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise WrongUseError(f"no report at {path}", remedy=remedy) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise WrongUseError(
            f"{path} is not a report of version {SCHEMA_VERSION}: {place}: {first['msg']}", remedy=remedy
        ) from error


def _estimate(rows: Sequence[Row]) -> dict[str, Estimate]:
    values = {name: [row.measures[name] for row in rows if name in row.measures] for name in SHARES}
    return {name: estimate_mean(measured) for name, measured in values.items() if measured}


def _latency(rows: Sequence[Row]) -> Latency:
    times = sorted(row.ms for row in rows)
    return Latency(p50=_percentile(times, 50), p95=_percentile(times, 95))


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """The percentile by nearest rank."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
