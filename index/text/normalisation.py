"""Normalised text: one form for what is written in several ways.

- `fold_text`: one form for comparing names, titles and labels: case and white space do not count.
- `fold_wording`: one form for terms: British and American spelling, Greek letters, numbers and units. Records and
  questions are both normalised before the lexical index analyses them, so the result need not be a correct word.
- `spell_out_ages`: for questions only: "62F" and "40 yo" as a case report would write them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_UNITS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VALUES = {word: value for value, word in enumerate((*_UNITS, *_TEENS), start=1)}
_VALUES |= {word: 10 * value for value, word in enumerate(_TENS, start=2)}
_TIME_UNITS = {"yr": "year", "yrs": "year", "wk": "week", "wks": "week", "hr": "hour", "hrs": "hour", "mins": "minute"}

_WORD = re.compile(r"[a-z]+")
# Without "one", which is more often a pronoun.
_NUMBER = re.compile(
    rf"\b(?:({'|'.join(_TENS)})(?:[\s-]+({'|'.join(_UNITS)}))?"
    rf"|({'|'.join([*_UNITS[1:], *_TEENS])}))\b"
)
_GLUED_UNIT = re.compile(r"\b(\d+)([a-z]{1,6})\b")
# Without mu, which means "micro" in units. Unicode calls lambda "lamda".
_GREEK = {letter: f" {unicodedata.name(letter).split()[-1].lower()} " for letter in "αβγδεζηθικνξπρστυφχψω"}
_LETTER_NAMES = str.maketrans(_GREEK | {"λ": " lambda ", "æ": "ae", "œ": "oe"})

# The general differences between British and American spelling; words of up to four letters stay as they are.
_SPELLINGS = (
    (re.compile(r"[ao]e"), "e"),  # anaemia, oedema, paediatric, oesophagus
    (re.compile(r"^(.*ceph.*|sulph.*)$"), lambda match: match[0].replace("ph", "f")),  # sulphate, cephalexin
    (re.compile(r"(?<=..[a-z])our(?=(?:s|ed|ing|al|less|able)?$)"), "or"),  # tumour, behavioural
    (re.compile(r"(?<=[iy])z(?=(?:e|ed|es|er|ing|ation|ations)$)"), "s"),  # hospitalized, paralyzed
    (re.compile(r"(?<=[bt])re(?=[sd]?$)"), "er"),  # fibre, centre, litres
)

_SEX = re.compile(r"\b(\d{1,3})(?:[\s-]*(?:y(?:ea)?rs?[\s-]*old|y/?o|yrs?|y)[\s-]*)?([FM])\b")
ADULT_YEARS = 18
_YEARS_OLD = re.compile(r"(?<=\d)[\s-]*(?:y/o|yo|y\.o\.)(?!\w)(?:[\s-]*old\b)?", re.IGNORECASE)
_SEXES = {"F": ("girl", "woman", "female"), "M": ("boy", "man", "male")}


def fold_text(text: str) -> str:
    """The text in NFKC, case-folded, with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def fold_wording(text: str) -> str:
    """The text in lower case with one form for each spelling, Greek letter, number and unit."""
    text = unicodedata.normalize("NFKC", text).lower().translate(_LETTER_NAMES)
    text = _GLUED_UNIT.sub(r"\1 \2", spell_numbers_as_digits(text))
    return _WORD.sub(lambda match: _fold_word(match[0]), text)


def spell_numbers_as_digits(text: str) -> str:
    """Lower-case text with "twenty-one" as "21"; a single "one" stays, as it is more often a pronoun."""
    return _NUMBER.sub(_as_digits, text)


def _as_digits(match: re.Match[str]) -> str:
    return str(sum(_VALUES[word] for word in match.groups() if word))


@lru_cache(maxsize=65_536)
def _fold_word(word: str) -> str:
    if len(word) < 5:
        return _TIME_UNITS.get(word, word)
    for pattern, replacement in _SPELLINGS:
        word = pattern.sub(replacement, word)
    return word


def spell_out_ages(question: str) -> str:
    """The question with "62F" as "62-year-old woman (female)" and "40 yo" as "40-year-old"."""
    return _YEARS_OLD.sub("-year-old", _SEX.sub(_as_case, question))


def _as_case(match: re.Match[str]) -> str:
    child, adult, sex = _SEXES[match[2]]
    return f"{match[1]}-year-old {adult if int(match[1]) >= ADULT_YEARS else child} ({sex})"
