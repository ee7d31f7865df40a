"""Options, exit codes and the error exit that the commands share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from assistant.redaction import redact
from index.text.cleaning import clean_text

EXIT_INSUFFICIENT_EVIDENCE = 3
EXIT_NO_INDEX = 4
EXIT_INTERRUPTED = 130

IndexOption = Annotated[Path | None, typer.Option("--index", help="Folder of the index [env: CASECITE_INDEX_DIR].")]


def stop(message: str, exit_code: int) -> NoReturn:
    """End the command with one line on stderr, without secrets and control characters."""
    typer.echo(f"casecite: {redact(clean_text(message))}", err=True)
    sys.exit(exit_code)
