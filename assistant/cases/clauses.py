"""Spans of sentences: the sentences that describe a case, their clauses, and text short enough for a cell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from assistant.reading.sentences import Sentence, is_background
from index.types import Record

MAX_CELL_CHARS = 180
# The patterns backtrack, which in an endless sentence takes minutes; no real sentence is nearly as long.
MAX_SENTENCE_CHARS = 2_000

# Where another statement begins; not at the commas of a list, whose members belong together.
_CLAUSE = re.compile(
    r";\s+|[,:]?\s+(?=(?:but|while|whereas|although|though|however|which|who|whose|because|so)\b)"
    r"|,\s+(?=(?:and|he|she|it|they|his|her|the|with|after|before|then|when|for|leading|resulting|followed)\s)"
    r"|\s+(?=and\s+(?:he|she|they|it|then|treated|was|were|had|has|subsequently|later|no|his|her|the\s+patient)\b)",
)
_LEADING = re.compile(r"^(?:and|but|so|then|which|who|while|however|,)\s+", re.IGNORECASE)


class Span(NamedTuple):
    """A piece of a sentence: `sentence.text[start:end]`."""

    sentence: Sentence
    start: int
    end: int

    @property
    def text(self) -> str:
        """The words of the span."""
        return self.sentence.text[self.start : self.end]

    @property
    def before(self) -> str:
        """The part of the sentence before the span."""
        return self.sentence.text[: self.start]

    @property
    def after(self) -> str:
        """The part of the sentence after the span."""
        return self.sentence.text[self.end :]

    def is_within(self, other: Span) -> bool:
        """Whether the span lies inside another one."""
        return self.sentence == other.sentence and other.start <= self.start and self.end <= other.end


def describes_case(record: Record, sentence: Sentence) -> bool:
    """Whether a sentence is searched for facts of the case: not one on the background, nor an endless one."""
    return len(sentence.text) <= MAX_SENTENCE_CHARS and not is_background(record, sentence)


def find_clauses(sentence: Sentence) -> Iterator[Span]:
    """The clauses of a sentence, each without the conjunction before it. Text in brackets is not divided."""
    start = 0
    for match in _CLAUSE.finditer(sentence.text):
        before = sentence.text[start : match.start()]
        if before.count("(") == before.count(")") and before.strip():
            yield _trim(Span(sentence, start, match.start()))
            start = match.end()
    yield _trim(Span(sentence, start, len(sentence.text)))


def _trim(span: Span) -> Span:
    """The span without a conjunction at its start and punctuation at its end."""
    leading = _LEADING.match(span.text)
    start = span.start + (leading.end() if leading else 0)
    end = span.start + len(span.text.rstrip(" .,;:"))
    return Span(span.sentence, min(start, end), end)


def shorten(text: str, max_chars: int = MAX_CELL_CHARS) -> str:
    """The text, cut after a word with an ellipsis where it has more than `max_chars`."""
    if len(text) <= max_chars:
        return text
    cut = text[: max_chars - 1]
    return f"{cut[: cut.rfind(' ')].rstrip(',;:') if ' ' in cut else cut}…"
