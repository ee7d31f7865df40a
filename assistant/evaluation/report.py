"""The report of a run: what was asked of what, every question's row, and the measures by kind and over all."""

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
    """The build that was asked."""

    build_id: str
    record_count: int
    embedder: str


class MachineInfo(_Model):
    """What the latencies were taken on."""

    cores: int
    system: str
    python: str


class RunInfo(_Model):
    """What makes a run repeatable. `git_commit` ends in -dirty if the checkout was changed; None outside of one."""

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

    In `ranked_ids` and `cited_ids` a gold record goes by its gold id, another one by its record id. `right_...` and
    `measures` hold only what applies to the question; `confidence` and what is about answers is None in a ranking run.
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
    """Milliseconds a question."""

    p50: float
    p95: float


class Group(_Model):
    """The questions of one kind, or all; a measure counts the questions that it applies to."""

    kind: str
    questions: int
    measures: dict[str, Estimate]
    latency_ms: Latency


class GroupDifference(_Model):
    """New minus old for the questions of one kind, or all, that both reports hold."""

    kind: str
    questions: int
    measures: dict[str, Difference]


class Comparison(_Model):
    """This run against an older one."""

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
    """The measures over all rows, then kind by kind in the order in which they come."""
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
        WrongUseError: the file is missing or no such report.
    """
    remedy = "give a report that casecite evaluate -o has written"
    try:
        return Report.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise WrongUseError(f"no report at {path}", remedy=remedy) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise WrongUseError(
            f"{path} is no report of version {SCHEMA_VERSION}: {place}: {first['msg']}", remedy=remedy
        ) from error


def _estimate(rows: Sequence[Row]) -> dict[str, Estimate]:
    values = {name: [row.measures[name] for row in rows if name in row.measures] for name in SHARES}
    return {name: estimate_mean(measured) for name, measured in values.items() if measured}


def _latency(rows: Sequence[Row]) -> Latency:
    times = sorted(row.ms for row in rows)
    return Latency(p50=_percentile(times, 50), p95=_percentile(times, 95))


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """The smallest value that at least so many percent do not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
