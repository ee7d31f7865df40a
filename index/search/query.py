"""A question as the search reads it: ages spelt out, abbreviations opened and slips mended by what the records hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from index.storage.abbreviation_store import find_short_forms
from index.text.cleaning import clean_text
from index.text.normalisation import spell_out_ages
from index.text.terms import analyse

CORRECTION_WEIGHT = 0.8
LONG_FORM_WEIGHT = 0.5
SHORT_FORM_WEIGHT = 0.5
LONG_FORMS = 3

LongForms = Callable[[str], list[tuple[str, int]]]
"""What an abbreviation stands for in the records and in how many of them, the most frequent first."""

ShortForms = Callable[[str], list[tuple[str, float]]]
"""How the records abbreviate what a text says at length, and the share of them that do it so."""

Corrections = Callable[[str], list[str]]
"""What an analysed term that no record holds may have been meant to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """`text` is for the embedding model; `terms` are those of the lexical index, each with its weight."""

    text: str
    terms: dict[str, float]


def read_query(question: str, long_forms: LongForms, short_forms: ShortForms, corrections: Corrections) -> Query:
    """The question with what its abbreviations stand for, what they are and what its misspelt words may mean.

    The text gets the meaning that most records give an abbreviation, if it has the majority; the terms get the
    three most frequent ones, and the abbreviations of what is written at length, each weighted by its share.
    """
    question = clean_text(question)
    text, terms = question, dict.fromkeys(analyse(spell_out_ages(question)), 1.0)
    for meant in [meant for term in terms for meant in corrections(term)]:
        terms.setdefault(meant, CORRECTION_WEIGHT)
    for short in find_short_forms(question):
        meanings = long_forms(short)
        total = sum(uses for _, uses in meanings)
        for long, uses in meanings[:LONG_FORMS]:
            for term in analyse(long):
                terms[term] = max(terms.get(term, 0.0), LONG_FORM_WEIGHT * uses / total)
        if meanings and 2 * meanings[0][1] >= total:
            meaning = meanings[0][0].replace("\\", r"\\")  # it stands for itself, whatever a record holds
            text = re.sub(rf"\b{short}(?=s?\b)", f"{short} ({meaning})", text)
    for short, share in short_forms(question):
        for term in analyse(short):
            terms[term] = max(terms.get(term, 0.0), SHORT_FORM_WEIGHT * share)
    return Query(text=text, terms=terms)
