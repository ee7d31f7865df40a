"""Generic names of drugs, known by the stems that the World Health Organization gives them: -mab, -prazole, -tinib.

A question names a drug as its record does, so a record without the name is most likely about another one.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

MIN_LETTERS = 7
# These end like a drug and name many, which a record calls by their own names.
_CLASSES = frozenset({"anthracycline", "carbapenem", "methicillin", "penicillin", "tetracycline", "thiazide"})


def drug_names(text: str) -> list[str]:
    """The generic names in a text, in lower case, each once."""
    names = dict.fromkeys(name.lower() for name in _name().findall(text) if len(name) >= MIN_LETTERS)
    return [name for name in names if name not in _CLASSES]


@cache
def _name() -> re.Pattern[str]:
    """A word with a stem at its end; a stem alone ("triptan") is a class of drugs.

    The stems are from "The use of stems in the selection of International Nonproprietary Names (INN) for pharmaceutical
    substances", without those that are common ends of other words too.
    """
    stems = files("assistant.clinical_text").joinpath("drug_stems.txt").read_text("utf-8").split()
    return re.compile(rf"\b[a-z]+(?:{'|'.join(stems)})\b", re.IGNORECASE)
