"""Sentences cut to the part that tells: clauses, and text short enough for a cell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from assistant.reading.sentences import Sentence, is_background
from index.types import Record

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


# The rules look back and forth in a sentence, which in an endless one takes for ever; no real one is nearly as long.
MAX_SENTENCE_CHARS = 2_000


class Span(NamedTuple):
    """A piece of a sentence: `sentence.text[start:end]`."""

    sentence: Sentence
    start: int
    end: int

    @property
    def text(self) -> str:
        """The words of the piece."""
        return self.sentence.text[self.start : self.end]

    @property
    def before(self) -> str:
        """What stands before it in its sentence."""
        return self.sentence.text[: self.start]

    @property
    def after(self) -> str:
        """What stands after it in its sentence."""
        return self.sentence.text[self.end :]

    def is_within(self, other: Span) -> bool:
        """Whether all of it stands in another piece."""
        return self.sentence == other.sentence and other.start <= self.start and self.end <= other.end


def tells_of_case(record: Record, sentence: Sentence) -> bool:
    """Whether a sentence is looked at for what it says of the case: not one on the background, nor an endless one."""
    return len(sentence.text) <= MAX_SENTENCE_CHARS and not is_background(record, sentence)
