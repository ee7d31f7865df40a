"""What speaks for a sentence beside the reader: words it shares with the question, and a figure where one is asked for.

The reader was trained on questions that name the case in one sentence and ask for what stands in another. A sentence
that holds most of the question's words is another kind of answer, which it is less sure of (docs/log.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from assistant.reading.evidence import ReadRecord
from index.storage.lexical_index import analyse

READER_WEIGHT = 0.5
# Half of a question's words are soon shared by chance; what is beyond that counts.
USUAL_SHARE = 0.5
SHARED_WEIGHT = 8.0
FIGURE_WEIGHT = 0.5

_FIGURE_WORDS = frozenset(
    analyse(
        "age amount change concentration count days decrease dose dosage drop duration fall far fast frequently height "
        "high hours increase interval length level long low many months much number often old percentage quickly rate "
        "rise score size soon titer titre value volume weeks weight years"
    )
)


def weigh_sentences(
    query: str, read: Iterable[ReadRecord], term_weight: Callable[[str], float]
) -> tuple[ReadRecord, ...]:
    """The records with logits that count, beside the reader's, what else speaks for each sentence.

    `term_weight` says how telling an analysed term is.
    """
    weights = {term: term_weight(term) for term in analyse(query)}
    figure_weight = FIGURE_WEIGHT * asks_for_figure(query)

    def weigh(text: str, logit: float) -> float:
        beyond = max(0.0, share_of_words(text, weights) - USUAL_SHARE)
        return READER_WEIGHT * logit + SHARED_WEIGHT * beyond + figure_weight * any(map(str.isdigit, text))

    return tuple(
        replace(
            item,
            logits=tuple(
                weigh(sentence.text, logit) for sentence, logit in zip(item.sentences, item.logits, strict=True)
            ),
        )
        for item in read
    )


def share_of_words(text: str, weights: dict[str, float]) -> float:
    """The share of weighted terms that stand in a text, 0 to 1."""
    return sum(weights.get(term, 0.0) for term in set(analyse(text))) / (sum(weights.values()) or 1.0)


def asks_for_figure(query: str) -> bool:
    """Whether a number is likely to be the answer."""
    return not _FIGURE_WORDS.isdisjoint(analyse(query))
