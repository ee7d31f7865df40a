"""Analysed terms: the form in which the lexical index stores words, and how common each is in the literature.

A term is a word in one spelling (`fold_wording`), without accents, stemmed; stop words and question words give none.
The background frequency of a term is the number of abstracts out of 1,000 biomedical ones that contain it. It tells
the words that every abstract uses from those that describe a case. `benchmarks/count_terms.py` counts it and writes
`term_frequencies.tsv`.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import tantivy

from index.text.normalisation import fold_wording

BACKGROUND_RECORDS = 1_000


def analyse(text: str) -> list[str]:
    """The terms of a text in their order."""
    return list(_shared_analyzer().analyze(fold_wording(text)))


def background_frequency(term: str) -> int:
    """How many of `BACKGROUND_RECORDS` biomedical abstracts contain the term."""
    return _background().get(term, 0)


def make_analyzer() -> tantivy.TextAnalyzer:
    """A new analyzer for the lexical index; it expects text that `fold_wording` has normalised."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    filters = (
        tantivy.Filter.remove_long(80),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.custom_stopword(_read_lines("stop_words.txt")),
        tantivy.Filter.stemmer("english"),
    )
    for step in filters:
        builder = builder.filter(step)
    return builder.build()


_shared_analyzer = cache(make_analyzer)


@cache
def _background() -> dict[str, int]:
    rows = (line.split("\t") for line in _read_lines("term_frequencies.tsv"))
    return {term: int(count) for term, count in rows}


def _read_lines(name: str) -> list[str]:
    return files("index.text").joinpath(name).read_text("utf-8").split("\n")[:-1]
