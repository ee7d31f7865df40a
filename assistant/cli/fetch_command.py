"""`casecite index fetch`: a query to PubMed or Europe PMC in, a file of records out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from index.fetch import FetchReport

EXIT_INTERRUPTED = 130


def fetch(
    query: Annotated[str, typer.Argument(help="What you would type on the source's own page.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Write the records to this file.")],
    source: Annotated[Literal["pubmed", "europepmc"], typer.Option(help="Where to search.")] = "pubmed",
    max_records: Annotated[int | None, typer.Option("--max", help="At most so many records.")] = None,
    email: Annotated[str | None, typer.Option(help="Your e-mail address, for NCBI [env: CASECITE_EMAIL].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the report as one JSON object.")] = False,
) -> None:
    """Fetch records from PubMed or Europe PMC to a file. If it is stopped, the same command goes on."""
    from assistant.cli.progress import show_progress
    from index.fetch import fetch_records

    try:
        with show_progress() as progress:
            report = fetch_records(
                query, output, source=source, max_records=max_records, email=email, progress=progress
            )
    except KeyboardInterrupt:
        typer.echo(f"casecite: stopped; the same command goes on with what is in {output}", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    for warning in report.warnings:
        typer.echo(f"casecite: {warning}", err=True)
    typer.echo(json.dumps(report.to_dict(), ensure_ascii=False) if as_json else _describe(report))


def _describe(report: FetchReport) -> str:
    lines = [
        f"{report.fetched} records in {report.output}, {report.seconds:.1f} s",
        f"found {report.found}, without an abstract {report.without_abstract}, rejected {report.rejected}, "
        f"not given {report.missing}",
    ]
    if report.rejected_path:
        lines.append(f"  what is no record, and why: {report.rejected_path}")
    return "\n".join(lines)
