"""Sentence boundaries of biomedical abstracts, as exact character spans of the unchanged text.

`nupunkt` classifies each full stop with the Punkt algorithm: after a word that is not an abbreviation it ends the
sentence; after an abbreviation or a single letter the next word decides. Its own statistics, which were learned on
legal text, are replaced by two word lists (`sentence_words.txt`), so that each decision can be explained:

- "10 mg i.v. The child slept." ends at "i.v.", because "the" is a listed opener and capitalised;
- "i.v. vancomycin", "E. coli" and "Fig. 2" continue, because no capitalised word follows;
- "i.v. Solu-Medrol" and "Dr. Okafor" continue, because the capitalised word is not a listed opener.

`_ADDED_BOUNDARY` adds three kinds of boundary that `nupunkt` does not detect.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nupunkt import PunktSentenceTokenizer

# A missing space ("... 5 mg.She improved.") must be followed by a whole capitalised word, so that p.Val600Glu,
# c.1799T>A, Ph.D., J.Smith and web addresses are not cut.
_ADDED_BOUNDARY = re.compile(
    r"""
    (?:(?<=[^\W_]{2}\.)|(?<=[)%]\.))  # a full stop after two letters or digits, a bracket or a percent sign, ...
    (?=[A-Z][a-z]+[\s,'\u2019-]|A\s)  # ... directly followed by a capitalised word
    |
    (?<=[\u3002\uff01\uff1f])                    # a Chinese or Japanese full stop, ! or ?, ...
    (?=[^\s\u300d\u300f\u201d\u2019\uff09])      # ... unless a closing quote or bracket follows
    |
    \n[^\S\n]*\n                      # a blank line
    """,
    re.VERBOSE,
)
# On "?!?!..." the library's time is quadratic in the length; no prose has such long runs without white space.
_LONG_RUN = re.compile(r"\S{500,}")
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
    """Where sentences start: 0, the starts found in the text with long runs masked, and the added boundaries."""
    found = _tokenizer().iter_spans(_LONG_RUN.sub(_mask, text), paragraph_breaks=False)
    return sorted({0, *(start for start, _ in found), *(cut.end() for cut in _ADDED_BOUNDARY.finditer(text))})


def _mask(match: re.Match[str]) -> str:
    """The run with everything but its ends replaced by letters; the length stays."""
    run = match[0]
    return run[:_KEPT_CHARS] + "x" * (len(run) - 2 * _KEPT_CHARS) + run[-_KEPT_CHARS:]


@cache
def _tokenizer() -> PunktSentenceTokenizer:
    """The configured tokenizer. It is immutable after construction, so threads can share it."""
    from nupunkt import PunktParameters, PunktSentenceTokenizer
    from nupunkt.core.constants import ORTHO_MID_LC

    parameters = PunktParameters()
    for word in _read_words("opener"):
        parameters.add_sent_starter(word)
        parameters.add_ortho_context(word, ORTHO_MID_LC)  # also known in lower case: a capital means a new sentence
    tokenizer = PunktSentenceTokenizer(parameters)
    tokenizer.add_abbreviations(_read_words("abbreviation"))
    return tokenizer


def _read_words(kind: str) -> list[str]:
    lines = files("index.text").joinpath("sentence_words.txt").read_text("utf-8").splitlines()
    return [word for line in lines if line.startswith(f"{kind}: ") for word in line.split()[1:]]
