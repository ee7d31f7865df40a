"""What speaks for a sentence beside the reader: how alike it is to the question, and a figure where one is asked for.

The reader was trained on one style of question. On held-out questions of that style these two signs change nothing;
they are here for terser ones, where the reader was seen to miss the figure (docs/log.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice

from index.embedding import Embedder
from index.lexical import analyse

READER_WEIGHT = 0.7
LIKENESS_WEIGHT = 4.0
USUAL_LIKENESS = 0.4
FIGURE_WEIGHT = 1.5

_FIGURE_WORDS = frozenset(
    analyse(
        "age amount change concentration count days decrease dose dosage drop duration fall far fast frequently height "
        "high hours increase interval length level long low many months much number often old percentage quickly rate "
        "rise score size soon titer titre value volume weeks weight years"
    )
)


def weigh_sentences(
    query: str, texts: Sequence[Sequence[str]], logits: Sequence[Sequence[float]], embedder: Embedder
) -> list[tuple[float, ...]]:
    """The reader's logits of the sentences of some records, with what else speaks for each sentence."""
    flat = list(chain.from_iterable(texts))
    likeness = iter((embedder.embed_documents(flat) @ embedder.embed_query(query)).tolist() if flat else [])
    wants_figure = asks_for_figure(query)
    return [
        tuple(
            READER_WEIGHT * logit
            + LIKENESS_WEIGHT * (alike - USUAL_LIKENESS)
            + FIGURE_WEIGHT * (wants_figure and any(map(str.isdigit, text)))
            for text, logit, alike in zip(of_record, logits_of_record, islice(likeness, len(of_record)), strict=True)
        )
        for of_record, logits_of_record in zip(texts, logits, strict=True)
    ]


def asks_for_figure(query: str) -> bool:
    """Whether a number is likely to be the answer."""
    return not _FIGURE_WORDS.isdisjoint(analyse(query))
