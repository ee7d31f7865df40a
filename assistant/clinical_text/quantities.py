"""Quantities: the numbers of a text with their units, independent of typography.

`150mg/day` is `150 mg per day`, `1,000` is `1000`, `5–10 mg` is 5 mg and 10 mg, "three weeks" is 3 weeks.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from index.text.normalisation import fold_text, spell_numbers_as_digits

_DASHES = "‐‑‒–—―−"
_CHARACTERS = str.maketrans(
    dict.fromkeys(_DASHES, "-")
    | dict.fromkeys("‘’‛′`´", "'")
    | dict.fromkeys("“”„«»″", '"')
    | dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", "")
    | {"×": "x", "μ": "u", "⁄": "/", "∼": "~", "˜": "~"}
)
_LINES = files("assistant.clinical_text").joinpath("units.txt").read_text("utf-8").splitlines()
# Each line of the file is a unit, then its other spellings.
_UNITS = {unit: spellings for unit, *spellings in (line.split(", ") for line in _LINES)}
_SPELLINGS = {spelling: unit for unit, spellings in _UNITS.items() for spelling in spellings}
_UNIT_SPELLING = re.compile(rf"(?<=\d )({'|'.join(sorted(_SPELLINGS, key=len, reverse=True))})(?![a-z])")
_PER_UNIT = re.compile(r"(?<= per )(d|hr|hour|wk|mo|yr)(?![a-z])")

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

_FIGURE = re.compile(
    rf"(?<![\w.])(?P<number>\d+(?:\.\d+)?)(?![\w.]*\d)"
    rf"(?: ?(?P<unit>{'|'.join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))})(?![a-z0-9]))?"
)
_BETWEEN = re.compile(
    r"(?<=\d)\s+(?:additional|consecutive|further|more|successive|whole)(?=\s+(?:hour|day|week|month|year)s?\b)"
)
# Between the numbers of a range, a list or a change: the unit after the last number belongs to all of them.
_JOINED = re.compile(r"(?=.*\S)(?:[-/±,~]|\s|\b(?:to|and|or|then|x|by|from|versus|vs)\b)+")
_RATE = re.compile(r"\b(?:per|each|every|an?) (?P<of>[a-z]+|m2)\b|\b(?P<ly>dai|week|month|year|hour)ly\b")


class Figure(NamedTuple):
    """A normalised number and its unit, if it has one: ("100", "mg")."""

    number: str
    unit: str | None


class PlacedFigure(NamedTuple):
    """A figure with its offsets, unit included, in the normalised text."""

    figure: Figure
    start: int
    end: int


def find_figures(text: str) -> list[Figure]:
    """The figures of a text, in their order."""
    return [placed.figure for placed in place_figures(in_digits(text))]


def in_digits(text: str) -> str:
    """The normalised text with numbers in digits, next to their units: "three consecutive days" is "3 days"."""
    return normalise_text(_BETWEEN.sub("", spell_numbers_as_digits(text.lower())))


def place_figures(text: str) -> list[PlacedFigure]:
    """The figures of a normalised text, in their order."""
    found = list(_FIGURE.finditer(text))
    units = [match["unit"] for match in found]
    for place in reversed(range(len(found) - 1)):
        between = text[found[place].end() : found[place + 1].start()]
        if units[place] is None and _JOINED.fullmatch(between):
            units[place] = units[place + 1]
    return [
        PlacedFigure(Figure(match["number"], unit), *match.span()) for match, unit in zip(found, units, strict=True)
    ]


def find_rates(text: str) -> set[str]:
    """The denominators of the quantities of a text: {"kg", "day"} for "2 mg/kg daily"."""
    return {
        match["of"] or match["ly"].replace("dai", "day")
        for match in _RATE.finditer(normalise_text(text))
        if match["of"] is None or match["of"] in _UNITS
    }


@lru_cache(maxsize=4_096)
def normalise_text(text: str) -> str:
    """The text normalised for comparison: case-folded, with numbers and units in one spelling."""
    text = _SPACED_THOUSANDS.sub("", text).replace("º", "°")
    text = fold_text(text).translate(_CHARACTERS)
    text = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    text = _UNIT_SPELLING.sub(lambda match: _SPELLINGS[match[0]], text)
    text = _PER.sub(" per ", text)
    text = _PER_UNIT.sub(lambda match: _SPELLINGS[match[0]], text)
    return " ".join(text.split())
