"""Query expansion: ages spelt out, abbreviations expanded and typos corrected with the words of the records."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from index.storage.abbreviation_store import find_short_forms
from index.text.normalisation import spell_out_ages
from index.text.terms import analyse

CORRECTION_WEIGHT = 0.8
LONG_FORM_WEIGHT = 0.5
SHORT_FORM_WEIGHT = 0.5
LONG_FORMS = 3

LongForms = Callable[[str], list[tuple[str, int]]]
"""The long forms of an abbreviation and how many records use each, the most frequent first."""

ShortForms = Callable[[str], list[tuple[str, float]]]
"""The abbreviations of the long forms in a text, each with the share of records that use it."""

Corrections = Callable[[str], list[str]]
"""The terms that a misspelt analysed term may stand for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """`text` is for the embedding model; `terms` are those of the lexical index, each with its weight."""

    text: str
    terms: dict[str, float]


def expand_query(question: str, long_forms: LongForms, short_forms: ShortForms, corrections: Corrections) -> Query:
    """A query with its abbreviations expanded, its long forms abbreviated and its typos corrected.

    The text gets the long form of an abbreviation that the majority of its uses have; the terms get the three most
    frequent long forms, and the abbreviations of long forms in the query, each weighted by its share.
    """
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
            meaning = meanings[0][0].replace("\\", r"\\")  # verbatim, not as a pattern
            text = re.sub(rf"\b{short}(?=s?\b)", f"{short} ({meaning})", text)
    for short, share in short_forms(question):
        for term in analyse(short):
            terms[term] = max(terms.get(term, 0.0), SHORT_FORM_WEIGHT * share)
    return Query(text=text, terms=terms)
