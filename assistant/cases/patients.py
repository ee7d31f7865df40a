"""The patients of a record: their number, ages and sexes, in the record's words.

For several patients the ages and sexes are given in one order or not at all: the age of one patient is never combined
with the sex of another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from assistant.cases.ages import VAGUE_AGE, find_ages, find_vague_ages, is_in_general, is_of_another
from assistant.cases.clauses import Span
from assistant.clinical_text.quantities import find_figures
from assistant.reading.sentences import Sentence

_SEX = re.compile(r"\b(?:(?P<male>male|man|boy|gentleman)|(?P<female>female|woman|girl|lady))\b", re.IGNORECASE)
_ANY_SEX = re.compile(
    r"\b(?:(?:fe)?males?|man|men|woman|women|boys?|girls?|brothers|sisters|gentleman|lady)\b", re.IGNORECASE
)
_PRONOUN = re.compile(r"\b(?:(?P<male>he|his|him|himself)|(?P<female>she|her|hers|herself))\b", re.IGNORECASE)
# Where the introduction of one patient ends.
_GOES_ON = re.compile(r"\b(?:whose|his|her|who|with|was|were|had|has|presented|and|in\s+whom)\b|[.;:()]", re.IGNORECASE)
_INTRODUCES = re.compile(
    r"(?:^|\b(?:an?|one|another|other|two|three|four|five|both|(?:case|patient)\s+\w+|and|women|men|boys|girls"
    r"|patients|children|siblings|brothers|sisters)\b)[\s,:(.]*(?:(?!the\b|this\b)[\w-]+\s+){0,3}$",
    re.IGNORECASE,
)
_PEOPLE = (
    r"(?:patients|cases|women|men|boys|girls|children|infants|neonates|newborns|brothers|sisters|siblings|twins|adults"
    r"|adolescents|males|females|people|individuals|persons|family\s+members|babies)"
)
_COUNT = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[2-9]|[1-9]\d)\s+(?:(?!of\b|in\b|for\b"
    r"|and\b)[\w-]+\s+)"
    rf"{{0,3}}?{_PEOPLE}\b",
    re.IGNORECASE,
)
_REPORTS = re.compile(
    r"\b(?:we|here(?:in|by)?|this|authors?)\b.*\b(?:report|describe|present|encounter|treat|observ|stud|review"
    r"|discuss)\w*|\b(?:is|are|were)\s+(?:reported|described|presented|treated|observed)\b|\b(?:in|by)\s*$",
    re.IGNORECASE,
)
_IS_PART = re.compile(
    r"\b(?:history\s+of|among|series(?:\s+of)?|of\s+the|the\s+only|than|another|other)\s*$", re.IGNORECASE
)
_NAMES_SEVERAL = re.compile(
    r"\b(?:(?:second|third|the\s+other|each)\s+patient|both\s+(?:patients|cases)|^(?:the|our|all)\s+patients|(?:case"
    r"|patient)\s+(?:no\.?\s*)?(?:[1-9]|one|two|[A-D])\b|(?:these|all|our|the)\s+(?:two|three|four|five)\s+(?:patients"
    r"|cases|children|women|men|infants)|(?:he|she)\s+too)\b",
    re.IGNORECASE,
)


_A_PAIR = re.compile(
    r"\b(?:an?|one)\s+(?P<first>(?:fe)?male|man|woman|boy|girl)\s+(?:patient\s+)?and\s+(?:an?|one)\s+"
    r"(?P<second>(?:fe)?male|man|woman|boy|girl)\b",
    re.IGNORECASE,
)


class Patient(NamedTuple):
    """A patient as introduced in a record: an age, or a phrase of several ages, and the word for the sex next to it."""

    age: Span
    sex: Span | None


class Patients(NamedTuple):
    """The patients of a record; `phrase` is the record's phrase for how many there are, such as "two women"."""

    presented: tuple[Patient, ...]
    phrase: Span | None
    are_several: bool


def find_patients(sentences: Sequence[Sentence]) -> Patients:
    """The patients whom the sentences of a record introduce."""
    presented: dict[tuple[tuple[str, str], ...], Patient] = {}
    for age in (age for sentence in sentences for age in find_ages(sentence)):
        key = _parse_age(age)
        known = presented.get(key)
        if known is None and (not presented or _INTRODUCES.search(age.before)):
            presented[key] = Patient(age, _find_sex_next_to(age))
        elif known is not None and known.sex is None:
            presented[key] = Patient(known.age, _find_sex_next_to(age))
    count = next((found for sentence in sentences if (found := _find_count(sentence))), None)
    are_several = len(presented) > 1 or any(len(key) > 1 for key in presented)
    names_several = any(_NAMES_SEVERAL.search(sentence.text) for sentence in sentences if not is_in_general(sentence))
    return Patients(tuple(presented.values()), count, bool(count) or are_several or names_several)


def find_age(sentences: Sequence[Sentence], patients: Patients) -> list[Span]:
    """The age of the patient, or the ages of several, in the order in which they are introduced."""
    ages = [patient.age for patient in patients.presented]
    if not patients.are_several:
        return ages or [age for sentence in sentences for age in find_vague_ages(sentence)][:1]
    if len(ages) > 1 or any(_is_of_several(age, patients.phrase) for age in ages):
        return ages
    return [patients.phrase] if patients.phrase and VAGUE_AGE.search(patients.phrase.text) and not ages else []


def find_sex(sentences: Sequence[Sentence], patients: Patients) -> list[Span]:
    """The word for the sex of the patient, or those of several in the order of their ages."""
    known = [patient.sex for patient in patients.presented if patient.sex is not None]
    if patients.are_several:
        if len(known) == len(patients.presented) and find_age(sentences, patients):
            return known
        return _find_sex_of_several(sentences, patients.phrase)
    return known[:1] or _find_only_sex(sentences)


def _find_sex_of_several(sentences: Sequence[Sentence], count: Span | None) -> list[Span]:
    """The word for the sex of all patients, or the words for two patients who are named together."""
    if count and (found := _ANY_SEX.search(count.text)):
        return [Span(count.sentence, count.start + found.start(), count.start + found.end())]
    pairs = [(sentence, pair) for sentence in sentences if (pair := _A_PAIR.search(sentence.text))]
    return [Span(sentence, *pair.span(place)) for sentence, pair in pairs[:1] for place in ("first", "second")]


def _find_only_sex(sentences: Sequence[Sentence]) -> list[Span]:
    """The first word for the patient's sex, if all such words of the sentences agree."""
    for pattern in (_SEX, _PRONOUN):
        found = [
            (match.lastgroup, Span(sentence, *match.span()))
            for sentence in sentences
            if not is_in_general(sentence)
            for match in pattern.finditer(sentence.text)
        ]
        own = [(sex, span) for sex, span in found if not is_of_another(span)]
        if len({sex for sex, _ in own}) == 1:
            return [own[0][1]]
    return []


def _find_sex_next_to(age: Span) -> Span | None:
    """The word for the sex after an age, within the introduction of the patient, or else shortly before the age."""
    stop = _GOES_ON.search(age.after)
    if after := _ANY_SEX.search(age.after[: stop.start() if stop else None]):
        return Span(age.sentence, age.end + after.start(), age.end + after.end())
    start = max((stop.end() for stop in _GOES_ON.finditer(age.before)), default=0)
    matches = list(_ANY_SEX.finditer(age.before, start))
    return Span(age.sentence, *matches[-1].span()) if matches else None


def _find_count(sentence: Sentence) -> Span | None:
    """The number of patients that a sentence reports: in a title, at its start, or after a word such as "report"."""
    if is_in_general(sentence):
        return None
    for match in _COUNT.finditer(sentence.text):
        before = sentence.text[: match.start()]
        if _IS_PART.search(before):
            continue
        if sentence.field == "title" or not before.strip() or _REPORTS.search(before) or before.endswith(" in "):
            return Span(sentence, *match.span())
    return None


def _is_of_several(age: Span, phrase: Span | None) -> bool:
    """Whether an age is a list of ages, or part of the phrase for how many patients there are."""
    return len(_parse_age(age)) > 1 or (phrase is not None and age.is_within(phrase))


def _parse_age(age: Span) -> tuple[tuple[str, str], ...]:
    """The ages of a phrase as (number, unit); "6 years and 3 months" is one age, identified by its years."""
    figures = tuple((number, unit or "year") for number, unit in find_figures(age.text))
    return figures[:1] if len({unit for _, unit in figures}) == len(figures) else figures
