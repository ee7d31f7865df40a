"""`casecite index ...`: build, update, remove, fetch, info, verify, gc and export."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from assistant.cli.common import EXIT_INTERRUPTED, EXIT_NO_INDEX, IndexOption, stop
from index.errors import CaseciteError, WrongUseError
from index.types import BuildReport

if TYPE_CHECKING:
    from index.fetch import FetchReport
    from index.maintenance.verify import VerifyReport
    from index.progress import Progress

SHOWN_REJECTIONS = 10
UNCHANGED = "stopped; an index in use is unchanged"

index_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Build, maintain and inspect the index.")

PathsArgument = Annotated[list[str] | None, typer.Argument(help="Files, folders, or - for standard input.")]
ColumnsOption = Annotated[
    list[str] | None,
    typer.Option("--columns", metavar="FIELD=COLUMN", help="Column of a table for a field; may be repeated."),
]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait until a running build has finished.")]
ReportOption = Annotated[bool, typer.Option("--json", help="Write the report as one JSON object.")]


@index_app.command()
def build(
    paths: PathsArgument = None,
    demo: Annotated[bool, typer.Option("--demo", help="Build from the 40 demo records.")] = False,
    columns: ColumnsOption = None,
    wait: WaitOption = False,
    index: IndexOption = None,
    as_json: ReportOption = False,
) -> None:
    """Build the index from records; the old index answers until the new one is complete.

    Without PATHS the index is rebuilt from its own records or, if these are damaged, from its source files. This
    repairs a damaged index, and applies a change of the embedding model.
    """
    from index.building.build import build_index
    from index.demo import DEMO_RECORDS
    from index.maintenance.repair import heal_index

    sources, column_map = [*(paths or []), *([str(DEMO_RECORDS)] if demo else [])], _parse_columns(columns)
    with _working(UNCHANGED) as progress:
        if sources:
            report = build_index(sources, index, "rebuild", progress, columns=column_map, wait=wait)
        else:
            report = heal_index(index, progress, wait=wait)
    typer.echo(json.dumps(report.to_dict(), ensure_ascii=False) if as_json else _describe_build(report))


@index_app.command()
def update(
    paths: PathsArgument = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep running, and update when files in these folders change.")
    ] = False,
    columns: ColumnsOption = None,
    wait: WaitOption = False,
    index: IndexOption = None,
    as_json: ReportOption = False,
) -> None:
    """Add records to the index; only new text is embedded.

    A record of a report that the index has already completes or corrects it.
    """
    from index.building.build import build_index

    if not paths:
        raise WrongUseError("no records to add", remedy="give files or folders, or - for standard input")
    column_map = _parse_columns(columns)
    if watch:
        _watch(paths, index, column_map, as_json=as_json)
        return
    with _working(UNCHANGED) as progress:
        report = build_index(paths, index, "update", progress, columns=column_map, wait=wait)
    typer.echo(json.dumps(report.to_dict(), ensure_ascii=False) if as_json else _describe_build(report))


@index_app.command()
def remove(
    names: Annotated[list[str], typer.Argument(metavar="ID", help="DOIs, PubMed numbers, or other ids of records.")],
    wait: WaitOption = False,
    index: IndexOption = None,
    as_json: ReportOption = False,
) -> None:
    """Remove records from the index."""
    from index.building.build import remove_records

    with _working(UNCHANGED) as progress:
        report = remove_records(names, index, progress, wait=wait)
    typer.echo(json.dumps(report.to_dict(), ensure_ascii=False) if as_json else _describe_build(report))


@index_app.command()
def fetch(
    query: Annotated[str, typer.Argument(help="A query as on the source's own web page.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Write the records to this file.")],
    source: Annotated[Literal["pubmed", "europepmc"], typer.Option(help="Where to search.")] = "pubmed",
    max_records: Annotated[int | None, typer.Option("--max", help="Maximum number of records.")] = None,
    email: Annotated[str | None, typer.Option(help="Your e-mail address, for NCBI [env: CASECITE_EMAIL].")] = None,
    as_json: ReportOption = False,
) -> None:
    """Fetch records from PubMed or Europe PMC to a file. After an interruption, the same command continues."""
    from index.fetch import fetch_records

    with _working(f"stopped; the same command goes on with what is in {output}") as progress:
        report = fetch_records(query, output, source=source, max_records=max_records, email=email, progress=progress)
    for warning in report.warnings:
        typer.echo(f"casecite: {warning}", err=True)
    typer.echo(json.dumps(report.to_dict(), ensure_ascii=False) if as_json else _describe_fetch(report))


@index_app.command()
def info(
    index: IndexOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write manifest and counts as one JSON object.")] = False,
) -> None:
    """Show the contents of the index and how it was built."""
    from assistant.cli.index_info import describe_index, list_index
    from index.search.search import open_index

    opened = open_index(index)
    typer.echo(json.dumps(list_index(opened), ensure_ascii=False) if as_json else describe_index(opened))


@index_app.command()
def verify(index: IndexOption = None, as_json: ReportOption = False) -> None:
    """Compare the index with its state after the build. Exit code 4 means that it is damaged."""
    from index.maintenance.verify import verify_index

    with _working("stopped; not all was verified") as progress:
        report = verify_index(index, progress)
    typer.echo(json.dumps(report.to_dict(), ensure_ascii=False) if as_json else _describe_verification(report))
    if not report.is_sound:
        raise typer.Exit(EXIT_NO_INDEX)


@index_app.command()
def gc(wait: WaitOption = False, index: IndexOption = None, as_json: ReportOption = False) -> None:
    """Remove all builds except the one in use, and the remains of killed builds."""
    from index.maintenance.gc import clear_index

    with _working("stopped; the index in use is unchanged") as progress:
        report = clear_index(index, progress, wait=wait)
    if as_json:
        typer.echo(json.dumps(report.to_dict()))
    elif report.builds:
        freed = f"{report.file_count:,} files, {report.byte_count / 1e6:,.1f} MB"
        typer.echo(f"removed {len(report.builds)} of the builds in {report.index_dir}: {freed}")
    else:
        typer.echo(f"nothing to remove in {report.index_dir}")


@index_app.command()
def export(
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the records to this file.")] = None,
    index: IndexOption = None,
) -> None:
    """Write all records, one JSON object a line; the same index can be built from them."""
    from index.maintenance.export import export_records, write_records
    from index.progress import no_progress
    from index.search.search import open_index

    if output is None:
        write_records(open_index(index).current(), typer.get_text_stream("stdout", encoding="utf-8"), no_progress)
        return
    with _working(f"stopped; {output} was not written") as progress:
        count = export_records(output, index, progress)
    typer.echo(f"{count:,} records in {output}", err=True)


@contextmanager
def _working(when_stopped: str) -> Iterator[Progress]:
    """Show progress; Ctrl-C ends the command with this message."""
    from assistant.cli.progress import show_progress

    try:
        with show_progress() as progress:
            yield progress
    except KeyboardInterrupt:
        stop(when_stopped, EXIT_INTERRUPTED)


def _watch(paths: Sequence[str], index_dir: Path | None, columns: Mapping[str, str], *, as_json: bool) -> None:
    """Update until Ctrl-C, with one line for each update."""
    from assistant.cli.progress import show_progress
    from index.maintenance.watch import watch_folder

    def report_update(report: BuildReport) -> None:
        line = json.dumps(report.to_dict(), ensure_ascii=False) if as_json else _describe_update(report)
        typer.echo(line)

    def warn(error: CaseciteError) -> None:
        typer.echo(f"casecite: {error}", err=True)

    typer.echo(f"watching {', '.join(paths)}; Ctrl-C ends it", err=True)
    try:
        watch_folder(
            paths, index_dir, on_report=report_update, on_error=warn, columns=columns, show_progress=show_progress
        )
    except KeyboardInterrupt:
        typer.echo("no longer watching; the index holds all that was reported", err=True)


def _parse_columns(pairs: Sequence[str] | None) -> dict[str, str]:
    columns = {}
    for pair in pairs or ():
        field, sign, column = pair.partition("=")
        if not (field and sign and column):
            raise WrongUseError(f"--columns {pair} names no column", remedy="write it as abstract=Zusammenfassung")
        columns[field] = column
    return columns


def _describe_build(report: BuildReport) -> str:
    lines = [
        f"{report.record_count:,} records in {report.chunk_count:,} chunks, in {report.index_dir}",
        _describe_counts(report),
        f"embedded {report.embedded:,} of the chunks, {report.seconds:.1f} s in all",
    ]
    for item in report.rejected[:SHOWN_REJECTIONS]:
        where = f"{item.file}, line {item.line}" if item.line else item.file
        lines.append(f"  rejected: {where}: {f'{item.field}: ' if item.field else ''}{item.reason}")
    if report.rejected_count:
        lines.append(f"  all rejected input: {report.rejected_path}")
    if report.merged or report.duplicates:
        lines.append(f"  all merged and repeated input: {report.merged_path}")
    return "\n".join(lines)


def _describe_counts(report: BuildReport) -> str:
    return (
        f"added {report.added:,}, changed {report.changed:,}, unchanged {report.unchanged:,}, "
        f"merged {report.merged:,}, repeated {report.duplicates:,}, removed {report.removed:,}, "
        f"rejected {report.rejected_count:,}"
    )


def _describe_update(report: BuildReport) -> str:
    rejected = f"; rejected input: {report.rejected_path}" if report.rejected_count else ""
    counts = f"{_describe_counts(report)}, {report.seconds:.1f} s; {report.record_count:,} records"
    return f"{datetime.now():%H:%M:%S} {counts}{rejected}"


def _describe_fetch(report: FetchReport) -> str:
    lines = [
        f"{report.fetched} records in {report.output}, {report.seconds:.1f} s",
        f"found {report.found}, without an abstract {report.without_abstract}, rejected {report.rejected}, "
        f"not given {report.missing}",
    ]
    if report.rejected_path:
        lines.append(f"  rejected input and reasons: {report.rejected_path}")
    return "\n".join(lines)


def _describe_verification(report: VerifyReport) -> str:
    lines = [str(finding) for finding in report.findings]
    if report.is_sound:
        held = f"{report.record_count:,} records in {report.chunk_count:,} chunks"
        lines.append(f"sound: {held}, {report.file_count:,} files as they were built, in {report.index_dir}")
    else:
        lines.append(f"the index in {report.index_dir} is damaged: {report.remedy}")
    lines += [f"({note})" for note in report.notes]
    return "\n".join(lines)
