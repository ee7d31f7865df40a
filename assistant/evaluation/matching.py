"""Matching of answers and gold sentences, independent of typography.

Numbers and units are normalised before the comparison (`assistant.clinical_text.quantities`): `5 mg` is not part of
`15 mg`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from assistant.clinical_text.quantities import normalise_text

# A quote matches a gold sentence if the shorter one has this many words, and the other one this share of them.
MIN_SHARED_WORDS = 5
MIN_SHARED_PART = 0.8
MIN_CONTAINED_WORDS = 3
# Words up to this length must match completely ("man" is not in "manifest"), longer ones may have a suffix.
MAX_WHOLE_WORD_CHARS = 3

_WORDLIKE_UNITS = {"day", "week", "month", "year"}
_TOKEN = re.compile(r"\d+(?:\.\d+)?|\w+|%")


def holds_part(text: str, part: str) -> bool:
    """Whether the text contains a part of an answer, not merely inside another number, unit or word."""
    return bool(_part_pattern(normalise_text(part)).search(normalise_text(text)))


def holds_answer(quotes: Iterable[str], must_include: Iterable[str], answers: Iterable[str]) -> bool:
    """Whether the quotes contain every part of `must_include` or, if that is empty, one of the answers."""
    quotes = list(quotes)
    if parts := list(must_include):
        return all(any(holds_part(quote, part) for quote in quotes) for part in parts)
    return any(holds_part(quote, answer) for quote in quotes for answer in answers)


def is_gold_sentence(quote: str, sentence: str) -> bool:
    """Whether a quote is a gold sentence, or one is part of the other; a few words may differ."""
    words, gold_words = (_TOKEN.findall(normalise_text(quote)), _TOKEN.findall(normalise_text(sentence)))
    shorter, longer = sorted((words, gold_words), key=len)
    if words == gold_words:
        return bool(words)
    if len(shorter) >= MIN_CONTAINED_WORDS and f" {' '.join(shorter)} " in f" {' '.join(longer)} ":
        return True
    shared = (Counter(shorter) & Counter(longer)).total()
    return len(shorter) >= MIN_SHARED_WORDS and shared / len(shorter) >= MIN_SHARED_PART


@lru_cache(maxsize=4_096)
def _part_pattern(part: str) -> re.Pattern[str]:
    """A pattern for a normalised part that respects the boundaries of numbers, units and words."""
    if not part:
        return re.compile(r"(?!)")
    before = r"(?<!\w)" if part[0].isalnum() else ""
    before += r"(?<!\d[.,])" if part[0].isdigit() else ""
    return re.compile(before + re.escape(part) + _ending(part))


def _ending(part: str) -> str:
    if part[-1].isdigit():
        return r"(?!\d|[.,]\d)"
    word = re.search(r"[^\W\d]+$", part)
    if word is None or word[0] in _WORDLIKE_UNITS:
        return ""
    is_unit = re.search(r"(?:\d |/| per )$", part[: word.start()]) is not None
    return r"s?(?!\w)" if is_unit or len(word[0]) <= MAX_WHOLE_WORD_CHARS else ""
