"""Where the figures of the benchmarks are kept: docs/results, one JSON file a benchmark, which the docs print."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent / "docs"


def result_path(name: str) -> Path:
    """The file of a benchmark's figures."""
    return DOCS / "results" / f"{name}.json"


def write_result(name: str, command: str, figures: Mapping[str, Any]) -> None:
    """Write the figures of a benchmark, with the command that measures them again and the date, and print them."""
    result = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "command": command, **figures}
    text = json.dumps(result, indent=1, ensure_ascii=False)
    result_path(name).write_text(text + "\n", "utf-8")
    print(text)
