"""The ages of a record's patients, in its words.

Only the present age of a patient counts: not a relative's age, nor that of people in general, nor the age at an earlier
event, nor the age of a thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.cases.clauses import Span
from assistant.reading.sentences import Sentence

_TENS = "(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)"
_DIGITS = "(?:one|two|three|four|five|six|seven|eight|nine)"
_TEENS = "(?:ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen)"
_NUMBER = rf"(?:\d{{1,3}}(?:[.,]\d{{1,2}})?(?:[\s-]?\d/\d|\s?½)?|{_TENS}(?:[\s-]{_DIGITS})?|{_DIGITS}|{_TEENS})"
_NUMBERS = rf"{_NUMBER}(?:(?:\s*[-–,]\s*|-?,?\s+(?:and|to|or)\s+(?:a\s+)?){_NUMBER})*"
_UNIT = r"(?:years?|yrs?|months?|weeks?|days?|hours?)"
_LONG = rf"{_NUMBERS}[\s-]*{_UNIT}(?:[\s,-]+(?:and[\s-]+)?(?:a[\s-]+half|{_NUMBER}[\s-]*{_UNIT}))?"
_AGE = re.compile(
    rf"\b(?:{_LONG}[\s-]*(?:old\b|of\s+age\b)|(?:aged|of\s+age):?\s+(?:about\s+)?{_NUMBERS}(?:\s*{_UNIT})?\b"
    rf"|(?<=man\sof\s){_LONG}|(?<=\bboy\sof\s){_LONG}|(?<=\bgirl\sof\s){_LONG}"
    r"|\d{1,3}[\s-]?(?:y/o|yo|y\.o\.)(?!\w)|\d{1,3}[\s-]?(?:years?|yrs?)(?=\s+(?:(?:fe)?male|man|woman|boy|girl)\b)"
    rf"|(?<=[,(]\s){_NUMBER}\s+years(?=\s*[,)])|(?<=\(){_NUMBER}\s+years(?=[,)]))",
    re.IGNORECASE,
)
VAGUE_AGE = re.compile(
    r"\b(?:middle[\s-]aged|elderly|newborns?|neonates?|infants?|toddlers?|child(?:ren)?|adolescents?|teenagers?"
    r"|teenaged?|p(?:a)?ediatric|adults?|young(?=\s+(?:\w+\s+)?(?:man|woman|girl|boy|adult|male|female)))\b",
    re.IGNORECASE,
)
_RELATIVE = (
    r"(?:mothers?|fathers?|parents?|sisters?|brothers?|siblings?|twin|sons?|daughters?|wife|husband|spouse|partner|aunt"
    r"|uncle|cousins?|nephew|niece|grand\w+|relatives?|family|donors?|controls?|volunteers?|subjects)"
)
_POSSESSED = r"(?:his|her|their|whose|patient['’]s|child['’]s|maternal|paternal)"
_OF_A_RELATIVE_BEFORE = re.compile(
    rf"\b{_POSSESSED}\s+(?:[\w-]+\s+){{0,2}}{_RELATIVE}\b[^.;:]{{0,40}}$|\b{_POSSESSED}\s+(?:[\w-]+\s+){{0,2}}$"
    r"|\b(?:born|delivered|delivery|donated)\b[^.;,]{0,20}\b(?:to|of|from|by)\s+an?\s+(?:[\w-]+\s+){0,2}$"
    r"|\b(?:infant|baby|neonate|newborn|son|daughter|child|kidney|liver|heart|graft|marrow)\s+(?:of|from)\s+an?\s+"
    r"(?:[\w-]+\s+){0,2}$",
    re.IGNORECASE,
)
# A mother may be a patient, and so may each of two sisters.
_OF_A_RELATIVE_AFTER = re.compile(
    r"^[\s,]*(?:[\w-]+\s+){0,3}(?:donors?|controls?|volunteers?|subjects|father|sister|brother|son|daughter|wife"
    r"|husband|aunt|uncle|cousin|nephew|niece|grand\w+)\b",
    re.IGNORECASE,
)
_OF_A_THING = re.compile(
    r"^[\s,]*(?:[\w-]+\s+)?(?:history|lesions?|fractures?|tumou?rs?|scars?|wounds?|implants?|grafts?|prosthes[ei]s"
    r"|symptoms?|h(?:a)?ematomas?|guidelines?|study|data)\b",
    re.IGNORECASE,
)
_NOT_NOW = re.compile(
    r"\b(?:at|by|since|until|till|before|after|from|under|over|above|below|than|between|mean|median|average|least|most"
    r"|range[ds]?|up\s+to|when\s+(?:he|she|they)\s+(?:was|were)|(?:mean|median|average)\s+age[\s\w]{0,20})"
    r"\s*(?:the\s+|an?\s+)?(?:about\s+)?$|[<>≥≤]\s*$",
    re.IGNORECASE,
)
_IN_GENERAL = re.compile(
    r"\b(?:usually|commonly|typically|generally|most\s+(?:common|often|frequent)\w*|incidence|prevalence"
    r"|previous(?:ly)?\s+(?:reported|published|described)|(?:has|have)\s+(?:\w+\s+)?been\s+(?:reported|described)"
    r"|among\s+(?:the\s+)?\d+|published|on\s+record|(?:(?:in|from)\s+the|medical|english"
    r"|earlier)\s+(?:\w+\s+){0,2}literature|literature\s+(?:search|review)\s+(?:found|identified|revealed)|pubmed"
    r"|medline|embase|databases?|search(?:ed|es)?|reported\s+in\s+the|worldwide|volunteers|healthy\s+subjects"
    r"|randomi[sz]ed|case\s+reports\s+and|should|may|might|must|can|could\s+be)\b",
    re.IGNORECASE,
)
_IS_ONE = re.compile(r"(?:^|\b(?:an?|one|another|this|our)\s+(?:[\w-]+\s+){0,2})$", re.IGNORECASE)


def find_ages(sentence: Sentence) -> Iterator[Span]:
    """The ages in figures that a sentence gives for patients."""
    if is_in_general(sentence):
        return
    for match in _AGE.finditer(sentence.text):
        span = Span(sentence, *match.span())
        if not is_of_another(span) and not _OF_A_THING.match(span.after) and not _NOT_NOW.search(span.before):
            yield span


def find_vague_ages(sentence: Sentence) -> Iterator[Span]:
    """Words such as "infant" by which a sentence describes a patient."""
    if is_in_general(sentence):
        return
    for match in VAGUE_AGE.finditer(sentence.text):
        span = Span(sentence, *match.span())
        if _IS_ONE.search(span.before) and not is_of_another(span):
            yield span


def is_in_general(sentence: Sentence) -> bool:
    """Whether a sentence is about more than the reported case."""
    return bool(_IN_GENERAL.search(sentence.text))


def is_of_another(span: Span) -> bool:
    """Whether a span is about a relative of the patient, or a donor."""
    return bool(_OF_A_RELATIVE_BEFORE.search(span.before) or _OF_A_RELATIVE_AFTER.match(span.after))
