"""The command line: ask, chat, serve, index, feedback, evaluate, doctor."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli.common import EXIT_INSUFFICIENT_EVIDENCE, EXIT_INTERRUPTED, IndexOption, stop
from assistant.cli.index_commands import index_app
from index.errors import CaseciteError, WrongUseError
from index.types import Filters

if TYPE_CHECKING:
    from assistant.answers import Answer, AnswerEvent

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Ask published case reports; every statement comes with the sentence that says it.",
)
app.add_typer(index_app, name="index")
feedback_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Verdicts of users on answers.")
app.add_typer(feedback_app, name="feedback")

LlmOption = Annotated[str | None, typer.Option("--llm", help="Chat model, provider:model [env: CASECITE_LLM].")]
TopKOption = Annotated[int | None, typer.Option("--top-k", help="Number of records to read.")]
YearFromOption = Annotated[int | None, typer.Option("--year-from", help="Only records of this year or later.")]
YearToOption = Annotated[int | None, typer.Option("--year-to", help="Only records of this year or earlier.")]
JournalOption = Annotated[list[str] | None, typer.Option("--journal", help="Only this journal; may be repeated.")]


def main() -> None:
    """Run the command line; an error that a user can fix is one line on stderr."""
    try:
        app()
    except CaseciteError as error:
        stop(str(error), error.exit_code)


@app.command()
def ask(
    question: str,
    as_json: Annotated[bool, typer.Option("--json", help="Write the answer as one JSON object.")] = False,
    index: IndexOption = None,
    llm: LlmOption = None,
    top_k: TopKOption = None,
    year_from: YearFromOption = None,
    year_to: YearToOption = None,
    journal: JournalOption = None,
) -> None:
    """Answer one question. Exit code 3 means that the records do not have the answer."""
    from assistant.assistant import Assistant

    filters = Filters(year_from=year_from, year_to=year_to, journals=tuple(journal or ()))
    with Assistant.open(index, llm, **_given(top_k=top_k)) as assistant:
        answer = assistant.ask(question, filters=filters)
    typer.echo(answer.to_json() if as_json else answer.to_text())
    if answer.status == "insufficient_evidence":
        raise typer.Exit(EXIT_INSUFFICIENT_EVIDENCE)


@app.command()
def chat(index: IndexOption = None, llm: LlmOption = None, top_k: TopKOption = None) -> None:
    """Chat in the terminal; follow-up questions refer to the same case. An empty line or Ctrl-D ends it."""
    from assistant.assistant import Assistant
    from assistant.types import Turn

    history: list[Turn] = []
    with Assistant.open(index, llm, **_given(top_k=top_k)) as assistant:
        typer.echo(f"{assistant.index.manifest.record_count} records. Ask; an empty line ends.", err=True)
        while question := _read_question():
            try:
                answer = _show(assistant.stream(question, history))
            except WrongUseError as error:
                typer.echo(str(error), err=True)
                continue
            history += answer.turns


def _show(events: Iterator[AnswerEvent]) -> Answer:
    """Print an answer as it arrives: steps to stderr, checked text to stdout, the references last."""
    from assistant.answers import render_notes

    shown = ""
    for event in events:
        if event.text:
            typer.echo(event.text[len(shown) :], nl=False)
            shown = event.text
        else:
            typer.echo(f"({event.step})", err=True)
        if event.answer is not None:
            typer.echo("\n\n" + "\n\n".join(render_notes(event.answer)) + "\n")
            return event.answer
    raise RuntimeError("a stream of events ended without an answer")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 7860,
    index: IndexOption = None,
    llm: LlmOption = None,
    mcp: Annotated[bool, typer.Option("--mcp", help="Also serve the tools for language models, at /mcp.")] = False,
) -> None:
    """Serve the web chat."""
    from assistant.assistant import Assistant
    from assistant.page import serve_page

    with Assistant.open(index, llm) as assistant:
        serve_page(assistant, host=host, port=port, mcp=mcp)


@feedback_app.command("export")
def export_feedback(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the questions to this file.")] = None,
) -> None:
    """Write the judged answers as a question file for casecite evaluate, one JSON object a line."""
    from assistant.feedback import FeedbackStore, export_questions
    from assistant.settings import AssistantSettings

    store = FeedbackStore(AssistantSettings().feedback_path)
    questions = list(export_questions(store))
    if not questions:
        raise WrongUseError(f"no feedback in {store.path}", remedy="CASECITE_FEEDBACK_PATH names the file")
    lines = "".join(json.dumps(question, ensure_ascii=False) + "\n" for question in questions)
    if output is None:
        typer.echo(lines, nl=False)
    else:
        try:
            output.write_text(lines, "utf-8")
        except OSError as error:
            remedy = "choose another --output file"
            raise WrongUseError(f"cannot write {output}: {error.strerror}", remedy=remedy) from error
    counts = Counter(question["kind"] for question in questions)
    typer.echo(", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())), err=True)


@app.command()
def evaluate(
    questions: Annotated[Path, typer.Option(help="File of questions; with --qrels, of queries (BEIR or TREC).")],
    qrels: Annotated[
        Path | None, typer.Option(help="Relevance judgements of the queries; measures rankings only.")
    ] = None,
    records: Annotated[list[str] | None, typer.Option(help="Build an index of these records; may be repeated.")] = None,
    index: IndexOption = None,
    llm: LlmOption = None,
    compare: Annotated[Path | None, typer.Option(help="Report of an older run to compare with.")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the report to this file.")] = None,
) -> None:
    """Measure rankings, answers, citations and refusals on questions with known answers."""
    from assistant.cli.evaluate_command import evaluate_files
    from assistant.evaluation.tables import render_report

    try:
        report = evaluate_files(
            questions,
            qrels_path=qrels,
            record_paths=records or (),
            index_dir=index,
            llm=llm,
            old_report_path=compare,
            report_path=output,
        )
    except KeyboardInterrupt:
        stop("stopped; no report was written", EXIT_INTERRUPTED)
    for warning in report.warnings:
        typer.echo(f"casecite: {warning}", err=True)
    typer.echo(render_report(report))


@app.command()
def doctor(index: IndexOption = None, llm: LlmOption = None) -> None:
    """Show what is installed, which models and index are in use, and what to fix."""
    from assistant.cli.doctor import examine

    findings = list(examine(index, llm))
    for finding in findings:
        typer.echo(f"{'ok  ' if finding.is_ok else 'FIX '} {finding.subject:16} {finding.detail}")
    if not all(finding.is_ok for finding in findings):
        raise typer.Exit(1)


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _read_question() -> str:
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return ""
