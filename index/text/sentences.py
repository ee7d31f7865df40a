"""Sentence boundaries of biomedical abstracts, as exact character spans of the unchanged text.

`nupunkt` reads every full stop, as Punkt does: after a word that is no abbreviation it ends the sentence; after an
abbreviation or a single letter the next word decides. It comes here without the statistics it ships, which were
learned on legal text, and with two word lists instead (`sentence_words.txt`), so that each decision can be explained:

- "10 mg i.v. The child slept." ends at "i.v.", since "the" is a listed opener and has a capital;
- "i.v. vancomycin", "E. coli" and "Fig. 2" go on, since what follows is no capitalised word;
- "i.v. Solu-Medrol" and "Dr. Okafor" go on, since the capital belongs to a name, or to a word that is not listed.

Three kinds of boundary that it does not know are added by `_ADDED_BOUNDARY`.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nupunkt import PunktSentenceTokenizer

# The lost space ("... 5 mg.She improved.") needs a whole capitalised word, which leaves p.Val600Glu, c.1799T>A, Ph.D.,
# J.Smith and web addresses alone.
_ADDED_BOUNDARY = re.compile(
    r"""
    (?:(?<=[^\W_]{2}\.)|(?<=[)%]\.))  # a full stop after two letters or digits, a bracket or a percent sign, ...
    (?=[A-Z][a-z]+[\s,'\u2019-]|A\s)  # ... with a capitalised word straight after it
    |
    (?<=[\u3002\uff01\uff1f])                    # a Chinese or Japanese full stop, ! or ?, ...
    (?=[^\s\u300d\u300f\u201d\u2019\uff09])      # ... unless a closing quote or bracket follows
    |
    \n[^\S\n]*\n                      # a blank line
    """,
    re.VERBOSE,
)
# No prose goes on for so long without white space, and on "?!?!..." the library's time grows with the square of it.
_LONG_STRETCH = re.compile(r"\S{500,}")
_KEPT_CHARS = 99


def split_sentences(text: str) -> list[tuple[int, int]]:
    """The sentences of `text` as half-open spans: `text[start:end]` is a sentence, unchanged.

    Spans are in order, do not overlap, have no white space at either end and together cover every character that is
    not white space. Safe to call from several threads.
    """
    spans: list[tuple[int, int]] = []
    for begin, stop in pairwise([*_sentence_starts(text), len(text)]):
        piece = text[begin:stop]
        if sentence := piece.strip():
            start = begin + len(piece) - len(piece.lstrip())
            spans.append((start, start + len(sentence)))
    return spans


def _sentence_starts(text: str) -> list[int]:
    found = _tokenizer().iter_spans(_LONG_STRETCH.sub(_mask, text), paragraph_breaks=False)
    return sorted({0, *(start for start, _ in found), *(cut.end() for cut in _ADDED_BOUNDARY.finditer(text))})


def _mask(match: re.Match[str]) -> str:
    """The stretch with all but its ends as one plain word of the same length."""
    stretch = match[0]
    return stretch[:_KEPT_CHARS] + "x" * (len(stretch) - 2 * _KEPT_CHARS) + stretch[-_KEPT_CHARS:]


@cache
def _tokenizer() -> PunktSentenceTokenizer:
    """The configured tokenizer; nothing changes it once it is built."""
    from nupunkt import PunktParameters, PunktSentenceTokenizer
    from nupunkt.core.constants import ORTHO_MID_LC

    parameters = PunktParameters()
    for word in _listed("opener"):
        parameters.add_sent_starter(word)
        parameters.add_ortho_context(word, ORTHO_MID_LC)  # "also seen in lower case", so a capital means a new sentence
    tokenizer = PunktSentenceTokenizer(parameters)
    tokenizer.add_abbreviations(_listed("abbreviation"))
    return tokenizer


def _listed(kind: str) -> list[str]:
    lines = files("index.text").joinpath("sentence_words.txt").read_text("utf-8").splitlines()
    return [word for line in lines if line.startswith(f"{kind}: ") for word in line.split()[1:]]
