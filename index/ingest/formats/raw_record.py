"""The record of a source before it is checked, and rejections."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from index.types import Rejection

MAX_RAW_CHARS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRecord:
    """The data of a source about one record, unchecked. `entry` is the 1-based position in a file that is a list."""

    file: str
    line: int | None
    data: dict[str, Any]
    entry: int | None = None

    def reject(self, field: str | None, reason: str) -> Rejection:
        """The rejection of this record, with an excerpt of its data."""
        place = f"entry {self.entry}: " if self.entry else ""
        return Rejection(file=self.file, line=self.line, field=field, reason=place + reason, raw=excerpt(self.data))


def reject(file: str, reason: str, line: int | None = None, content: Any = "") -> Rejection:
    """The rejection of a file, or of content that is not a raw record, with an excerpt of it."""
    return Rejection(file=file, line=line, field=None, reason=reason, raw=excerpt(content))


def excerpt(value: Any) -> str:
    """The first `MAX_RAW_CHARS` of a text, or of the JSON of another value, with lone surrogates escaped."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = f"an object of {', '.join(value)}"
    return text[:MAX_RAW_CHARS].encode("utf-8", errors="backslashreplace").decode()[:MAX_RAW_CHARS]
