"""Pieces of a record's sentences, which cells are made of."""

from __future__ import annotations

from typing import NamedTuple

from assistant.reading.evidence import Sentence, is_background
from index.types import Record

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
