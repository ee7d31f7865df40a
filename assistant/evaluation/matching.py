"""Whether a text holds an answer, and whether a quote is a gold sentence, whatever the typography.

Numbers and units are compared as a reader would: `150mg/day` is `150 mg/day`, `1,000` is `1000`, but `5 mg` does not
stand in `15 mg`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from index.folding import fold_text

# A quote and a gold sentence are the same if the shorter one has this many words, and this share of them is shared.
MIN_SHARED_WORDS = 5
MIN_SHARED_PART = 0.8
MIN_CONTAINED_WORDS = 3
# Words up to this length must match as a whole ("man" is not in "manifest"), longer ones may have an ending.
MAX_WHOLE_WORD_CHARS = 3

_DASHES = "‐‑‒–—―−"
_CHARACTERS = str.maketrans(
    dict.fromkeys(_DASHES, "-")
    | dict.fromkeys("‘’‛′`´", "'")
    | dict.fromkeys("“”„«»″", '"')
    | dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", "")
    | {"×": "x", "μ": "u", "⁄": "/", "∼": "~", "˜": "~"}
)
_UNITS = {
    "h": ("hours", "hour", "hrs", "hr"),
    "min": ("minutes", "minute", "mins"),
    "sec": ("seconds", "second", "secs"),
    "day": ("days", "d"),
    "week": ("weeks", "wks", "wk"),
    "month": ("months", "mo", "mos"),
    "year": ("years", "yrs", "yr", "yo", "y"),
    "g": ("grams", "gram", "grammes", "gm"),
    "mg": ("milligrams", "milligram"),
    "ug": ("micrograms", "microgram", "mcg"),
    "l": ("litres", "liters", "litre", "liter"),
    "ml": ("millilitres", "milliliters", "millilitre", "milliliter"),
    "%": ("percent", "per cent"),
}
_SPELLINGS = {spelling: unit for unit, spellings in _UNITS.items() for spelling in spellings}
_UNIT = re.compile(rf"(?<=\d )({'|'.join(sorted(_SPELLINGS, key=len, reverse=True))})(?![a-z])")
_PER_UNIT = re.compile(r"(?<= per )(d|hr|hour|wk|mo|yr)(?![a-z])")
_WORDLIKE_UNITS = {"day", "week", "month", "year"}

_SPACED_THOUSANDS = re.compile("(?<=\\d)[\u2009\u202f\u00a0](?=\\d{3}(?!\\d))")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d)")
_RULES = [
    (re.compile(r"(?<=\d)·(?=\d)"), "."),  # 8·21
    (re.compile(r"(?<=\d)\^(?=-?\d)"), ""),  # 10^9, as 10⁹ folds to 109
    (re.compile(r"(?<![\w.])\.(?=\d)"), "0."),  # .05
    (re.compile(r"(?<![\d.])(\d+\.\d*?[1-9])0+(?!\d|\.\d)"), r"\1"),  # 1.50
    (re.compile(r"(?<![\d.])(\d+)\.0+(?!\d|\.\d)"), r"\1"),  # 5.0
    (re.compile(r"\s*([-/±=<>≤≥~])\s*"), r"\1"),
    (re.compile(r"(?<=\d)-(?=[a-z])"), " "),  # 30-day
    (re.compile(r"(?<=\d)\s*(?=[a-z%°])"), " "),  # 150mg, 22.1%
    (re.compile(r"(?<=\d )x\s*(?=\d)"), "x "),  # 61x54 mm
    (re.compile(r"°\s*(?=[cf](?![a-z]))"), "°"),
]
_PER = re.compile(r"(?<=[a-z%])/(?=[a-z])")
_TOKEN = re.compile(r"\d+(?:\.\d+)?|\w+|%")


@lru_cache(maxsize=4_096)
def normalise_text(text: str) -> str:
    """The text in one form for comparison: folded, with numbers and units in one spelling."""
    text = _SPACED_THOUSANDS.sub("", text).replace("º", "°")
    text = fold_text(text).translate(_CHARACTERS)
    text = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    text = _UNIT.sub(lambda match: _SPELLINGS[match[0]], text)
    text = _PER.sub(" per ", text)
    text = _PER_UNIT.sub(lambda match: _SPELLINGS[match[0]], text)
    return " ".join(text.split())


def holds_part(text: str, part: str) -> bool:
    """Whether a part of an answer stands in the text, not merely inside another number, unit or word."""
    return bool(_part_pattern(normalise_text(part)).search(normalise_text(text)))


def holds_answer(quotes: Iterable[str], must_include: Iterable[str], answers: Iterable[str]) -> bool:
    """Whether the quotes hold every part that they must or, where there is none, one of the answers."""
    quotes = list(quotes)
    if parts := list(must_include):
        return all(any(holds_part(quote, part) for quote in quotes) for part in parts)
    return any(holds_part(quote, answer) for quote in quotes for answer in answers)


def is_gold_sentence(quote: str, sentence: str) -> bool:
    """Whether a quote is a gold sentence, or either is a piece of the other; few words may differ."""
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
    """A pattern for a normalised part that keeps to the boundaries of numbers, units and words."""
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
