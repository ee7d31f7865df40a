"""A question and a record as rows of tokens, the input of the reader.

A row is `[CLS] question [SEP] title [SEP] sentence [SEP] sentence [SEP] ...`. A record that does not fit in one row is
split into several, each with the title, and each starting with the last sentence of the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MAX_QUESTION_TOKENS = 48
MAX_SENTENCE_TOKENS = 128
MAX_ROW_TOKENS = 384
_CACHED_SENTENCES = 50_000


class Report(NamedTuple):
    """A record as input of the reader: its title ("" if it has none) and its sentences in order."""

    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Token ids and the positions of their parts.

    `question_end` is the end of the question's segment. `spans` are half-open; the first is the title (a lone [SEP] if
    there is none), the next are sentences, starting with number `first_sentence` of the record. Each ends with its
    [SEP].
    """

    ids: tuple[int, ...]
    question_end: int
    spans: tuple[tuple[int, int], ...]
    first_sentence: int


class RowMaker:
    """Makes rows with a BERT tokenizer, and caches the tokens of sentences. Safe to share between threads."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._cls, self._sep = tokenizer.encode("").ids  # what BERT puts around an empty text
        self._tokens = lru_cache(maxsize=_CACHED_SENTENCES)(
            lambda text: tuple(tokenizer.encode(text, add_special_tokens=False).ids[:MAX_SENTENCE_TOKENS])
        )

    def make_rows(self, query: str, report: Report) -> list[Row]:
        """The rows of a query and a record, at least one; every sentence is in one of them."""
        head = [self._cls, *self._tokens(query)[:MAX_QUESTION_TOKENS], self._sep]
        title = self._tokens(report.title) if report.title else ()
        sentences = [self._tokens(sentence) for sentence in report.sentences]
        room = MAX_ROW_TOKENS - len(head) - len(title) - 1
        return [
            self._make_row(head, title, sentences[first:end], first) for first, end in make_windows(sentences, room)
        ]

    def _make_row(
        self, head: Sequence[int], title: Sequence[int], sentences: Sequence[Sequence[int]], first: int
    ) -> Row:
        ids, spans = list(head), []
        for tokens in (title, *sentences):
            spans.append((len(ids), len(ids) + len(tokens) + 1))
            ids += [*tokens, self._sep]
        return Row(ids=tuple(ids), question_end=len(head), spans=tuple(spans), first_sentence=first)


def make_windows(sentences: Sequence[Sequence[int]], room: int) -> list[tuple[int, int]]:
    """Half-open ranges of sentences that fit in `room` tokens, each sentence with a [SEP].

    A range starts with the last sentence of the one before, unless that leaves no room for a new one.
    """
    windows: list[tuple[int, int]] = []
    first = 0
    while True:
        end, used = first, 0
        while end < len(sentences) and (end == first or used + len(sentences[end]) + 1 <= room):
            used += len(sentences[end]) + 1
            end += 1
        windows.append((first, end))
        if end >= len(sentences):
            return windows
        shared = len(sentences[end - 1]) + 1 + len(sentences[end]) + 1 <= room
        first = end - 1 if shared and end - 1 > first else end


def length_batches(rows: Sequence[Row], max_tokens: int) -> list[list[int]]:
    """Indices of `rows`, shortest first, in batches of at most `max_tokens` tokens after padding."""
    batches: list[list[int]] = []
    for number in sorted(range(len(rows)), key=lambda number: len(rows[number].ids)):
        if not batches or (len(batches[-1]) + 1) * len(rows[number].ids) > max_tokens:
            batches.append([])
        batches[-1].append(number)
    return batches
