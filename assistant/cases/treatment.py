"""What was given or done, with its dose and duration, in the record's words.

A dose is one of a treatment, not a laboratory value: it is in the same clause as a drug or a word such as "received",
and it is not per volume.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assistant.cases.ages import is_in_general
from assistant.cases.clauses import Span, find_clauses
from assistant.reading.sentences import Sentence
from assistant.verification.facts import extract_facts

MAX_PIECES = 3
# The reader's probability from which a sentence without a dose is taken to tell the treatment.
MIN_CHANCE = 0.4
MIN_CHANCE_WITH_DRUG = 0.15
LONG_CLAUSE_CHARS = 80
_QUANTITY = r"\d[\d,.]*(?:\s*(?:-|–|to|/|x|×)\s*\d[\d,.]*)?"
_DOSE = re.compile(
    rf"\b{_QUANTITY}\s?(?:mgs?|g|µg|μg|ug|mcg|micrograms?|milligrams?|grams?|IU|U|units?|million\s+(?:IU|units)|mEq"
    rf"|mmol|ml|mL"
    r"|Gy|cGy|tablets?|capsules?|drops|puffs)(?![\w%])(?!\s*/\s*(?:dL|dl|L|l|mL|ml|litre|liter|g\b|mmol|mg\b|24\s?h))"
    r"(?!\s+(?:per|of)\s+(?:dL|L|litre|mL|blood|urine|protein|fluid|pus))",
)
_NUMBER = r"(?:\d[\d.\-–/ ]*|an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|several)"
_TIME = (
    r"(?:(?:consecutive|whole|additional|continuous)\s+)?"
    r"(?:hours?|h|days?|weeks?|wks?|months?|years?|yrs?|cycles|courses)\b"
)
_ABOUT = (
    r"(?:(?:about|approximately|at\s+least|more\s+than|greater\s+than|almost|nearly|the\s+next|another|a\s+total\s+of)"
    r"\s+)?"
)
_THERAPY = r"(?:treatment|therapy|administration|use|application|infusion|exposure|ingestion|chemotherapy)"
_DURATION = re.compile(
    rf"\b(?:for|over|during)\s+{_ABOUT}{_NUMBER}[\s-]?{_TIME}"
    rf"|\b{_NUMBER}[\s-](?:hour|day|week|month|year)s?['’]?[\s-](?:course|regimen|{_THERAPY})\b"
    rf"|\b(?:after|following)\s+{_ABOUT}{_NUMBER}[\s-]?{_TIME}['’]?(?:\s+of\s+"
    rf"|\s+(?=(?:[\w-]+\s+){{0,3}}{_THERAPY}\b))",
    re.IGNORECASE,
)
# How long after its beginning something happened: the treatment had lasted so long.
_SINCE_START = re.compile(
    rf"\b{_NUMBER}[\s-]?{_TIME}\s+(?:after|following|into)\s+(?:the\s+)?(?:[\w-]+\s+)?(?:start\w*|initiat\w*|begin\w*"
    rf"|commenc\w*|"
    rf"introduc\w*|taking|receiving|{_THERAPY})\b",
    re.IGNORECASE,
)
_GIVEN = (
    r"(?:treated|managed|started|commenced|begun|put|placed|maintained|kept|given|administered|received|prescribed"
    r"|operated"
    r"|infused|injected|transfused|taking|taken|took|underwent|undergone|receiving)"
)
_IS_GIVEN = re.compile(
    rf"\b(?:{_GIVEN}|treatment|therapy|dos(?:e|es|age)|regimen|chemotherapy|infusion|injections?|withdrawn|stopped|"
    r"discontinued|replaced|performed(?!\s+by)|resected|removed|excised|implanted|repaired|transplant\w*|surgery"
    r"|added)\b",
    re.IGNORECASE,
)
_GIVES = re.compile(
    r"\b(?:patients?|he|she|man|woman|boy|girl|infant|child|who|they|(?:fe)?male)\s+(?:(?:was|were|is|had|has|been"
    r"|\w+ly|then|"
    r"also|already|started|began|begun)\s+){0,3}(?:treated\s+(?:with|by)|managed\s+with|started\s+on|placed\s+on"
    r"|put\s+on|"
    r"maintained\s+on|kept\s+on|given|prescribed|received|receiving|taking|took|taken(?!\s+to\b)|underwent|undergone"
    r"|on)\s+(?=\S)"
    r"|^(?:was\s+|were\s+)?(?:treated\s+(?:with|by)|given|prescribed|received|underwent)\s+(?=\S)",
    re.IGNORECASE,
)
# The words before a dose that may name what it is of.
_NAME_BEFORE = re.compile(
    r"(?:(?<![\w/.'’-])(?!(?:with|of|on|to|by|in|for|and|the|an?|was|were|took|received|given|taking|receiving|dose"
    r"|doses|than)\b)"
    r"[\w/.'’-]+[\s(]+){1,4}$",
    re.IGNORECASE,
)
_LONG_AGO = re.compile(
    r"\b(?:history\s+of|previously|in\s+the\s+past|years?\s+(?:ago|earlier|before|previously)|overdose|ingest\w+)\b",
    re.IGNORECASE,
)


def find_interventions(sentences: Sequence[Sentence], chances: Sequence[float]) -> list[Span]:
    """The clauses that tell what was given, in the order of the text: those with a dose, and the one likeliest to.

    `chances` are the reader's, one for each sentence, that it tells how the patient was treated.
    """
    told = [
        (chance, clause)
        for sentence, chance in zip(sentences, chances, strict=True)
        if sentence.field == "abstract" and not is_in_general(sentence)
        for clause in find_clauses(sentence)
        if _is_given(clause.text)
    ]
    dosed = [(chance, clause) for chance, clause in told if _DOSE.search(clause.text)]
    likely = [
        (chance, clause)
        for chance, clause in told
        if chance >= _needed_chance(clause.text) and not _LONG_AGO.search(clause.text)
    ]
    ranked = sorted(likely, key=lambda item: -item[0])[:1] + sorted(dosed, key=lambda item: -item[0])
    if not dosed:
        ranked += sorted((item for item in told if _lasts(item[1].text)), key=lambda item: -item[0])
    chosen = list(dict.fromkeys(clause for _, clause in ranked))[:MAX_PIECES]
    return sorted(map(_cut, chosen), key=lambda piece: (piece.sentence.start, piece.start))


def find_dosed_drug(sentence: Sentence) -> str | None:
    """The name of a drug whose dose a sentence gives, where it is known to be one and is the nearest to the dose."""
    for clause in find_clauses(sentence):
        if dose := _DOSE.search(clause.text):
            drugs = [(abs(start - dose.start()), drug) for start, drug in _find_drugs(clause.text)]
            return min(drugs)[1] if drugs else None
    return None


def find_lasting_drug(sentence: Sentence) -> str | None:
    """The name of the one drug of a clause that says how long something was given."""
    for clause in find_clauses(sentence):
        drugs = {drug for _, drug in _find_drugs(clause.text)}
        if _lasts(clause.text) and len(drugs) == 1:
            return drugs.pop()
    return None


def tells_treatment(sentence: Sentence) -> bool:
    """Whether a sentence says of the patient what was given or done."""
    return bool(_GIVES.search(sentence.text))


def _find_drugs(text: str) -> Iterator[tuple[int, str]]:
    return ((word.start(), word[0]) for word in re.finditer(r"\w[\w-]+", text) if extract_facts(word[0]).has_drug)


def _is_given(text: str) -> bool:
    return bool(_IS_GIVEN.search(text)) or extract_facts(text).has_drug


def _needed_chance(text: str) -> float:
    return MIN_CHANCE_WITH_DRUG if extract_facts(text).has_drug else MIN_CHANCE


def _lasts(text: str) -> bool:
    """Whether a clause says how long something was given."""
    named = bool(re.search(rf"\b{_THERAPY}\b", text)) or extract_facts(text).has_drug
    return bool(_SINCE_START.search(text) or (named and _DURATION.search(text)))


def _cut(clause: Span) -> Span:
    """The clause from what was given on: without "he was treated with", or what a dose or a duration led to."""
    given = _GIVES.search(clause.text)
    if given:
        return Span(clause.sentence, clause.start + given.end(), clause.end)
    if len(clause.text) <= LONG_CLAUSE_CHARS:
        return clause
    marks = [mark.start() for pattern in (_DURATION, _SINCE_START) if (mark := pattern.search(clause.text))]
    if dose := _DOSE.search(clause.text):
        before = _NAME_BEFORE.search(clause.text[: dose.start()])
        marks.append(before.start() if before else dose.start())
    drugs = (start for start, _ in _find_drugs(clause.text))
    start = min([*marks, next(drugs, len(clause.text))]) if marks else 0
    return Span(clause.sentence, clause.start + start, clause.end)
