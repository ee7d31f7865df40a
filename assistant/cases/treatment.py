"""Treatments with their dose and duration, in the record's words.

A quantity counts as a dose, not a laboratory value, if its clause has a drug or a word such as "received" and it is not
per volume.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assistant.cases.ages import is_in_general
from assistant.cases.clauses import Span, find_clauses
from assistant.reading.sentences import Sentence
from assistant.verification.facts import extract_facts

MAX_PIECES = 3
# Minimum probability from the reader for a clause without a dose, and for one that names a drug.
MIN_TREATMENT_CHANCE = 0.4
MIN_TREATMENT_CHANCE_WITH_DRUG = 0.15
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
    rf"\b(?:for|over|during)\s+{_ABOUT}{_NUMBER}[\s-]?{_TIME}|\b{_NUMBER}[\s-](?:hour|day|week|month"
    rf"|year)s?['’]?[\s-](?:course|regimen|{_THERAPY})\b|\b(?:after"
    rf"|following)\s+{_ABOUT}{_NUMBER}[\s-]?{_TIME}['’]?(?:\s+of\s+|\s+(?=(?:[\w-]+\s+){{0,3}}{_THERAPY}\b))",
    re.IGNORECASE,
)
# The time from the start of a treatment to an event is the duration of the treatment so far.
_SINCE_START = re.compile(
    rf"\b{_NUMBER}[\s-]?{_TIME}\s+(?:after|following|into)\s+(?:the\s+)?(?:[\w-]+\s+)?(?:start\w*|initiat\w*|begin\w*"
    rf"|commenc\w*|introduc\w*|taking|receiving|{_THERAPY})\b",
    re.IGNORECASE,
)
_GIVEN = (
    r"(?:treated|managed|started|commenced|begun|put|placed|maintained|kept|given|administered|received|prescribed"
    r"|operated|infused|injected|transfused|taking|taken|took|underwent|undergone|receiving)"
)
_IS_GIVEN = re.compile(
    rf"\b(?:{_GIVEN}|treatment|therapy|dos(?:e|es|age)|regimen|chemotherapy|infusion|injections?|withdrawn|stopped|"
    r"discontinued|replaced|performed(?!\s+by)|resected|removed|excised|implanted|repaired|transplant\w*|surgery"
    r"|added)\b",
    re.IGNORECASE,
)
_GIVES = re.compile(
    r"\b(?:patients?|he|she|man|woman|boy|girl|infant|child|who|they|(?:fe)?male)\s+(?:(?:was|were|is|had|has|been"
    r"|\w+ly|then|also|already|started|began|begun)\s+){0,3}(?:treated\s+(?:with|by)|managed\s+with|started\s+on"
    r"|placed\s+on|put\s+on|maintained\s+on|kept\s+on|given|prescribed|received|receiving|taking|took|taken(?!\s+to\b)"
    r"|underwent|undergone|on)\s+(?=\S)|^(?:was\s+|were\s+)?(?:treated\s+(?:with|by)|given|prescribed|received"
    r"|underwent)\s+(?=\S)",
    re.IGNORECASE,
)
# The words before a dose that may name its drug.
_NAME_BEFORE = re.compile(
    r"(?:(?<![\w/.'’-])(?!(?:with|of|on|to|by|in|for|and|the|an?|was|were|took|received|given|taking|receiving|dose"
    r"|doses|than)\b)[\w/.'’-]+[\s(]+){1,4}$",
    re.IGNORECASE,
)
_LONG_AGO = re.compile(
    r"\b(?:history\s+of|previously|in\s+the\s+past|years?\s+(?:ago|earlier|before|previously)|overdose|ingest\w+)\b",
    re.IGNORECASE,
)


def find_interventions(sentences: Sequence[Sentence], chances: Sequence[float]) -> list[Span]:
    """The clauses that state a treatment, in the order of the text: those with a dose, and the most probable one.

    `chances` are the reader's probabilities that a sentence states the treatment, one for each sentence.
    """
    stated = [
        (chance, clause)
        for sentence, chance in zip(sentences, chances, strict=True)
        if sentence.field == "abstract" and not is_in_general(sentence)
        for clause in find_clauses(sentence)
        if _IS_GIVEN.search(clause.text) or extract_facts(clause.text).has_drug
    ]
    dosed = [(chance, clause) for chance, clause in stated if _DOSE.search(clause.text)]
    likely = [
        (chance, clause)
        for chance, clause in stated
        if chance >= (MIN_TREATMENT_CHANCE_WITH_DRUG if extract_facts(clause.text).has_drug else MIN_TREATMENT_CHANCE)
        and not _LONG_AGO.search(clause.text)
    ]
    ranked = sorted(likely, key=lambda item: -item[0])[:1] + sorted(dosed, key=lambda item: -item[0])
    if not dosed:
        ranked += sorted((item for item in stated if _has_duration(item[1].text)), key=lambda item: -item[0])
    chosen = list(dict.fromkeys(clause for _, clause in ranked))[:MAX_PIECES]
    return sorted(map(_cut, chosen), key=lambda piece: (piece.sentence.start, piece.start))


def find_dosed_drug(sentence: Sentence) -> str | None:
    """The known drug that is nearest to the first dose of a sentence."""
    for clause in find_clauses(sentence):
        if dose := _DOSE.search(clause.text):
            drugs = [(abs(start - dose.start()), drug) for start, drug in _find_drugs(clause.text)]
            return min(drugs)[1] if drugs else None
    return None


def find_lasting_drug(sentence: Sentence) -> str | None:
    """The only drug of a clause that gives the duration of a treatment."""
    for clause in find_clauses(sentence):
        if _has_duration(clause.text) and len(drugs := {drug for _, drug in _find_drugs(clause.text)}) == 1:
            return drugs.pop()
    return None


def states_treatment(sentence: Sentence) -> bool:
    """Whether a sentence states how the patient was treated."""
    return bool(_GIVES.search(sentence.text))


def _find_drugs(text: str) -> Iterator[tuple[int, str]]:
    """The known drugs of a text, each with its offset."""
    return ((word.start(), word[0]) for word in re.finditer(r"\w[\w-]+", text) if extract_facts(word[0]).has_drug)


def _has_duration(text: str) -> bool:
    """Whether a clause gives the duration of a treatment."""
    named = bool(re.search(rf"\b{_THERAPY}\b", text)) or extract_facts(text).has_drug
    return bool(_SINCE_START.search(text) or (named and _DURATION.search(text)))


def _cut(clause: Span) -> Span:
    """The clause from the treatment on: without "he was treated with", or what precedes the drug, dose or duration."""
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
