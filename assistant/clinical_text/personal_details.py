"""Personal details: names, initials, places, dates, occupations, addresses. A claim must not add any to its record.

Numbers of dates, telephones and hospital files are covered by the comparison of facts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from index.text.terms import analyse, background_frequency

# Maximum occurrences in 1,000 biomedical abstracts of a name at the start of a sentence, and of capitals that are
# initials.
_RARE_OPENER = 10
_RARE_CAPITALS = 1

_WORD = re.compile(r"[^\W\d_]+")
_NAME = re.compile(r"(?<![\w.])[A-Z](?=[^\W\d_]*[a-z])[^\W\d_]+")
_OPENS = re.compile(r"(?:^|[.:;!?(“”\"]\s*)$")
# What follows a name at the start of a sentence: a verb, "'s", or the introduction of the patient.
_FOLLOWS_NAME = re.compile(
    r"(?:['’]s\b|,?\s+(?:was|is|has|had|did|does|could|can|took|got|went|began|felt|gave|fell|rose|\w+ed)\b"
    r"|,\s+(?i:an?|the|aged|who|whose)\b|\s+\()"
)
_OPENER = re.compile(
    r"\w+ly|afterwards?|altogether|besides|clinicians|doctors|furthermore|hence|indeed|instead|likewise|meanwhile|moreover"
    r"|nevertheless|nobody|nonetheless|nothing|otherwise|overall|physicians|soon|surgeons|though|thereafter"
)
_INITIALS = re.compile(r"(?<!\w)(?:[A-Z]\.[ -]?){2,4}")
_CAPITALS = re.compile(r"(?<![\w-])(?P<word>[A-Z]{2,3})(?![\w-])(?P<is_presented>,\s+(?i:an?|the|aged|who)\b)?")
_COUNTRIES = frozenset({"UK", "US", "USA", "UAE"})
_ROMAN = re.compile(r"[IVX]+")
_ADDRESS = re.compile(r"\S*@\S+|\bhttps?:\S+|\bwww\.\S+|\binitials\b", re.IGNORECASE)
_OCCUPATION = re.compile(
    r"\b(?:accountant|actor|actress|architect|artist|athlete|baker|banker|barber|barista|blacksmith|bricklayer|builder"
    r"|butcher|carpenter|cashier|chef|chemist|cleaner|clergyman|clerk|coach|cook|dancer|dentist|designer|diver|driver"
    r"|economist|editor|electrician|engineer|executive|farmer|firefighter|fireman|fisherman|florist|gardener|geologist"
    r"|hairdresser|homemaker|housewife|hunter|janitor|jeweller|jeweler|joiner|journalist|judge|labou?rer|lawyer"
    r"|lecturer|librarian|locksmith|maid|manager|mason|mechanic|merchant|midwife|miner|minister|model|monk|musician|nun"
    r"|nurse|officer|optician|painter|paramedic|pastor|pharmacist|photographer|pianist|pilot|plumber|policeman|policewoman"
    r"|politician|postman|potter|priest|prisoner|professor|programmer|retiree|sailor|salesman|saleswoman|scientist"
    r"|seamstress|secretary|shepherd|shopkeeper|singer|soldier|solicitor|student|tailor|teacher|technician|trader"
    r"|typist|veterinarian|violinist|waiter|waitress|weaver|welder|writer)s?\b"
)
_PRESENTED_AS = re.compile(
    r"(?P<trade>\w+)\s+by\s+(?:profession|occupation|trade)\b|\bwork(?:s|ed|ing)\s+as\s+(?:an?\s+)?(?P<work>\w+)"
    r"|\bold\s+\w+,\s+an?\s+(?:[\w-]+\s+){0,2}?(?P<called>[\w-]+)(?=,)",
    re.IGNORECASE,
)


def find_added_details(text: str, known: str) -> Iterator[str]:
    """The personal details in a text that the known text does not contain."""
    words = {word.lower() for word in _WORD.findall(known)}
    terms = set(analyse(known))

    def is_known(word: str) -> bool:
        return word.lower() in words or not terms.isdisjoint(analyse(word))

    found = [match[0] for match in _NAME.finditer(text) if _may_name(text, match)]
    found += [match["word"] for match in _CAPITALS.finditer(text) if _may_be_initials(match, known)]
    found += [match[0] for match in _OCCUPATION.finditer(text)]
    found += [str(match[match.lastgroup or 0]) for match in _PRESENTED_AS.finditer(text)]
    yield from (word for word in found if not is_known(word))
    known_letters = "".join(known.split()).lower()
    marks = [match[0] for pattern in (_INITIALS, _ADDRESS) for match in pattern.finditer(text)]
    yield from (mark for mark in marks if "".join(mark.split()).lower() not in known_letters)


def _may_name(text: str, match: re.Match[str]) -> bool:
    """Whether a capitalised word is a name: inside a sentence always, at its start only if it is rare."""
    if not _OPENS.search(text[: match.start()]):
        return True
    word = match[0].lower()
    is_rare = max(map(background_frequency, analyse(word)), default=_RARE_OPENER + 1) <= _RARE_OPENER
    return is_rare and not _OPENER.fullmatch(word) and bool(_FOLLOWS_NAME.match(text, match.end()))


def _may_be_initials(match: re.Match[str], known: str) -> bool:
    """Whether capitals are a person's initials, not a common abbreviation or one of known words."""
    word = match["word"]
    if word in _COUNTRIES or match["is_presented"]:
        return True
    first_letters = "".join(word[0] for word in _WORD.findall(known.lower()))
    is_rare = max(map(background_frequency, analyse(word)), default=_RARE_CAPITALS + 1) <= _RARE_CAPITALS
    return is_rare and word.lower() not in first_letters and not _ROMAN.fullmatch(word)
