"""A report as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assistant.evaluation.intervals import Estimate
from assistant.evaluation.report import ALL, Comparison, Group, Report

# Each measure's name in the tables of overall measures, and its short name as a column header.
NAMES = {
    "hit@1": ("gold record first", "hit@1"),
    "hit@3": ("gold record in the first 3", "hit@3"),
    "hit@5": ("gold record in the first 5", "hit@5"),
    "hit@10": ("gold record in the first 10", "hit@10"),
    "mrr@10": ("MRR@10", "MRR@10"),
    "ndcg@10": ("nDCG@10", "nDCG@10"),
    "answer_at_1": ("answer in the first sentence quoted", "answer@1"),
    "answer_at_3": ("answer in the first 3 sentences quoted", "answer@3"),
    "answer_in_text": ("answer in the answer shown", "answer"),
    "citation_precision": ("cited records that are gold", "cited P"),
    "citation_recall": ("gold records that are cited", "cited R"),
    "sentence_precision": ("quotes that are gold sentences", "sentence P"),
    "sentence_recall": ("gold sentences that are quoted", "sentence R"),
    "answered_unanswerable": ("answered though unanswerable", "answered wrongly"),
    "abstained_answerable": ("abstained though answerable", "abstained wrongly"),
}


def render_report(report: Report) -> str:
    """The run, the overall measures with their intervals, the measures by kind, and the comparison if there is one."""
    parts = [_describe_run(report), _render_overall(report.groups[0]), _render_kinds(report.groups)]
    if report.comparison:
        parts.append(_render_comparison(report.comparison))
    return "\n\n".join(parts)


def _describe_run(report: Report) -> str:
    run = report.run
    judged = f", judged by {run.qrels.name}" if run.qrels else ""
    commit = f", commit {run.git_commit[:12]}" if run.git_commit else ""
    return (
        f"{report.groups[0].questions} questions of {run.questions.name} (sha256 {run.questions.sha256[:12]}){judged}; "
        f"index {run.index.build_id}, {run.index.record_count} records, {run.index.embedder}; "
        f"settings {run.settings_id}, {run.llm or 'no chat model'}; casecite {run.casecite_version}{commit}; "
        f"{run.date:%Y-%m-%d}, {run.machine.cores} cores."
    )


def _render_overall(group: Group) -> str:
    rows = [
        (NAMES[name][0], f"{item.value:.3f}", _interval(item), str(item.questions))
        for name, item in group.measures.items()
    ]
    latency = group.latency_ms
    rows.append(
        ("milliseconds a question, p50 / p95", f"{latency.p50:.0f} / {latency.p95:.0f}", "", str(group.questions))
    )
    return _table(("measure", "value", "95 % interval", "questions"), rows)


def _render_kinds(groups: Sequence[Group]) -> str:
    names = [name for name in NAMES if any(name in group.measures for group in groups)]
    rows = [
        (
            group.kind,
            str(group.questions),
            *(f"{group.measures[name].value:.2f}" if name in group.measures else "" for name in names),
            f"{group.latency_ms.p50:.0f} / {group.latency_ms.p95:.0f}",
        )
        for group in groups
    ]
    return _table(("kind", "questions", *(NAMES[name][1] for name in names), "ms p50 / p95"), rows)


def _render_comparison(comparison: Comparison) -> str:
    old = comparison.old_run
    overall = next(group for group in comparison.groups if group.kind == ALL)
    rows = [
        (
            NAMES[name][0],
            f"{item.old:.3f}",
            f"{item.new:.3f}",
            f"{item.value:+.3f}",
            _interval(item, "+"),
            f"{item.p_value:.3f}",
            str(item.questions),
        )
        for name, item in overall.measures.items()
    ]
    settings = f"settings {old.settings_id}, {old.llm or 'no chat model'}"
    head = f"Against the run of {old.date:%Y-%m-%d} (index {old.index.build_id}, {settings}):"
    return head + "\n\n" + _table(("measure", "old", "new", "difference", "95 % interval", "p", "questions"), rows)


def _interval(item: Estimate, sign: str = "") -> str:
    return "" if item.low is None or item.high is None else f"{item.low:{sign}.3f} to {item.high:{sign}.3f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
        for cells in (head, *rows)
    ]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])
