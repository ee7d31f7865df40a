"""What was given or done, with its dose and duration, in the record's words.

A dose is one of a treatment, not a laboratory value: it is in the same clause as a drug or a word such as "received",
and it is not per volume.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.cases.ages import is_in_general
from assistant.cases.clauses import find_clauses
from assistant.cases.spans import Span
from assistant.evidence import Sentence
from assistant.facts import read_facts

MAX_PIECES = 3
# The reader's probability from which a sentence without a dose is taken to tell the treatment.
MIN_CHANCE = 0.4
_QUANTITY = r"\d[\d,.]*(?:\s*(?:-|–|to|/|x|×)\s*\d[\d,.]*)?"
_DOSE = re.compile(
    rf"\b{_QUANTITY}\s?(?:mgs?|g|µg|μg|ug|mcg|micrograms?|milligrams?|grams?|IU|U|units?|million\s+(?:IU|units)|mEq|mmol|ml|mL"
    r"|Gy|cGy|tablets?|capsules?|drops|puffs)(?![\w%])(?!\s*/\s*(?:dL|dl|L|l|mL|ml|litre|liter|g\b|mmol|mg\b|24\s?h))"
    r"(?!\s+(?:per|of)\s+(?:dL|L|litre|mL|blood|urine|protein|fluid|pus))",
)
_DURATION = re.compile(
    r"\b(?:for|over|during|after)\s+(?:(?:about|approximately|at\s+least|more\s+than|almost|nearly|the\s+next|another|"
    r"a\s+total\s+of)\s+)?(?:\d[\d.\-– ]*|an?|two|three|four|five|six|seven|eight|nine|ten|twelve|several)\s?"
    r"(?:(?:consecutive|whole|additional)\s+)?(?:hours?|h|days?|weeks?|wks?|months?|mo|years?|yrs?|cycles|courses)\b"
    r"|\b(?:\d+|two|three|four|five|six|seven|eight|ten|twelve)[\s-](?:hour|day|week|month|year)s?[\s-](?:course|treatment|"
    r"therapy|regimen|use)\b",
    re.IGNORECASE,
)
_GIVEN = (
    r"(?:treated|managed|started|commenced|begun|put|placed|maintained|kept|given|administered|received|prescribed|operated"
    r"|infused|injected|transfused|taking|taken|took|underwent|undergone|receiving)"
)
_IS_GIVEN = re.compile(
    rf"\b(?:{_GIVEN}|treatment|therapy|dos(?:e|es|age)|regimen|chemotherapy|infusion|injections?|withdrawn|stopped|"
    r"discontinued|replaced|performed(?!\s+by)|resected|removed|excised|implanted|repaired|transplant\w*|surgery|added|increased|"
    r"reduced|on)\b",
    re.IGNORECASE,
)
_GIVES = re.compile(
    r"\b(?:patients?|he|she|man|woman|boy|girl|infant|child|who|they|(?:fe)?male)\s+(?:(?:was|were|is|had|has|been|\w+ly|then|"
    r"also|already|started|began|begun)\s+){0,3}(?:treated\s+with|managed\s+with|started\s+on|placed\s+on|put\s+on|"
    r"maintained\s+on|kept\s+on|given|prescribed|received|receiving|taking|took|taken|underwent|undergone|on)\s+(?=\S)",
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
    likely = [(chance, clause) for chance, clause in told if chance >= MIN_CHANCE and not _LONG_AGO.search(clause.text)]
    ranked = sorted(likely, key=lambda item: -item[0])[:1] + sorted(dosed, key=lambda item: -item[0])
    if not dosed:
        ranked += _with_duration(told)
    chosen = list(dict.fromkeys(clause for _, clause in ranked))[:MAX_PIECES]
    pieces = [_cut(clause) for clause in chosen]
    return sorted(pieces, key=lambda piece: (piece.sentence.start, piece.start))


def _with_duration(told: Sequence[tuple[float, Span]]) -> list[tuple[float, Span]]:
    """The clauses that name a drug and for how long it was given, the likeliest first."""
    found = [item for item in told if _DURATION.search(item[1].text) and read_facts(item[1].text).has_drug]
    return sorted(found, key=lambda item: -item[0])


def _is_given(text: str) -> bool:
    return bool(_IS_GIVEN.search(text)) or read_facts(text).has_drug


def _cut(clause: Span) -> Span:
    """The clause from what was given on: without "he was treated with"."""
    given = _GIVES.search(clause.text)
    return Span(clause.sentence, clause.start + given.end(), clause.end) if given else clause
