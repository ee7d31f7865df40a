"""`casecite index ...`: build, update, remove, fetch, info, verify, gc and export."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli.common import EXIT_INTERRUPTED, EXIT_NO_INDEX, IndexOption, stop
from assistant.cli.fetch_command import fetch
from index.errors import CaseciteError, WrongUseError
from index.types import BuildReport

if TYPE_CHECKING:
    from index.maintenance.verify import VerifyReport
    from index.progress import Progress

SHOWN_REJECTIONS = 10
UNCHANGED = "stopped; an index in use is unchanged"

index_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Build the index, keep it up, and look at it."
)

PathsArgument = Annotated[list[str] | None, typer.Argument(help="Files, folders, or - for standard input.")]
ColumnsOption = Annotated[
    list[str] | None,
    typer.Option("--columns", metavar="FIELD=COLUMN", help="Which column of a table gives a field; may be repeated."),
]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait for a build that is running, and then begin.")]
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
    """Build the index from records; the old one answers until it is done.

    Without PATHS the index is made again from its own records, or where these are damaged from what they were read
    from: this heals an index, and gives it the embedding model that is set.
    """
    from index.building.build import build_index
    from index.demo import DEMO_RECORDS
    from index.maintenance.repair import heal_index

    sources, column_map = [*(paths or []), *([str(DEMO_RECORDS)] if demo else [])], _read_columns(columns)
    with _working(UNCHANGED) as progress:
        if sources:
            report = build_index(sources, index, "rebuild", progress, columns=column_map, wait=wait)
        else:
            report = heal_index(index, progress, wait=wait)
    _tell(report, as_json=as_json)


@index_app.command()
def update(
    paths: PathsArgument = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on, whenever files in these folders change.")] = False,
    columns: ColumnsOption = None,
    wait: WaitOption = False,
    index: IndexOption = None,
    as_json: ReportOption = False,
) -> None:
    """Add records to the index; only new text is embedded.

    A record of a report that is there completes or corrects it.
    """
    from index.building.build import build_index

    if not paths:
        raise WrongUseError("no records to add", remedy="give files or folders, or - for standard input")
    column_map = _read_columns(columns)
    if watch:
        _watch(paths, index, column_map, as_json=as_json)
        return
    with _working(UNCHANGED) as progress:
        report = build_index(paths, index, "update", progress, columns=column_map, wait=wait)
    _tell(report, as_json=as_json)


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
    _tell(report, as_json=as_json)


index_app.command()(fetch)


@index_app.command()
def info(
    index: IndexOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write manifest and counts as one JSON object.")] = False,
) -> None:
    """What the index holds and how it was made."""
    from assistant.cli.index_info import describe_index, list_index
    from index.search.search import open_index

    opened = open_index(index)
    typer.echo(json.dumps(list_index(opened), ensure_ascii=False) if as_json else describe_index(opened))


@index_app.command()
def verify(index: IndexOption = None, as_json: ReportOption = False) -> None:
    """Compare the index with what was built. Exit code 4 means that something of it is damaged."""
    from index.maintenance.verify import verify_index

    with _working("stopped; not all was verified") as progress:
        report = verify_index(index, progress)
    typer.echo(json.dumps(report.to_dict(), ensure_ascii=False) if as_json else _describe_state(report))
    if not report.is_sound:
        raise typer.Exit(EXIT_NO_INDEX)


@index_app.command()
def gc(wait: WaitOption = False, index: IndexOption = None, as_json: ReportOption = False) -> None:
    """Remove all builds but the one in use, and what killed builds left behind."""
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
    """Write all records, one JSON object a line; from them the same index can be built."""
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
    """Show the progress of what is done meanwhile; Ctrl-C ends it with these words."""
    from assistant.cli.progress import show_progress

    try:
        with show_progress() as progress:
            yield progress
    except KeyboardInterrupt:
        stop(when_stopped, EXIT_INTERRUPTED)


def _watch(paths: Sequence[str], index_dir: Path | None, columns: Mapping[str, str], *, as_json: bool) -> None:
    """Update until Ctrl-C, a line for each update."""
    from assistant.cli.progress import show_progress
    from index.maintenance.watch import watch_folder

    def tell(report: BuildReport) -> None:
        line = json.dumps(report.to_dict(), ensure_ascii=False) if as_json else _describe_line(report)
        typer.echo(line)

    def warn(error: CaseciteError) -> None:
        typer.echo(f"casecite: {error}", err=True)

    typer.echo(f"watching {', '.join(paths)}; Ctrl-C ends it", err=True)
    try:
        watch_folder(paths, index_dir, on_report=tell, on_error=warn, columns=columns, show_progress=show_progress)
    except KeyboardInterrupt:
        typer.echo("no longer watching; the index holds all that was reported", err=True)


def _read_columns(pairs: Sequence[str] | None) -> dict[str, str]:
    columns = {}
    for pair in pairs or ():
        field, sign, column = pair.partition("=")
        if not (field and sign and column):
            raise WrongUseError(f"--columns {pair} names no column", remedy="write it as abstract=Zusammenfassung")
        columns[field] = column
    return columns


def _tell(report: BuildReport, *, as_json: bool) -> None:
    typer.echo(json.dumps(report.to_dict(), ensure_ascii=False) if as_json else _describe(report))


def _describe(report: BuildReport) -> str:
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


def _describe_line(report: BuildReport) -> str:
    rejected = f"; rejected input: {report.rejected_path}" if report.rejected_count else ""
    counts = f"{_describe_counts(report)}, {report.seconds:.1f} s; {report.record_count:,} records"
    return f"{datetime.now():%H:%M:%S} {counts}{rejected}"


def _describe_state(report: VerifyReport) -> str:
    lines = [str(finding) for finding in report.findings]
    if report.is_sound:
        held = f"{report.record_count:,} records in {report.chunk_count:,} chunks"
        lines.append(f"sound: {held}, {report.file_count:,} files as they were built, in {report.index_dir}")
    else:
        lines.append(f"the index in {report.index_dir} is damaged: {report.remedy}")
    lines += [f"({note})" for note in report.notes]
    return "\n".join(lines)
