"""One form for words that are written in several ways: British and American spelling, Greek letters, numbers and units.

`fold_wording` is applied to records and questions alike before the lexical index cuts them into terms, so only sameness
matters and not whether the result is a word. `spell_out_ages` is for questions alone: it makes "62F" and "40 yo" what
a case report would write.
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
_TIMES = {"yr": "year", "yrs": "year", "wk": "week", "wks": "week", "hr": "hour", "hrs": "hour", "mins": "minute"}

_WORD = re.compile(r"[a-z]+")
# "one" alone is more often no number.
_NUMBER = re.compile(
    rf"\b(?:({'|'.join(_TENS)})(?:[\s-]+({'|'.join(_UNITS)}))?"
    rf"|({'|'.join([*_UNITS[1:], *_TEENS])}))\b"
)
_GLUED_UNIT = re.compile(r"\b(\d+)([a-z]{1,6})\b")
# Without mu, which is the micro of units. Unicode calls lambda "lamda".
_GREEK = {letter: unicodedata.name(letter).rsplit(" ", 1)[1].lower() for letter in "αβγδεζηθικνξπρστυφχψω"}
_GREEK["λ"] = "lambda"
_LETTERS = {"æ": "ae", "œ": "oe"} | {letter: f" {name} " for letter, name in _GREEK.items()}
_SPELT_OUT = str.maketrans(_LETTERS)

# Each is a difference between British and American spelling in its general form. Words of up to four letters stay.
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


def fold_wording(text: str) -> str:
    """The text in lower case with one form for each spelling, Greek letter, number and unit."""
    text = unicodedata.normalize("NFKC", text).lower().translate(_SPELT_OUT)
    text = _GLUED_UNIT.sub(r"\1 \2", spell_numbers_as_digits(text))
    return _WORD.sub(lambda match: _fold_word(match[0]), text)


def spell_numbers_as_digits(text: str) -> str:
    """A text in lower case with "twenty-one" as "21"; "one" alone stays, as it is more often no number."""
    return _NUMBER.sub(_as_digits, text)


def spell_out_ages(question: str) -> str:
    """The question with "62F" as "62-year-old woman (female)" and "40 yo" as "40-year-old"."""
    return _YEARS_OLD.sub("-year-old", _SEX.sub(_as_case, question))


def _as_case(match: re.Match[str]) -> str:
    child, adult, sex = _SEXES[match[2]]
    return f"{match[1]}-year-old {adult if int(match[1]) >= ADULT_YEARS else child} ({sex})"


def _as_digits(match: re.Match[str]) -> str:
    return str(sum(_VALUES[word] for word in match.groups() if word))


@lru_cache(maxsize=65_536)
def _fold_word(word: str) -> str:
    if len(word) < 5:
        return _TIMES.get(word, word)
    for pattern, replacement in _SPELLINGS:
        word = pattern.sub(replacement, word)
    return word


def fold_text(text: str) -> str:
    """The text in one form for comparison: NFKC, case folded, white space as single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
