"""The facts of a statement that a claim must not change: figures, drugs, sex, direction, negation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal, NamedTuple

from assistant.clinical_text.medical_names import drug_names
from assistant.clinical_text.negation import count_denials, pair_opposites, read_polarities
from assistant.clinical_text.quantities import find_figures, find_rates, normalise_text
from index.text.terms import analyse

_SEXES = {
    "male": frozenset({"male", "man", "men", "boy", "boys", "he", "him", "his", "himself", "gentleman", "father"}),
    "female": frozenset(
        {"female", "woman", "women", "girl", "girls", "she", "her", "hers", "herself", "lady", "mother"}
    ),
}
_WORD = re.compile(r"[a-z]+")
_AGE = re.compile(r"\b(\d+) (?:year|month|week|day)s?[ -](?:old|of age)\b|\bage[d]?(?: of)? (\d+)\b")
# CD20, COVID-19, PR3: a letter and a digit in one word
_CODE = re.compile(r"\b(?=\w*\d)[a-z][\w-]*\b")
_SAID_BEFORE = {"rate": "per ", "age": "the age "}


class Fact(NamedTuple):
    """A fact that a text states or not: a figure ("9", "day"), an age, a rate, a code such as CD20, a drug."""

    kind: Literal["figure", "age", "rate", "code", "drug"]
    value: str
    unit: str | None = None

    def __str__(self) -> str:
        text = f"{self.value} {self.unit}" if self.unit else self.value
        return f"{_SAID_BEFORE.get(self.kind, '')}{text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts of a text.

    `ages` are the numbers stated as an age; `polarities` maps each analysed term to whether it is affirmed (True),
    denied (False), or both; `denials` counts the negations.
    """

    items: frozenset[Fact]
    ages: frozenset[str]
    sexes: frozenset[str]
    words: frozenset[str]
    polarities: Mapping[str, frozenset[bool]]
    denials: int

    @property
    def has_drug(self) -> bool:
        """Whether the text names a drug."""
        return any(item.kind == "drug" for item in self.items)


@lru_cache(maxsize=1_024)
def extract_facts(text: str) -> Facts:
    """The facts of a text."""
    normal = normalise_text(text)
    words = frozenset(_WORD.findall(normal))
    items = [Fact("figure", *figure) for figure in find_figures(text)]
    items += [Fact("rate", rate) for rate in find_rates(text)]
    items += [Fact("code", code) for code in _CODE.findall(normal)]
    drugs = analyse(" ".join([*drug_names(text), *(words & _drug_words())]))
    items += [Fact("drug", name) for name in drugs]
    return Facts(
        items=frozenset(items),
        ages=frozenset(match[1] or match[2] for match in _AGE.finditer(normal)),
        sexes=frozenset(sex for sex, names in _SEXES.items() if words & names),
        words=words,
        polarities=read_polarities(text),
        denials=count_denials(text),
    )


def find_missing(claim: Facts, source: Facts) -> list[Fact]:
    """The facts of a claim that its source does not state, in the order of their names.

    A figure without a unit matches any figure of that number; an age must match an age, if the source states any.
    """
    numbers = {item.value for item in source.items if item.kind == "figure"}
    missing = [
        fact for fact in claim.items - source.items if fact.kind != "figure" or fact.unit or fact.value not in numbers
    ]
    if source.ages:
        missing += [Fact("age", age) for age in claim.ages - source.ages]
    return sorted(missing, key=str)


def find_reversed(claim: Facts, source: Facts) -> str | None:
    """What a claim reverses (denies, affirms, or says the opposite of), as a reason to show, or None."""
    if claim.denials and not source.denials:
        return "it denies what the cited sentence does not deny"
    if changed := _find_negation_change(claim, source):
        return changed
    for group, others in pair_opposites():
        said, meant = claim.words & group, source.words & others
        if said and meant and not source.words & group and not claim.words & others:
            return f"it says “{min(said)}” where the cited sentence says “{min(meant)}”"
    return None


def _find_negation_change(claim: Facts, source: Facts) -> str | None:
    if claim.denials == source.denials:
        return None  # a paraphrase may put the negation elsewhere in the sentence
    for term, polarity in claim.polarities.items():
        if term in source.polarities and not polarity & source.polarities[term]:
            said, meant = ("affirms", "denies") if True in polarity else ("denies", "affirms")
            return f"it {said} what the cited sentence {meant} (“{term}”)"
    return None


@cache
def _drug_words() -> frozenset[str]:
    """Drug names without a stem by which they could be recognised."""
    return frozenset(files("assistant.clinical_text").joinpath("drug_words.txt").read_text("utf-8").split())
