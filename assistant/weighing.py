"""What speaks for a sentence beside the reader: how alike it is to the question, and a figure where one is asked for.

The reader was trained on one style of question; on terser ones these two signs are surer than it is. On questions of
its own style they change nothing (docs/log.md).
"""

from __future__ import annotations

from collections.abc import Sequence

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


def weigh_sentences(query: str, texts: Sequence[str], logits: Sequence[float], embedder: Embedder) -> tuple[float, ...]:
    """The reader's logits of some sentences, with what else speaks for each."""
    likeness = embedder.embed_documents(texts) @ embedder.embed_query(query)
    wants_figure = asks_for_figure(query)
    return tuple(
        READER_WEIGHT * logit
        + LIKENESS_WEIGHT * (float(alike) - USUAL_LIKENESS)
        + FIGURE_WEIGHT * (wants_figure and any(map(str.isdigit, text)))
        for logit, alike, text in zip(logits, likeness, texts, strict=True)
    )


def asks_for_figure(query: str) -> bool:
    """Whether a number is likely to be the answer."""
    return not _FIGURE_WORDS.isdisjoint(analyse(query))
