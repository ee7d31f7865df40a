"""Evaluation: questions with known answers in, a report of measures with confidence intervals out.

    questions, qrels -> runner -> judging (matching), ranking -> report (intervals) -> comparison, tables

`evaluate` asks an open assistant every question; `casecite evaluate` is the same from the command line.
"""

from __future__ import annotations

from assistant.evaluation.comparison import compare_reports
from assistant.evaluation.qrels import read_judged_queries
from assistant.evaluation.questions import read_questions
from assistant.evaluation.report import Report, read_report
from assistant.evaluation.runner import evaluate
from assistant.evaluation.tables import render_report

__all__ = [
    "Report",
    "compare_reports",
    "evaluate",
    "read_judged_queries",
    "read_questions",
    "read_report",
    "render_report",
]
