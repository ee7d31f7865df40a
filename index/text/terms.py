"""The terms of a text: how the lexical index analyses words, and how common they are."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import tantivy

from index.text.normalisation import fold_wording

BACKGROUND_RECORDS = 1_000


def analyse(text: str) -> list[str]:
    """The terms of a text as the index holds them: one spelling, no accents, stemmed; no stop or question words."""
    return list(_querymake_analyzer().analyze(fold_wording(text)))


def background_frequency(term: str) -> int:
    """In how many of a thousand biomedical abstracts an analysed term stands (`benchmarks/count_terms.py`)."""
    return _background().get(term, 0)


@cache
def _background() -> dict[str, int]:
    rows = (line.split("\t") for line in _data("term_frequencies.tsv"))
    return {term: int(count) for term, count in rows}


@cache
def _stop_words() -> list[str]:
    return _data("stop_words.txt")


def _data(name: str) -> list[str]:
    return files("index.text").joinpath(name).read_text("utf-8").split("\n")[:-1]


@cache
def _querymake_analyzer() -> tantivy.TextAnalyzer:
    return make_analyzer()


def make_analyzer() -> tantivy.TextAnalyzer:
    """A new analyzer of the lexical index: words, without stop words, stemmed."""
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    filters = (
        tantivy.Filter.remove_long(80),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.custom_stopword(_stop_words()),
        tantivy.Filter.stemmer("english"),
    )
    for step in filters:
        builder = builder.filter(step)
    return builder.build()
