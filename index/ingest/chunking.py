"""Records to chunks: windows of whole sentences near 600 characters that keep to their section."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

from index.text.sentences import split_sentences
from index.types import Chunk, Record, Section

WINDOW_CHARS = 600
# The packaged model reads 256 tokens, about 1,100 characters: the end of a longer "sentence" would not be embedded.
MAX_SENTENCE_CHARS = 900
MAX_ACCENTS = 20


def chunk_record(record: Record) -> list[Chunk]:
    """The chunks of a record in order; together they cover every character of `record.abstract`, without overlap."""
    windows = [
        (label, start, end)
        for label, part_start, part_end in _parts(record)
        for start, end in _windows(record.abstract, part_start, part_end)
    ]
    return [
        Chunk(
            record_id=record.record_id,
            ordinal=ordinal,
            section=label or None,
            start=start,
            end=end,
            text=record.abstract[start:end],
        )
        for ordinal, (label, start, end) in enumerate(windows)
    ]


def embedding_text(record: Record, chunk: Chunk) -> str:
    """What is embedded for a chunk: the record's title, which names the case, and the chunk."""
    text = " ".join(chunk.text.split())
    return f"{record.title}\n{text}" if record.title else text


def _parts(record: Record) -> Iterator[Section]:
    """The sections, and the text that belongs to none, so that every character is in exactly one part."""
    text = record.abstract
    starts: list[tuple[str, int]] = []
    position = 0
    for label, start, end in record.sections:
        if text[position:start].strip():
            starts.append(("", position))
        starts.append((label, start if starts else 0))
        position = end
    if text[position:].strip() or not starts:
        starts.append(("", position))
    for (label, start), (_, end) in pairwise([*starts, ("", len(text))]):
        yield Section(label, start, end)


def _windows(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut `text[start:end]` at sentence starts into windows of nearly equal length, near WINDOW_CHARS each."""
    cuts = [start, *_sentence_starts(text, start, end), end]
    count = max(1, round((end - start) / WINDOW_CHARS))
    target = (end - start) / count
    window_start = start
    for sentence_start, sentence_end in pairwise(cuts):
        middle = (sentence_start + sentence_end) / 2
        if sentence_start > window_start and middle - window_start > target:
            yield window_start, sentence_start
            window_start = sentence_start
    yield window_start, end


def _sentence_starts(text: str, start: int, end: int) -> list[int]:
    """Where the second and later sentences of `text[start:end]` start; overlong ones are cut at white space."""
    starts = [start + first for first, _ in split_sentences(text[start:end])][1:]
    cut: list[int] = []
    for first, last in pairwise([start, *starts, end]):
        cut += [first, *_cut_overlong(text, first, last)]
    return cut[1:]


def _cut_overlong(text: str, start: int, end: int) -> Sequence[int]:
    cuts: list[int] = []
    while end - start > MAX_SENTENCE_CHARS:
        space = text.rfind(" ", start + 1, start + WINDOW_CHARS)
        start = space + 1 if space > start else _before_accents(text, start + WINDOW_CHARS)
        cuts.append(start)
    return cuts


def _before_accents(text: str, position: int) -> int:
    """The position, or the one of the letter whose accents stand there (and not so many that they are no text)."""
    for letter in range(position, position - MAX_ACCENTS, -1):
        if not unicodedata.combining(text[letter]):
            return letter
    return position
