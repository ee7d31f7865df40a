"""Comparison of two reports on the same questions: differences of the measures and their significance."""

from __future__ import annotations

from assistant.evaluation.intervals import Difference, estimate_difference
from assistant.evaluation.questions import FileInfo
from assistant.evaluation.report import SHARES, Comparison, GroupDifference, Report, Row, RunInfo, group_rows
from index.errors import WrongUseError

_Pairs = dict[tuple[str, int], tuple[Row, Row]]


def compare_reports(old: Report, new: Report) -> Comparison:
    """The differences, new minus old, paired by question.

    Raises:
        WrongUseError: the reports are not on the same questions and judgements.
    """
    check_comparable(old.run, new.run.questions, new.run.qrels)
    old_rows = {(row.id, row.turn): row for row in old.rows}
    pairs = {key: (old_rows[key], row) for row in new.rows if (key := (row.id, row.turn)) in old_rows}
    groups = group_rows([row for _, row in pairs.values()])
    return Comparison(
        old_run=old.run,
        groups=tuple(
            GroupDifference(kind=kind, questions=len(rows), measures=_differences(pairs, rows))
            for kind, rows in groups.items()
        ),
    )


def check_comparable(old: RunInfo, questions: FileInfo, qrels: FileInfo | None) -> None:
    """Check that an old run used these questions and judgements.

    Raises:
        WrongUseError: it used others.
    """
    for what, before, now in (("questions", old.questions, questions), ("qrels", old.qrels, qrels)):
        if (before and before.sha256) != (now and now.sha256):
            raise WrongUseError(
                f"the {what} are not those of the old report: {_name_file(now)} here, {_name_file(before)} there",
                remedy="compare runs on one version of one file",
            )


def _differences(pairs: _Pairs, rows: list[Row]) -> dict[str, Difference]:
    """The differences over the questions to which a measure applies in both runs."""
    differences = {}
    for name in SHARES:
        measured = [
            (old.measures[name], new.measures[name])
            for old, new in (pairs[row.id, row.turn] for row in rows)
            if name in old.measures and name in new.measures
        ]
        if measured:
            differences[name] = estimate_difference(*zip(*measured, strict=True))
    return differences


def _name_file(file: FileInfo | None) -> str:
    return f"{file.name} ({file.sha256[:12]})" if file else "none"
