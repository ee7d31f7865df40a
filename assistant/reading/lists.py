"""List questions: which of the records read are on the topic, and one sentence of each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assistant.reading.evidence import ReadRecord, as_evidence
from assistant.types import Evidence
from index.search.snapshot import Snapshot
from index.text.terms import analyse
from index.types import Record

# How many records are read, and so can be listed at most.
LISTED_DEPTH = 20
# A record is listed where its score in the search, the reader's logit for it, and the share of the topic's words that
# stand in it (of the record that has most of them) make at least ON_TOPIC together (docs/log.md), or where nearly all
# of the words stand in it.
FOUND_WEIGHT = 5.0
COVERAGE_WEIGHT = 4.0
ON_TOPIC = 5.0
NEARLY_ALL = 0.8
_SPECIES = re.compile(r"\b(?=([a-z]{4,})\s+([a-z]{4,})\b)", re.IGNORECASE)


def select_listed(topic: str, read: Sequence[ReadRecord], build: Snapshot) -> list[ReadRecord]:
    """Those of the records that are on the topic, in the order in which they were found."""
    covered = [measure_coverage(topic, item.passage.record, build) for item in read]
    most = max(covered, default=0.0) or 1.0
    on_topic = [
        item
        for item, share in zip(read, covered, strict=True)
        if share >= NEARLY_ALL
        or FOUND_WEIGHT * item.passage.score + item.relevance + COVERAGE_WEIGHT * share / most >= ON_TOPIC
    ]
    return sorted(on_topic, key=lambda item: item.passage.rank)


def gather_listed(listed: Sequence[ReadRecord]) -> tuple[Evidence, ...]:
    """One sentence of each record, the one likeliest to answer, in the order of the records."""
    evidence = []
    for place, item in enumerate((item for item in listed if item.sentences), 1):
        best = max(range(len(item.sentences)), key=item.logits.__getitem__)
        record, sentence = item.passage.record, item.sentences[best]
        evidence.append(as_evidence(record, sentence, key=f"e{place}", score=item.passage.score))
    return tuple(evidence)


def measure_coverage(query: str, record: Record, build: Snapshot) -> float:
    """The share of a query's telling words that stand in a record, 0 to 1."""
    weights = {term: build.term_weight(term) for term in analyse(query)}
    present = set(analyse(" ".join([record.text, *abbreviated_genera(query, record.text)])))
    return sum(weight for term, weight in weights.items() if term in present) / (sum(weights.values()) or 1.0)


def abbreviated_genera(query: str, text: str) -> Iterator[str]:
    """The genus of each species of the query that the text names as "P. multocida", not as "Pasteurella multocida"."""
    for genus, epithet in _SPECIES.findall(query):
        if re.search(rf"\b{genus[0]}\.\s?{epithet}\b", text, re.IGNORECASE):
            yield genus
