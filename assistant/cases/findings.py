"""The condition, the outcome and the key number of a case, in the record's words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.cases.ages import find_ages, is_in_general
from assistant.cases.clauses import MAX_CELL_CHARS, Span, find_clauses
from assistant.clinical_text.quantities import find_figures
from assistant.reading.sentences import Sentence
from index.text.terms import analyse

# Minimum probability from the reader for a sentence without a cue word, and with one.
MIN_FINDING_CHANCE = 0.6
MIN_CHANCE_WITH_CUE = 0.02
# What cue words of an outcome add to the reader's probability, and how much the position of the sentence adds at most.
ENDED_FOR_SURE_WEIGHT = 0.6
ENDED_WEIGHT = 0.5
MAY_HAVE_ENDED_WEIGHT = 0.3
LATE_WEIGHT = 0.12
MAX_FIGURE_CHARS = 90

_TITLE_TAIL = re.compile(
    r"[\s:.,;–—-]*\(?\b(?:an?\s+|the\s+first\s+)?(?:(?:rare|unusual|interesting|illustrative|brief|first|two|three"
    r"|four|five|\d+)\s+)*(?:case\s+(?:reports?|stud(?:y|ies)|presentation|series|descriptions?)"
    r"|reports?\s+of\s+(?:an?|one|two|three|four|five|\d+)\s+cases?|letter)\b.*$",
    re.IGNORECASE,
)
# What may follow the name of a condition.
_OF_WHOM = (
    r"(?=\s*(?:[,.;(]|$)|\s+(?:in\s+(?:an?|the|our|this|two|three|whom|which)|of\s+(?:an?|the)\s+(?:\S+\s+){0,2}(?:man"
    r"|woman|patient)|was|were|had|has|is|and\s+(?:was|were|had|his|her|the|he|she)|who|which|that|after|before|by"
    r"|based|for|complicat\w+|underwent|presented|presenting|developed|at|on|whose|following|with|secondary|due|from"
    r"|to|\w+(?:ed|ing)\s+(?:from|by|to|in|with|after))\b)"
)
_NAMES_CONDITION = tuple(
    re.compile(pattern + _OF_WHOM, re.IGNORECASE)
    for pattern in (
        r"\bdiagnos(?:ed|is)\s+(?:(?:the|this|her|him)\s+(?:\w+\s+)?)?(?:with|as\s+having|as|of|was)\s+(?:an?\s+"
        r"|the\s+)?(?P<what>(?!made\b|established\b|confirmed\b|not\b)[^,.;()]{3,90}?)",
        r"\b(?:diagnosis|confirmed|revealed|proved|demonstrated)\s+(?:of\s+|to\s+be\s+|the\s+(?:presence"
        r"|diagnosis)\s+of\s+)(?:an?\s+|the\s+)?(?P<what>[^,.;()]{3,90}?)",
        r"\b(?:report|describe|present)\w*\s+(?:here\s+)?(?:(?:an?|the|our"
        r"|one)\s+)(?:\w+\s+){0,2}cases?\s+of\s+(?:an?\s+|the\s+)?(?P<what>(?!an?\s|\d|\w+[\s-]year)[^,.;()]{3,90}?)",
    )
)
# The illness of the reported patient, in a sentence without another event.
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
# A condition must contain such a word; other names that match a pattern are left out.
_ILLNESS = re.compile(
    r"(?:itis|[ae]mia|omas?|omata|(?<!diagn)(?<!progn)osis|pathy|algia|uria|plegia|paresis|rrhea|sia|pnea|penia|trophy"
    r"|megaly|ectasia|plasia)\b|\b(?:syndromes?|diseases?|disorders?|cancers?|tumou?rs?|infections?|deficienc\w+"
    r"|insufficienc\w+|failure|fractures?|ruptures?|lesions?|cysts?|aneurysms?|abscess\w*|hernia\w*|pals(?:y|ies)"
    r"|injur\w+|obstruction|h(?:a)?emorrhages?|bleeding|ulcers?|stenos[ie]s|malformations?|dissections?|perforations?"
    r"|embolism|infarctions?|block|arrhythmias?|tachycardia|toxicity|poisoning|intoxication|headaches?|migraine"
    r"|anomal(?:y|ies)|depression|pneumonia|diabetes|epilepsy|seizures?|strokes?|malaria|sepsis|metastas[ei]s|asthma"
    r"|hepatitis|atresia|diverticul\w+|mutations?|deletions?|myocarditis|shock|arrest|fistulas?|lymphomas?|melanomas?"
    r"|defects?|occlusion|apn(?:o)?ea|encephalitis|encephalomyelitis|purpura|dystrophy|neoplasms?|reactions?|allerg\w+"
    r"|delirium|psychosis|schizophrenia|jaundice)\b",
    re.IGNORECASE,
)
_ENDED = re.compile(
    r"\b(?:died|dead|death|fatal|expired|recover\w*|surviv\w*|resol\w+|disappear\w*|improv\w*|discharg\w*|remission"
    r"|cured?|healed|free\s+of|disease[\s-]free|symptom[\s-]free|asymptomatic|regress\w*|relaps\w*|went\s+home"
    r"|uneventful\w*|subsid\w*|cleared|vanished|eased|relie[fv]\w*|gone|deteriorat\w*|returned\s+to\s+normal"
    r"|normali[sz]\w*|lost\s+(?:this|the|our)\s+patient|(?:no|without)\s+(?:\w+\s+){0,3}?(?:recurrence|relapse"
    r"|sequel\w*|complications?))\b",
    re.IGNORECASE,
)
_MAY_HAVE_ENDED = re.compile(
    r"\b(?:recur\w*|remain\w*|stayed|normal|follow[\s-]?up|responded|response|alive|well|better|successful\w*"
    r"|satisf\w+|stopped|ceased|no\s+(?:evidence|signs?)|came\s+down|reached|achieved)\b",
    re.IGNORECASE,
)
_ENDED_FOR_SURE = re.compile(
    r"\b(?:(?:patient|he|she|man|woman|infant|boy|girl|child|who|died?)\b[^.;]*\b(?:died|recovered|was\s+discharged"
    r"|expired|remain\w*\s+(?:well|free|asymptomatic|stable|disease|in)|survived|went\s+home|has\s+been\s+(?:well"
    r"|free))|(?:no|without)\s+(?:\w+\s+){0,3}?(?:recurrence|relapse|sequel\w*)|(?:symptoms?|signs?|pain|lesions?"
    r"|fever|\w+itis|\w+emia)\s+(?:\w+\s+)?(?:resolved|disappeared|improved|subsided|cleared)"
    r"|complete(?:ly)?\s+(?:recover\w*|resol\w*|remission)|full\s+recovery|recovered\s+(?:fully|completely"
    r"|uneventfully))\b",
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
    """The reported condition: the title, else the diagnosis in the sentence that most probably states it.

    `chances` are the reader's probabilities that a sentence states the diagnosis, one for each sentence.
    """
    if sentences and sentences[0].field == "title":
        title = sentences[0]
        tail = _TITLE_TAIL.search(title.text)
        end = tail.start() if tail and tail.start() > 0 else len(title.text)
        return [Span(title, 0, len(title.text[:end].rstrip(" .:;,-[]")) or len(title.text))]
    ranked = sorted(zip(chances, sentences, strict=True), key=lambda item: -item[0])
    likely = [sentence for chance, sentence in ranked if chance >= MIN_CHANCE_WITH_CUE and _is_event(sentence)]
    named = [span for sentence in (*likely, *sentences[:2]) if (span := _name_condition(sentence))]
    if named:
        return named[:1]
    best = [s for chance, s in ranked if chance >= MIN_FINDING_CHANCE and _is_event(s) and _ILLNESS.search(s.text)]
    return [Span(sentence, 0, len(sentence.text)) for sentence in best[:1]]


def _name_condition(sentence: Sentence) -> Span | None:
    """The condition that a sentence names: with a word for an illness, or an abbreviation after "diagnosed with"."""
    for pattern in (_NAMES_CONDITION[0], _WAS_DIAGNOSED, *_NAMES_CONDITION[1:], _HAS_CONDITION):
        match = pattern.search(sentence.text)
        if match and (_ILLNESS.search(match["what"]) or (pattern is _NAMES_CONDITION[0] and match["what"].isupper())):
            return Span(sentence, *match.span("what"))
    return None


def names_diagnosis(sentence: Sentence) -> bool:
    """Whether a sentence states a diagnosis."""
    return bool(_WAS_DIAGNOSED.search(sentence.text) or _NAMES_CONDITION[0].search(sentence.text))


def find_outcome(sentences: Sequence[Sentence], chances: Sequence[float], are_several: bool) -> list[Span]:
    """The outcome: the clauses that state it in the most probable sentence; for several patients the whole sentence.

    `chances` are the reader's probabilities that a sentence states the outcome, one for each sentence. What does not
    fit in a cell ends with the last clause that states an outcome.
    """
    last = max(1, len(sentences) - 1)
    scored = [
        (chance + cue_weight + LATE_WEIGHT * place / last, place, sentence)
        for place, (sentence, chance) in enumerate(zip(sentences, chances, strict=True))
        if sentence.field == "abstract" and (cue_weight := _score_outcome_cues(sentence)) and _is_event(sentence)
    ]
    score, _, best = max(scored, default=(0.0, 0, None))
    if best is None or score < MIN_FINDING_CHANCE:
        return []
    if are_several:
        return [Span(best, 0, len(best.text))]
    clauses = list(find_clauses(best))
    stating = [clause for clause in clauses if _ENDED.search(clause.text) or _MAY_HAVE_ENDED.search(clause.text)]
    ended = [clause for clause in stating if not _WHEN.match(clause.text)] or clauses
    rest = Span(best, ended[0].start, clauses[-1].end)
    return [rest if len(rest.text) <= MAX_CELL_CHARS else Span(best, rest.start, ended[-1].end)]


def states_outcome(sentence: Sentence) -> bool:
    """Whether a sentence certainly states the outcome."""
    return bool(_ENDED_FOR_SURE.search(sentence.text)) and not is_in_general(sentence)


def _score_outcome_cues(sentence: Sentence) -> float:
    """What the words of a sentence add to the reader's probability that it states the outcome; 0 without a cue."""
    weights = (
        (_ENDED_FOR_SURE, ENDED_FOR_SURE_WEIGHT),
        (_ENDED, ENDED_WEIGHT),
        (_MAY_HAVE_ENDED, MAY_HAVE_ENDED_WEIGHT),
    )
    return next((weight for pattern, weight in weights if pattern.search(sentence.text)), 0.0)


def _is_event(sentence: Sentence) -> bool:
    """Whether a sentence states what happened, not what is true in general."""
    return bool(_IS_PAST.search(sentence.text)) and not is_in_general(sentence)


def find_key_number(sentence: Sentence, question: str | None) -> list[Span]:
    """The most relevant figure of a sentence for a question, with the words around it; nothing without a figure.

    It is the one with most words of the question around it, then with a unit other than of time, then with any unit.
    """
    ages = [(age.start, age.end) for age in find_ages(sentence)]
    asked = set(analyse(question or ""))
    found = [
        span
        for match in _FIGURE.finditer(sentence.text)
        if not _YEAR.match(match[0]) and not any(start <= match.start() < end for start, end in ages)
        if (span := _add_context(sentence, match.start(), match.end()))
    ]

    def relevance(span: Span) -> tuple[int, int, int]:
        units = {unit for _, unit in find_figures(span.text)} - {None}
        unit_score = 2 * bool(units - _TIME_UNITS) + bool(units & _TIME_UNITS)
        return len(asked.intersection(analyse(span.text))), unit_score, -span.start

    return [max(found, key=relevance)] if found else []


def _add_context(sentence: Sentence, start: int, end: int) -> Span | None:
    """A figure with the words around it, up to the next comma or the end of its clause, in about MAX_FIGURE_CHARS."""
    clause = next((c for c in find_clauses(sentence) if c.start <= start and end <= c.end), None)
    if clause is None:
        return None
    text = sentence.text
    stops = re.finditer(r",\s|[(\[](?!.*[)\]])", text[clause.start : start])
    first = clause.start + max((stop.end() for stop in stops), default=0)
    stop = re.search(r",\s|[)\];]", text[end : clause.end])
    last = end + stop.start() if stop else clause.end
    if last - first > MAX_FIGURE_CHARS:
        room = (MAX_FIGURE_CHARS - (end - start)) // 2
        if start - first > room:
            first = text.find(" ", start - room, start) + 1 or start
        if last - end > room:
            last = max(text.rfind(" ", end, end + room), end)
    return Span(sentence, first, last)
