"""Splits records into chunks: windows of whole sentences, near 600 characters, within one section."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

from index.text.sentences import split_sentences
from index.types import Chunk, Record, Section

WINDOW_CHARS = 600
# The packaged model truncates its input after 256 tokens, about 1,100 characters.
MAX_UNCUT_CHARS = 900
MAX_ACCENT_SHIFT = 20  # characters that a cut may move back to the letter of its accents


def chunk_record(record: Record) -> list[Chunk]:
    """The chunks of a record in order; they cover every character of `record.abstract` without overlap."""
    windows = (
        (part.label, start, end)
        for part in _split_at_sections(record)
        for start, end in _split_into_windows(record.abstract, part.start, part.end)
    )
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
    """The text that is embedded for a chunk: the title of the record, which names the case, and the chunk."""
    text = " ".join(chunk.text.split())
    return f"{record.title}\n{text}" if record.title else text


def _split_at_sections(record: Record) -> Iterator[Section]:
    """The sections, and the text outside them with an empty label; every character is in exactly one part."""
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


def _split_into_windows(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut `text[start:end]` at sentence starts into windows of nearly equal length, near `WINDOW_CHARS`."""
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
    """The starts of all sentences of `text[start:end]` but the first; overlong ones are cut at white space."""
    starts = [start + first for first, _ in split_sentences(text[start:end])][1:]
    cut: list[int] = []
    for first, last in pairwise([start, *starts, end]):
        cut += [first, *_cut_overlong(text, first, last)]
    return cut[1:]


def _cut_overlong(text: str, start: int, end: int) -> Sequence[int]:
    cuts: list[int] = []
    while end - start > MAX_UNCUT_CHARS:
        space = text.rfind(" ", start + 1, start + WINDOW_CHARS)
        start = space + 1 if space > start else _before_accents(text, start + WINDOW_CHARS)
        cuts.append(start)
    return cuts


def _before_accents(text: str, position: int) -> int:
    """The position, moved back to the letter if it is within the accents of one."""
    for letter in range(position, position - MAX_ACCENT_SHIFT, -1):
        if not unicodedata.combining(text[letter]):
            return letter
    return position
