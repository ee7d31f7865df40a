"""Sentence boundaries for biomedical abstracts, as exact character spans of the unchanged text.

The splitting is done by ``nupunkt`` (MIT, pure Python, no dependencies, no download), configured through
its own parameter object with a short list of medical abbreviations and of words that open sentences.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nupunkt import PunktSentenceTokenizer

# Abbreviations, lower case, without the last full stop. Units that often end a sentence (mg, ml, min, h)
# are left out on purpose.
_ABBREVIATIONS = """
e.g i.e etc cf vs approx ca al et incl resp max viz vol fig figs no nos ref refs eq eqn tab dr prof mr mrs st jr sr inc
ph.d d.c u.s a.m p.m i.v i.m s.c p.o p.r.n b.i.d t.i.d q.i.d q.d o.d sp spp subsp var vit hb mo yr yrs y.o meq fr p
""".split()
# Words that open a sentence when capitalised after an abbreviation or a single letter ("10 mg i.v. The ...",
# "hepatitis A. She ..."); before any other capitalised word these are taken to go on ("Dr. Okafor").
_OPENERS = """
a about according additional additionally after afterwards all also although among an and another apart approximately
as at based because before besides between both but by case clinically compared consequently considering currently
despite due during each early eight either eleven even eventually every except few final finally first five following
for fortunately four from further furthermore given he hence her here his how however if immediate immediately in
initial initially instead interestingly it its last later many meanwhile most moreover multiple neither nevertheless
next nine no none nonetheless nor not notably now of on once one only or other otherwise our over overall patient
patients possible postoperative postoperatively preoperative previous previously prior recently repeat repeated
retrospectively second seven several severe she similar similarly simultaneously since six so some soon subsequent
subsequently such surprisingly ten that the their then there thereafter therefore these they third this those though
three through thus to total treatment twelve two ultimately under unfortunately unless until upon urgent using various
we what when whereas which while who with within without yet you
abdominal analysis angiography antibiotics autopsy bilateral biochemical biopsies biopsy blood bone brain bronchoscopy
cardiac cerebral cerebrospinal chemotherapy chest clinical colonoscopy complete computed conservative coronary cultures
diagnosis echocardiography emergency endoscopic endoscopy enhanced evaluation examination findings follow genetic
histologic histological histology histopathologic histopathological histopathology imaging immunohistochemical
immunohistochemically immunohistochemistry intraoperative intravenous investigations kidney laboratory laparoscopic
laparotomy left liver lung magnetic mean medical microscopic molecular neurological pain pathologic pathological
pathology persistence physical plain pulmonary radiographs radiological renal results right routine serial serum
skin surgery surgical symptoms systemic therapy tissue tumor tumour ultrasonography ultrasound urinary urine visual
""".split()
# Cuts of our own: a blank line, and a full stop or 。 that has no white space after it but a whole capitalised
# word ("... 5 mg.She improved."). It leaves p.Val600Glu, c.1799T>A, Ph.D., J.Smith and web addresses alone.
_CUT = re.compile(
    r"(?:(?<=[^\W_]{2}\.)|(?<=[)%]\.))(?=[A-Z][a-z]+[\s,'’-]|A\s)|(?<=[。！？])(?=[^\s」』”’）])|\n[^\S\n]*\n"
)
# Longer stretches without white space are no prose; masked, they cannot make the library's scan quadratic.
_LONG = re.compile(r"\S{500,}")


@cache
def _tokenizer() -> PunktSentenceTokenizer:
    """Build the configured tokenizer once; it is only read afterwards."""
    from nupunkt import PunktParameters, PunktSentenceTokenizer
    from nupunkt.core.constants import ORTHO_MID_LC

    parameters = PunktParameters()
    for word in _OPENERS:
        parameters.add_sent_starter(word)
        parameters.add_ortho_context(word, ORTHO_MID_LC)
    tokenizer = PunktSentenceTokenizer(parameters)
    tokenizer.add_abbreviations(_ABBREVIATIONS)
    return tokenizer


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Return the half-open spans ``(start, end)`` of the sentences of ``text``.

    Spans are in order, do not overlap, have no white space at either end and together cover every
    character that is not white space; ``text[start:end]`` is the sentence, unchanged.
    """
    masked = _LONG.sub(lambda m: m[0][:99] + "x" * (len(m[0]) - 198) + m[0][-99:], text)
    found = _tokenizer().iter_spans(masked, paragraph_breaks=False)
    starts = {0, *(start for start, _ in found), *(m.end() for m in _CUT.finditer(text))}
    cuts = [*sorted(starts), len(text)]
    spans: list[tuple[int, int]] = []
    for begin, stop in zip(cuts, cuts[1:], strict=False):
        piece = text[begin:stop]
        if core := piece.strip():
            start = begin + len(piece) - len(piece.lstrip())
            spans.append((start, start + len(core)))
    return spans
