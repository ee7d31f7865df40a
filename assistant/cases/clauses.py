"""Sentences cut to the part that tells: clauses, and text short enough for a cell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.cases.spans import Span
from assistant.reading.evidence import Sentence

MAX_CELL_CHARS = 180
# Where another statement begins; not at the commas of a list, whose members belong together.
_CLAUSE = re.compile(
    r";\s+|[,:]?\s+(?=(?:but|while|whereas|although|though|however|which|who|whose|because|so)\b)"
    r"|,\s+(?=(?:and|he|she|it|they|his|her|the|with|after|before|then|when|for|leading|resulting|followed)\s)"
    r"|\s+(?=and\s+(?:he|she|they|it|then|treated|was|were|had|has|subsequently|later|no|his|her|the\s+patient)\b)",
)
_LEADING = re.compile(r"^(?:and|but|so|then|which|who|while|however|,)\s+", re.IGNORECASE)
_ELLIPSIS = "…"


def find_clauses(sentence: Sentence) -> Iterator[Span]:
    """The clauses of a sentence, without the word that joins each to the one before. Brackets are not cut into."""
    start = 0
    for match in _CLAUSE.finditer(sentence.text):
        before = sentence.text[start : match.start()]
        if before.count("(") == before.count(")") and before.strip():
            yield _trim(Span(sentence, start, match.start()))
            start = match.end()
    yield _trim(Span(sentence, start, len(sentence.text)))


def shorten(text: str, max_chars: int = MAX_CELL_CHARS) -> str:
    """The text, cut after a word with an ellipsis where it has more than `max_chars`."""
    if len(text) <= max_chars:
        return text
    cut = text[: max_chars - 1]
    return f"{cut[: cut.rfind(' ')].rstrip(',;:') if ' ' in cut else cut}{_ELLIPSIS}"


def _trim(span: Span) -> Span:
    """The span without what joins it to others, and without the stop at its end."""
    leading = _LEADING.match(span.text)
    start = span.start + (leading.end() if leading else 0)
    end = span.start + len(span.text.rstrip(" .,;:"))
    return Span(span.sentence, min(start, end), end)
