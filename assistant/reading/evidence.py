"""Records that were read to evidence: the sentences that may be cited, the likeliest to answer first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from assistant.reading.coverage import term_coverage
from assistant.reading.passages import ReadRecord, softmax_or_none
from assistant.reading.sentences import as_evidence, is_background
from assistant.types import Evidence
from index.text.terms import analyse

MAX_EVIDENCE = 24
BACKGROUND_WEIGHT = 0.3
# Lexical features added to the model's score: the reader was trained on questions that name the case in one sentence
# and ask for what is said in another, and is less sure of a sentence that contains most of the question
# (docs/experiments/reader.md, "Shared words in place of similarity").
READER_WEIGHT = 0.5
USUAL_COVERAGE = 0.5  # half of a question's terms are soon shared by chance; only coverage beyond that counts
SENTENCE_COVERAGE_WEIGHT = 8.0
NUMBER_WEIGHT = 0.5

# The present tense, or a word for what is usual: case reports tell their case in the past tense.
_ASKS_IN_GENERAL = re.compile(
    r"^(?:what|which|how\s+(?:common|rare|frequent|often))\s+(?:is|are|do|does|can|causes)\b"
    r"|\b(?:usually|generally|in general|commonly|typically|normally|prevalence|incidence)\b",
    re.IGNORECASE,
)
_NUMBER_WORDS = frozenset(
    analyse(
        "age amount change concentration count days decrease dose dosage drop duration fall far fast frequently height "
        "high hours increase interval length level long low many months much number often old percentage quickly rate "
        "rise score size soon titer titre value volume weeks weight years"
    )
)


def score_sentences(query: str, read: Iterable[ReadRecord], weights: Mapping[str, float]) -> tuple[ReadRecord, ...]:
    """The records with lexical features added to the logits of their sentences.

    A sentence gains from covering the query beyond what is usual, and from a digit where the query asks for a number.
    `weights` are those of the query's analysed terms.
    """
    asks_for_number = not _NUMBER_WORDS.isdisjoint(analyse(query))

    def score(text: str, logit: float) -> float:
        beyond = max(0.0, term_coverage(weights, text) - USUAL_COVERAGE)
        has_number = asks_for_number and any(map(str.isdigit, text))
        return READER_WEIGHT * logit + SENTENCE_COVERAGE_WEIGHT * beyond + NUMBER_WEIGHT * has_number

    return tuple(
        replace(
            item,
            logits=tuple(
                score(sentence.text, logit) for sentence, logit in zip(item.sentences, item.logits, strict=True)
            ),
        )
        for item in read
    )


def gather_evidence(query: str, read: Sequence[ReadRecord]) -> tuple[Evidence, ...]:
    """The sentences likeliest to answer, best first, by the probability of the record times that of the sentence in it.

    Sentences on the background count less, unless the query asks in general: most questions are about the case.
    """
    background_weight = 1.0 if _ASKS_IN_GENERAL.search(query) else BACKGROUND_WEIGHT
    scored = [
        (
            record_chance * chance * (background_weight if is_background(item.passage.record, sentence) else 1.0),
            item,
            sentence,
        )
        for item, record_chance in zip(read, softmax_or_none([item.score for item in read]), strict=True)
        for sentence, chance in zip(item.sentences, softmax_or_none(item.logits), strict=True)
    ]
    scored.sort(key=lambda entry: -entry[0])  # stable: ties keep the order of records and of their sentences
    return tuple(
        as_evidence(item.passage.record, sentence, key=f"e{number}", score=score)
        for number, (score, item, sentence) in enumerate(scored[:MAX_EVIDENCE], 1)
    )
