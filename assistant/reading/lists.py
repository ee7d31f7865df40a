"""List questions: which of the records that were read are on the topic, and one sentence of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assistant.reading.coverage import record_coverage
from assistant.reading.passages import ReadRecord
from assistant.reading.sentences import as_evidence
from assistant.types import Evidence

# A record is listed if its search score, the reader's logit for it and its term coverage (relative to the record that
# covers most) add up to ON_TOPIC, or if it covers nearly all of the topic (docs/experiments/lists.md, "Lists").
FOUND_WEIGHT = 5.0
TOPIC_COVERAGE_WEIGHT = 4.0
ON_TOPIC = 5.0
NEARLY_ALL = 0.8


def select_listed(topic: str, weights: Mapping[str, float], read: Sequence[ReadRecord]) -> list[ReadRecord]:
    """The records that are on a topic, in the order of the search; `weights` are those of the topic's terms."""
    covered = [record_coverage(topic, weights, item.passage.record) for item in read]
    most = max(covered, default=0.0) or 1.0
    on_topic = [
        item
        for item, share in zip(read, covered, strict=True)
        if share >= NEARLY_ALL
        or FOUND_WEIGHT * item.passage.score + item.relevance + TOPIC_COVERAGE_WEIGHT * share / most >= ON_TOPIC
    ]
    return sorted(on_topic, key=lambda item: item.passage.rank)


def gather_listed(listed: Sequence[ReadRecord]) -> tuple[Evidence, ...]:
    """The sentence of each record that is likeliest to answer, in the order of the records."""
    evidence = []
    for number, item in enumerate((item for item in listed if item.sentences), 1):
        best = max(range(len(item.sentences)), key=item.logits.__getitem__)
        evidence.append(
            as_evidence(item.passage.record, item.sentences[best], key=f"e{number}", score=item.passage.score)
        )
    return tuple(evidence)
