"""`casecite evaluate`: files in, report out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from assistant.evaluation.comparison import check_comparable, compare_reports
from assistant.evaluation.qrels import read_judged_queries
from assistant.evaluation.questions import read_questions
from assistant.evaluation.report import Report, read_report
from assistant.evaluation.runner import Progress, evaluate
from index.errors import WrongUseError


def evaluate_files(
    questions_path: Path,
    *,
    qrels_path: Path | None = None,
    record_paths: Sequence[str] = (),
    index_dir: Path | None = None,
    llm: str | None = None,
    old_report_path: Path | None = None,
    report_path: Path | None = None,
) -> Report:
    """Ask the questions of a file and write the report. All input is checked before the first question.

    Raises:
        CaseciteError: a file, an option or the index cannot be used.
    """
    from assistant.assistant import Assistant
    from assistant.cli.progress import show_progress

    _check_options(qrels_path, record_paths, index_dir, llm, report_path)
    questions = read_judged_queries(questions_path, qrels_path) if qrels_path else read_questions(questions_path)
    old = read_report(old_report_path) if old_report_path else None
    if old:
        check_comparable(old.run, questions.source, questions.qrels)
    with (
        show_progress() as progress,
        _index_folder(record_paths, index_dir, progress) as folder,
        Assistant.open(folder, llm) as assistant,
    ):
        report = evaluate(assistant, questions, progress)
    if old:
        report = report.model_copy(update={"comparison": compare_reports(old, report)})
    if report_path:
        report_path.write_text(report.model_dump_json(indent=1) + "\n", "utf-8")
    return report


def _check_options(
    qrels_path: Path | None,
    record_paths: Sequence[str],
    index_dir: Path | None,
    llm: str | None,
    report_path: Path | None,
) -> None:
    if record_paths and index_dir:
        raise WrongUseError("--records and --index are both given", remedy="give one: records are built into an index")
    if qrels_path and llm:
        raise WrongUseError("--llm is given with --qrels", remedy="leave it out: with qrels records are only ranked")
    if report_path and (report_path.is_dir() or not report_path.absolute().parent.is_dir()):
        raise WrongUseError(f"no report can be written to {report_path}", remedy="name a file in a folder that exists")


@contextmanager
def _index_folder(record_paths: Sequence[str], index_dir: Path | None, progress: Progress) -> Iterator[Path | None]:
    """The folder of the index to ask; with records, a temporary index that is built from them."""
    from index.building.build import build_index

    if not record_paths:
        yield index_dir
        return
    with tempfile.TemporaryDirectory(prefix="casecite-evaluate-", ignore_cleanup_errors=True) as folder:
        build_index(record_paths, folder, "rebuild", progress)
        yield Path(folder)
