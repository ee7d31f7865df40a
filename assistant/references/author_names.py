"""Parses authors' names, in the forms of the sources, into their parts."""

from __future__ import annotations

import re
from itertools import takewhile

from index.text.cleaning import clean_line

NameParts = dict[str, str]
"""A name as in CSL: `family`, `given`, `non-dropping-particle` and `suffix`, or `literal` for a name without parts."""

_SUFFIXES = frozenset({"Jr", "Sr", "II", "III", "IV", "2nd", "3rd", "4th"})
_MAX_INITIALS = 3
# "Bak-Pedersen-K", "Dolan-T-F-Jr": a former form of MEDLINE.
_HYPHENATED = re.compile(r"(?P<family>\S*?[^\W\d_]{2}\S*?)(?P<initials>(?:-[A-Z])+)(?:-(?P<suffix>Jr|Sr|2nd|3rd))?")
_COLLECTIVE = re.compile(
    r"\b(?:and|association|center|centre|collaborat\w+|committee|consorti\w+|council|department|foundation|group|"
    r"hospital|initiative|institute|investigators|ministry|network|organi[sz]ation|registry|society|study|team|trial|"
    r"university)\b|[&\d{}\\~]",
    re.IGNORECASE,
)


def parse_name(text: str) -> NameParts:
    """The parts of "Given Family", "Family, Given", "Family GI", "G I Family" and "Family-G-I".

    Particles and the order of the parts follow the rules of BibTeX. A name without parts (a group, a single word) or
    with ambiguous parts is `literal`.
    """
    name = clean_line(text)
    words = name.split()
    if found := _HYPHENATED.fullmatch(name):
        initials = found["initials"].replace("-", " ").strip()
        return _split(f"{found['family']}, {initials}", found["suffix"])
    suffix = words.pop().rstrip(".") if len(words) > 2 and words[-1].rstrip(".") in _SUFFIXES else None
    if len(words) < 2 or _COLLECTIVE.search(" ".join(words)):
        return {"literal": name}
    words[-1] = words[-1].rstrip(",")
    trailing = sum(1 for _ in takewhile(_is_initials, reversed(words)))
    if not trailing or "," in " ".join(words):
        return _split(" ".join(words), suffix)
    if _is_initials(words[0]):
        return {"literal": name}
    return _split(f"{' '.join(words[:-trailing])}, {' '.join(words[-trailing:])}", suffix)


def _split(name: str, suffix: str | None) -> NameParts:
    """The parts of "Given particle Family" or "particle Family, Given"."""
    from bibtexparser.middlewares.names import InvalidNameError, parse_single_name_into_parts

    try:
        parts = parse_single_name_into_parts(name)
    except InvalidNameError:
        return {"literal": name}
    found = {
        "family": " ".join(parts.last),
        "given": " ".join(map(_space_initials, parts.first)),
        "non-dropping-particle": " ".join(parts.von),
        "suffix": suffix or " ".join(parts.jr),
    }
    return {key: part for key, part in found.items() if part} if parts.last else {"literal": name}


def _is_initials(word: str) -> bool:
    letters = word.replace(".", "").replace("-", "")
    return letters.isalpha() and letters.isupper() and len(letters) <= _MAX_INITIALS


def _space_initials(word: str) -> str:
    """Initials separated, as citation styles need them: "JA" becomes "J A"."""
    return " ".join(word) if word.isalpha() and _is_initials(word) else word
