"""The answer made of quotes: no chat model, nothing but sentences of the records."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.types import Evidence
from assistant.verify import DraftClaim

MAX_QUOTES = 3
MAX_QUOTED_CHARS = 600


def draft_quotes(evidence: Sequence[Evidence]) -> list[DraftClaim]:
    """The best sentences as claims, at most MAX_QUOTES and (after the first) MAX_QUOTED_CHARS in all."""
    drafted: list[DraftClaim] = []
    used_chars = 0
    for item in evidence[:MAX_QUOTES]:
        if drafted and used_chars + len(item.quote) > MAX_QUOTED_CHARS:
            continue
        drafted.append(DraftClaim(text=f"“{item.quote}”", keys=(item.key,)))
        used_chars += len(item.quote)
    return drafted
