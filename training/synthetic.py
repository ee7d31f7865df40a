"""Questions made by rule from the records' own sentences: who, how much, how, how long, for what.

People's questions name the case in one sentence and ask for what is in another. These name what is next to the answer,
as in "how was X given when Y occurred", so that the reader learns that shared words count too, and what kind of words
answers what kind of question. A question of a kind that the record has nothing of is one that it does not answer.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from assistant.reading.rows import Report
from training.data import NO_SPAN, Example

MAX_A_RECORD = 4
SILENT_SHARE = 0.5
COMMON_SHARE = 0.4  # of ages and sexes, which nearly every report gives
NAMING_PHRASES = 2
_NUMBER = r"(?:\d[\d.,]*|one|two|three|four|five|six|seven|eight|nine|ten|several|a few)"
_ILLNESS = (
    r"(?:[a-z]+[- ]){0,2}[a-z-]*(?:itis|osis|emia|aemia|pathy|oma|omas|epsy|syndrome|disease|disorder|cancer|carcinoma"
    r"|failure|infection|hypertension|diabetes|schizophrenia|depression|leukemia|lymphoma|sepsis|shock|anemia|pain)\b"
)
_DRUG = re.compile(
    r"\b[a-z]{3,}(?:mab|nib|pine|pam|amine|idine|azine|oxone|olone|isone|mycin|floxacin|cycline|azole|zide|amide|pril"
    r"|olol|statin|vir|cillin|platin|tide|taxel|trexate|toin|barbital|caine|profen|oxin|arin|feron|lithium|insulin"
    r"|steroids?|therapy|treatment|chemotherapy)\b",
    re.IGNORECASE,
)
_BREAKS = re.compile(
    r"[^\w\s'-]|\b(?:an?|the|this|that|these|those|of|in|on|at|by|for|from|to|into|with|without|and|or|but|nor|as|than|"
    r"was|were|is|are|be|been|being|has|have|had|did|do|does|not|no|who|whom|whose|which|when|where|while|after|before|"
    r"during|until|since|due|because|his|her|their|its|our|he|she|they|it|we|there|then|also|only|both|each|all|may|"
    r"can|could|should|would|will|patient|patients|case|cases|report|reported|developed|given|treated|received|"
    r"associated|following|induced|caused|showed|revealed|presented|describe|described)\b",
    re.IGNORECASE,
)


class Kind(NamedTuple):
    """What answers questions of a kind, how they are put ({} names the case), and what the sentence must speak of.

    `share`: in how many of the records that have such a sentence it is asked for.
    """

    answer: re.Pattern[str]
    forms: tuple[str, ...]
    can_be_silent: bool = True
    context: re.Pattern[str] = re.compile("")
    share: float = 1.0


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})", re.IGNORECASE)


KINDS = {
    "age": Kind(
        _words(
            r"\d{1,3}[- ](?:years?|months?|weeks?|days?)[- ]old\b|aged? \d+\b|(?:premature )?(?:neonate|infant)s?\b"
            r"|newborns?\b|child(?:ren)?\b|adolescents?\b|elderly\b|teenager?s?\b|p(?:a)?ediatric\b"
        ),
        ("how old was the patient with {}?", "age of the patient ({})", "{}: how old?", "at what age did {} happen?"),
        share=COMMON_SHARE,
    ),
    "sex": Kind(
        _words(r"(?:man|woman|men|women|boys?|girls?|males?|females?)\b"),
        ("was it a man or a woman with {}?", "sex of the patient in the report on {}", "{} - male or female?"),
        can_be_silent=False,
        share=COMMON_SHARE,
    ),
    "dose": Kind(
        _words(
            r"\d[\d.,]*(?:\s?(?:to|-)\s?[\d.,]+)?\s?(?:mg|g|µg|μg|mcg|IU|units|Gy|mCi)\b(?!/d?l)(?:\s?/\s?(?:kg|day|d|m2|h|min)\b)*"
            r"|over-?dos(?:e|age)\b|(?:high|low|single|massive)[- ]doses?\b"
        ),
        ("how much was given, {}?", "dosage of {}", "what dose led to {}?", "{}: which dose was used?"),
        context=_DRUG,
    ),
    "route": Kind(
        _words(
            r"oral(?:ly)?\b|intravenous(?:ly)?\b|intra(?:thecal|muscular|vitreal|nasal|venous|peritoneal|articular|dermal|"
            r"arterial|lesional|cameral|ventricular)\w*|subcutaneous(?:ly)?\b|topical(?:ly)?\b|inhal(?:ed|ation)\b|infusions?\b"
            r"|injections?\b|injected\b|transdermal\b|by mouth\b|ointment\b|cream\b|eye ?drops\b|epidural\b"
        ),
        (
            "how was {} administered?",
            "{}: given how, by mouth or otherwise?",
            "route used for {}",
            "how was it given, {}?",
        ),
        can_be_silent=False,
    ),
    "time": Kind(
        _words(rf"{_NUMBER}(?:\s?(?:to|-|or)\s?{_NUMBER})?[- ]?(?:minute|hour|day|week|month|year)s?\b(?![- ]old)"),
        ("how long did it take, {}?", "after what time did {} come?", "{}: for how long?", "time between the two: {}"),
    ),
    "frequency": Kind(
        _words(
            rf"(?:once|twice|{_NUMBER} times)(?: (?:a|per|every|daily|weekly)\b(?: (?:day|week|month)\b)?)?|daily\b"
            r"|weekly\b|monthly\b|every (?:other )?\w+ ?(?:hours?|days?|weeks?|months?)?|continuous(?:ly)?\b"
        ),
        ("how often was {} taken?", "{}: how many times?", "schedule of {}"),
        context=_DRUG,
    ),
    "reason": Kind(
        re.compile(rf"(?:(?<=\bfor )|(?<=\bwith )|(?<=\bof )|(?<=\bfrom ))(?:{_ILLNESS})", re.IGNORECASE),
        (
            "what was {} prescribed for?",
            "which illness was treated, {}?",
            "{}: underlying disease?",
            "why was {} used?",
        ),
        can_be_silent=False,
        context=_DRUG,
    ),
}

_JOINTS = (" and ", " with ", ", ", " after ", " - ")
_FORM_WORDS = frozenset(
    re.findall(r"[a-z]+", " ".join([*_JOINTS, *(form for kind in KINDS.values() for form in kind.forms)]))
)


def make_exercises(reports: Mapping[str, Report], examples: Sequence[Example]) -> list[Example]:
    """Up to MAX_A_RECORD questions for each record that has examples; their neighbours are those of its examples."""
    exercises = []
    for record_id, model in {example.record_id: example for example in examples}.items():
        report, rng = reports[record_id], random.Random(record_id)
        made = [*_answered(report, model, rng), *_silent(report, model, rng)]
        for item in rng.sample(made, min(MAX_A_RECORD, len(made))):
            exercises.append(replace(item, near=_without_twins(item, reports)))
    return exercises


def _answered(report: Report, model: Example, rng: random.Random) -> Iterator[Example]:
    """At most one question of each kind, from sentences in random order."""
    order = rng.sample(range(len(report.sentences)), len(report.sentences))
    for name, kind in KINDS.items():
        for number in order if rng.random() < kind.share else ():
            sentence = report.sentences[number]
            found = kind.answer.search(sentence)
            if not found or not kind.context.search(sentence):
                continue
            naming = _name_case(sentence, found.span(), rng)
            if naming and not _answers_elsewhere(report, number, kind, naming):
                question = rng.choice(kind.forms).format(naming)
                yield replace(model, question=question, span=number + 1, answer=found.group(), kind=name)
                break


def _silent(report: Report, model: Example, rng: random.Random) -> Iterator[Example]:
    """For some records a question of a kind that they have nothing of."""
    whole = " ".join([report.title, *report.sentences])
    absent = [kind for kind in KINDS.values() if kind.can_be_silent and not kind.answer.search(whole)]
    fitting = [(kind, text) for kind in absent for text in report.sentences if kind.context.search(text)]
    if fitting and rng.random() < SILENT_SHARE:
        kind, sentence = rng.choice(fitting)
        if naming := _name_case(sentence, (0, 0), rng):
            question = rng.choice(kind.forms).format(naming)
            yield replace(model, question=question, span=NO_SPAN, answer="", kind="unanswerable")


def _name_case(sentence: str, answer: tuple[int, int], rng: random.Random) -> str:
    """Two phrases of the sentence other than the answer, in order; nothing if it has fewer."""
    start, end = answer
    around = (sentence[:start], sentence[end:])
    phrases = [phrase.strip() for part in around for phrase in _BREAKS.split(part)]
    informative = [phrase for phrase in phrases if len(phrase) > 4 and len(phrase.split()) <= 5]
    if len(informative) < NAMING_PHRASES:
        return ""
    first, second = (informative[place] for place in sorted(rng.sample(range(len(informative)), NAMING_PHRASES)))
    return f"{first}{rng.choice(_JOINTS)}{second}"


def _answers_elsewhere(report: Report, number: int, kind: Kind, naming: str) -> bool:
    """Whether another sentence speaks of most of what names the case, and could answer too."""
    words = set(naming.casefold().split())
    others = (text for place, text in enumerate(report.sentences) if place != number)
    return any(
        kind.answer.search(text) and 2 * len(words & set(text.casefold().split())) >= len(words) for text in others
    )


def _without_twins(item: Example, reports: Mapping[str, Report]) -> tuple[str, ...]:
    """The neighbours that do not hold all the words that name the case, since they might answer too."""
    own = _words_of(reports[item.record_id])
    naming = (set(re.findall(r"[^\W_]+", item.question.casefold())) & own) - _FORM_WORDS
    return tuple(name for name in item.near if not naming <= _words_of(reports[name]))


@cache
def _words_of(report: Report) -> frozenset[str]:
    return frozenset(re.findall(r"[^\W_]+", " ".join([report.title, *report.sentences]).casefold()))
