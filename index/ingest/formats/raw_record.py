"""What a source says of one record, before it is checked, and how it is rejected."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from index.types import Rejection

MAX_RAW_CHARS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRecord:
    """What a source says of one record, before it is checked. `entry` counts from 1 in a file that holds a list."""

    file: str
    line: int | None
    data: dict[str, Any]
    entry: int | None = None

    def reject(self, field: str | None, reason: str) -> Rejection:
        """The rejection of this record, with the beginning of what it holds."""
        place = f"entry {self.entry}: " if self.entry else ""
        return Rejection(file=self.file, line=self.line, field=field, reason=place + reason, raw=excerpt(self.data))


def excerpt(value: Any) -> str:
    """The beginning of a value, as JSON where it is no text, without characters that cannot be stored."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = f"an object of {', '.join(value)}"
    return text[:MAX_RAW_CHARS].encode("utf-8", errors="backslashreplace").decode()[:MAX_RAW_CHARS]
