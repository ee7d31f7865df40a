"""The condition, the outcome and the key number of a case, in the record's words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.cases.ages import find_ages, is_in_general
from assistant.cases.clauses import MAX_CELL_CHARS, Span, find_clauses
from assistant.clinical_text.quantities import find_figures
from assistant.reading.sentences import Sentence
from index.text.terms import analyse

# The reader's probability from which a sentence is taken without a word that tells, and with one.
MIN_CHANCE = 0.6
MIN_CHANCE_WITH_CUE = 0.02
# What words that tell an end add to it, and, for a sentence that has such words, how late it stands.
ENDED_FOR_SURE_WEIGHT = 0.6
ENDED_WEIGHT = 0.5
MAY_HAVE_ENDED_WEIGHT = 0.3
LATE_WEIGHT = 0.12
MAX_FIGURE_CHARS = 90

_TITLE_TAIL = re.compile(
    r"[\s:.,;–—-]*\(?\b(?:an?\s+|the\s+first\s+)?(?:(?:rare|unusual|interesting|illustrative|brief|first|two|three"
    r"|four|five|\d+)\s+)*"
    r"(?:case\s+(?:reports?|stud(?:y|ies)|presentation|series|descriptions?)|reports?\s+of\s+(?:an?|one|two|three"
    r"|four|five|\d+)\s+"
    r"cases?|letter)\b.*$",
    re.IGNORECASE,
)
# What may follow the name of a condition.
_OF_WHOM = (
    r"(?=\s*(?:[,.;(]|$)|\s+(?:in\s+(?:an?|the|our|this|two|three|whom|which)|of\s+(?:an?"
    r"|the)\s+(?:\S+\s+){0,2}(?:man|woman|patient)"
    r"|was|were|had|has|is|and\s+(?:was|were|had|his|her|the|he|she)|who|which|that|after|before|by|based|for"
    r"|complicat\w+|"
    r"underwent|presented|presenting|developed|at|on|whose|following|with|secondary|due|from|to|"
    r"\w+(?:ed|ing)\s+(?:from|by|to|in|with|after))\b)"
)
_NAMES_CONDITION = tuple(
    re.compile(pattern + _OF_WHOM, re.IGNORECASE)
    for pattern in (
        r"\bdiagnos(?:ed|is)\s+(?:(?:the|this|her|him)\s+(?:\w+\s+)?)?(?:with|as\s+having|as|of|was)\s+(?:an?\s+"
        r"|the\s+)?(?P<what>(?!made\b|established\b|confirmed\b|not\b)[^,.;()]{3,90}?)",
        r"\b(?:diagnosis|confirmed|revealed|proved|demonstrated)\s+(?:of\s+|to\s+be\s+|the\s+(?:presence"
        r"|diagnosis)\s+of\s+)"
        r"(?:an?\s+|the\s+)?(?P<what>[^,.;()]{3,90}?)",
        r"\b(?:report|describe|present)\w*\s+(?:here\s+)?(?:(?:an?|the|our"
        r"|one)\s+)(?:\w+\s+){0,2}cases?\s+of\s+(?:an?\s+|the\s+)?"
        r"(?P<what>(?!an?\s|\d|\w+[\s-]year)[^,.;()]{3,90}?)",
    )
)
# The illness of the patient who is reported, where the sentence tells nothing else that happened.
_HAS_CONDITION = re.compile(
    r"^(?!.*\b(?:presented|admitted|developed|complain\w*|referred|suffered|underwent|died|was|were|had)\b).*?"
    r"\b(?:man|woman|boy|girl|male|female|patient|infant|child|lady|neonate)\s+(?:\(?[A-Z]\w*\)?\s+)?with\s+"
    r"(?!(?:an?\s+|the\s+)?(?:\S+\s+)?(?:history|past|complaints?|no)\b)(?:an?\s+|the\s+)?(?P<what>[^,.;()]{3,90}?)"
    + _OF_WHOM,
    re.IGNORECASE,
)
_WAS_DIAGNOSED = re.compile(
    r"(?:^|[,;]\s+|\band\s+|:\s+)(?:the\s+|an?\s+)?(?P<what>[^,;:]{3,90}?)\s+(?:was|were)\s+(?:finally\s+|then\s+"
    r"|initially\s+)?diagnosed\b",
    re.IGNORECASE,
)
# A condition is only what has such a word in it; other names that a rule may take for one are left out.
_ILLNESS = re.compile(
    r"(?:itis|[ae]mia|omas?|omata|(?<!diagn)(?<!progn)osis|pathy|algia|uria|plegia|paresis|rrhea|sia|pnea|penia"
    r"|trophy|megaly|ectasia|plasia)\b"
    r"|\b(?:syndromes?|diseases?|disorders?|cancers?|tumou?rs?|infections?|deficienc\w+|insufficienc\w+|failure"
    r"|fractures?|"
    r"ruptures?|lesions?|cysts?|aneurysms?|abscess\w*|hernia\w*|pals(?:y|ies)|injur\w+|obstruction|h(?:a)?emorrhages?"
    r"|bleeding|"
    r"ulcers?|stenos[ie]s|malformations?|dissections?|perforations?|embolism|infarctions?|block|arrhythmias?"
    r"|tachycardia|toxicity|"
    r"poisoning|intoxication|headaches?|migraine|anomal(?:y|ies)|depression|pneumonia|diabetes|epilepsy|seizures?"
    r"|strokes?|malaria|sepsis|metastas[ei]s|asthma|hepatitis|atresia|"
    r"diverticul\w+|mutations?|deletions?|myocarditis|shock|arrest|fistulas?|lymphomas?|melanomas?|defects?|occlusion"
    r"|apn(?:o)?ea|"
    r"encephalitis|encephalomyelitis|purpura|dystrophy|neoplasms?|reactions?|allerg\w+|delirium|psychosis"
    r"|schizophrenia|jaundice)\b",
    re.IGNORECASE,
)
_ENDED = re.compile(
    r"\b(?:died|dead|death|fatal|expired|recover\w*|surviv\w*|resol\w+|disappear\w*|improv\w*|discharg\w*|remission"
    r"|cured?"
    r"|healed|free\s+of|disease[\s-]free|symptom[\s-]free|asymptomatic|regress\w*|relaps\w*|went\s+home|uneventful\w*"
    r"|subsid\w*"
    r"|cleared|vanished|eased|relie[fv]\w*|gone|deteriorat\w*|returned\s+to\s+normal|normali[sz]\w*|lost\s+(?:this"
    r"|the|our)\s+patient"
    r"|(?:no|without)\s+(?:\w+\s+){0,3}?(?:recurrence|relapse|sequel\w*|complications?))\b",
    re.IGNORECASE,
)
_MAY_HAVE_ENDED = re.compile(
    r"\b(?:recur\w*|remain\w*|stayed|normal|follow[\s-]?up|responded|response|alive|well|better|successful\w*"
    r"|satisf\w+|stopped|"
    r"ceased|no\s+(?:evidence|signs?)|came\s+down|reached|achieved)\b",
    re.IGNORECASE,
)
_ENDED_FOR_SURE = re.compile(
    r"\b(?:(?:patient|he|she|man|woman|infant|boy|girl|child|who|died?)\b[^.;]*\b(?:died|recovered|was\s+discharged"
    r"|expired|"
    r"remain\w*\s+(?:well|free|asymptomatic|stable|disease|in)|survived|went\s+home|has\s+been\s+(?:well|free))"
    r"|(?:no|without)\s+(?:\w+\s+){0,3}?(?:recurrence|relapse|sequel\w*)|(?:symptoms?|signs?|pain|lesions?|fever"
    r"|\w+itis|\w+emia)\s+"
    r"(?:\w+\s+)?(?:resolved|disappeared|improved|subsided|cleared)|complete(?:ly)?\s+(?:recover\w*|resol\w*"
    r"|remission)|"
    r"full\s+recovery|recovered\s+(?:fully|completely|uneventfully))\b",
    re.IGNORECASE,
)
_IS_PAST = re.compile(
    r"\b(?:was|were|had|went|found|came|fell|rose|got|been|\w{2,}ed)\b|\bwe\s+(?:report|describe|present)\b", re.I
)
_WHEN = re.compile(r"(?:after|before|when|until|since)\b", re.IGNORECASE)
_FIGURE = re.compile(r"(?<![\w.,-])\d[\d.,·]*(?<![.,])(?![a-zA-Z]*\d)")
_YEAR = re.compile(r"^(?:19|20)\d\d$")
_TIME_UNITS = frozenset({"h", "day", "week", "month", "year", "min", "sec"})


def find_condition(sentences: Sequence[Sentence], chances: Sequence[float]) -> list[Span]:
    """What the case is of: what the title says, else the diagnosis in the sentence that is likeliest to tell it.

    `chances` are the reader's, one for each sentence, that it tells the diagnosis.
    """
    if sentences and sentences[0].field == "title":
        return [_trim_title(sentences[0])]
    ranked = sorted(zip(chances, sentences, strict=True), key=lambda item: -item[0])
    likely = [sentence for chance, sentence in ranked if chance >= MIN_CHANCE_WITH_CUE and _tells_case(sentence)]
    named = [span for sentence in likely if (span := _name_condition(sentence))]
    named += [span for sentence in sentences[:2] if (span := _name_condition(sentence))]
    if named:
        return named[:1]
    best = [s for chance, s in ranked if chance >= MIN_CHANCE and _tells_case(s) and _ILLNESS.search(s.text)]
    return [Span(sentence, 0, len(sentence.text)) for sentence in best[:1]]


def find_outcome(sentences: Sequence[Sentence], chances: Sequence[float], are_several: bool) -> list[Span]:
    """How it ended: the sentence likeliest to tell, or its clauses that do; of several patients the whole sentence.

    `chances` are the reader's, one for each sentence, that it tells the outcome.
    """
    last = max(1, len(sentences) - 1)
    scored = [
        (chance + _weigh_end(sentence) + LATE_WEIGHT * place / last, place, sentence)
        for place, (sentence, chance) in enumerate(zip(sentences, chances, strict=True))
        if sentence.field == "abstract" and _weigh_end(sentence) and _tells_case(sentence)
    ]
    score, _, best = max(scored, default=(0.0, 0, None))
    if best is None or score < MIN_CHANCE:
        return []
    return [Span(best, 0, len(best.text))] if are_several else [_cut_outcome(best)]


def tells_outcome(sentence: Sentence) -> bool:
    """Whether a sentence leaves no doubt that it tells how it ended."""
    return bool(_ENDED_FOR_SURE.search(sentence.text)) and not is_in_general(sentence)


def names_diagnosis(sentence: Sentence) -> bool:
    """Whether a sentence says what was diagnosed."""
    return bool(_WAS_DIAGNOSED.search(sentence.text) or _NAMES_CONDITION[0].search(sentence.text))


def _weigh_end(sentence: Sentence) -> float:
    """What the words of a sentence add to the reader's probability that it tells the outcome; 0 if none does."""
    weights = (
        (_ENDED_FOR_SURE, ENDED_FOR_SURE_WEIGHT),
        (_ENDED, ENDED_WEIGHT),
        (_MAY_HAVE_ENDED, MAY_HAVE_ENDED_WEIGHT),
    )
    return next((weight for pattern, weight in weights if pattern.search(sentence.text)), 0.0)


def _tells_case(sentence: Sentence) -> bool:
    """Whether a sentence tells what happened, not what is so in general."""
    return bool(_IS_PAST.search(sentence.text)) and not is_in_general(sentence)


def find_key_number(sentence: Sentence, question: str | None) -> list[Span]:
    """The figure of a sentence that is most telling for a question, with the words around it; nothing without one."""
    ages = [(age.start, age.end) for age in find_ages(sentence)]
    asked = set(analyse(question or ""))
    found = [
        span
        for match in _FIGURE.finditer(sentence.text)
        if not _YEAR.match(match[0]) and not any(start <= match.start() < end for start, end in ages)
        if (span := _around(sentence, match.start(), match.end()))
    ]
    if not found:
        return []
    return [max(found, key=lambda span: (_telling(span, asked), -span.start))]


def _telling(span: Span, asked: set[str]) -> tuple[int, int]:
    """How much a figure tells: the words of the question around it, then whether it measures anything but time."""
    units = {unit for _, unit in find_figures(span.text)}
    return len(asked.intersection(analyse(span.text))), 2 * bool(units - _TIME_UNITS - {None}) + bool(
        units & _TIME_UNITS
    )


def _around(sentence: Sentence, start: int, end: int) -> Span | None:
    """The words around a figure, up to the next comma or the end of its clause."""
    clause = next((c for c in find_clauses(sentence) if c.start <= start and end <= c.end), None)
    if clause is None:
        return None
    text = sentence.text
    first = max([0, *(stop.end() for stop in re.finditer(r",\s|[(\[](?!.*[)\]])", text[clause.start : start]))])
    last = re.search(r",\s|[)\];]", text[end : clause.end])
    end_of_words = end + last.start() if last else clause.end
    return _narrow(Span(sentence, clause.start + first, end_of_words), start, end)


def _narrow(span: Span, start: int, end: int) -> Span:
    """The span cut at words to about MAX_FIGURE_CHARS around what stands from `start` to `end`."""
    if span.end - span.start <= MAX_FIGURE_CHARS:
        return span
    text, room = span.sentence.text, (MAX_FIGURE_CHARS - (end - start)) // 2
    first = span.start if start - span.start <= room else text.find(" ", start - room, start) + 1 or start
    last = span.end if span.end - end <= room else text.rfind(" ", end, end + room)
    return Span(span.sentence, first, max(last, end))


def _trim_title(title: Sentence) -> Span:
    """The title without "a case report" and its stop."""
    tail = _TITLE_TAIL.search(title.text)
    end = tail.start() if tail and tail.start() > 0 else len(title.text)
    return Span(title, 0, len(title.text[:end].rstrip(" .:;,-[]")) or len(title.text))


def _name_condition(sentence: Sentence) -> Span | None:
    """The condition that a sentence names, an illness by its words, or an abbreviation after "diagnosed with"."""
    for pattern in (_NAMES_CONDITION[0], _WAS_DIAGNOSED, *_NAMES_CONDITION[1:], _HAS_CONDITION):
        match = pattern.search(sentence.text)
        if match and (_ILLNESS.search(match["what"]) or (pattern is _NAMES_CONDITION[0] and match["what"].isupper())):
            return Span(sentence, *match.span("what"))
    return None


def _cut_outcome(sentence: Sentence) -> Span:
    """The sentence from its first clause that tells an end on; of what is too long for a cell, to the last such."""
    clauses = list(find_clauses(sentence))
    tells = [clause for clause in clauses if _ENDED.search(clause.text) or _MAY_HAVE_ENDED.search(clause.text)]
    ended = [clause for clause in tells if not _WHEN.match(clause.text)] or clauses
    rest = Span(sentence, ended[0].start, clauses[-1].end)
    return rest if len(rest.text) <= MAX_CELL_CHARS else Span(sentence, rest.start, ended[-1].end)
