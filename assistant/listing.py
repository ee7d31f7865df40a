"""Questions that ask which reports there are: every record on the topic, one sentence each."""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.evidence import ReadRecord, as_evidence
from assistant.types import Evidence
from index.lexical import analyse
from index.search import OpenBuild
from index.types import Passage, Record

# How many records are looked at, and how many can be listed.
SEARCH_DEPTH = 50
MAX_LISTED = 20
# A listed record holds at least this share of the topic, and of what the record holds that has most of it.
MIN_COVERAGE = 0.4
MIN_COVERAGE_OF_BEST = 0.7

_REPORTS = r"(?:case[\s-]+(?:reports|series|studies|histories)|reports|cases|records|articles|papers|publications)"
_PEOPLE = r"(?:patients|people|children|infants|neonates|newborns|men|women|boys|girls|adults|adolescents)"
_ASKS_FOR_LIST = re.compile(
    rf"^(?:which|what)\s+(?:\w+\s+)?(?:{_REPORTS}|{_PEOPLE})\b"
    rf"|^(?:please\s+)?(?:list|find|show|name|give)\b.*\b(?:{_REPORTS}|{_PEOPLE})\b"
    rf"|^(?:all\s+|any\s+|other\s+|published\s+)*{_REPORTS}\s+(?:of|on|about|with|where|in\s+which|describing|after)\b"
    rf"|^(?:are|were)\s+there\s+(?:any\s+|other\s+|more\s+)*(?:{_REPORTS}|{_PEOPLE})\b"
    rf"|^how\s+many\s+(?:{_REPORTS})\b"
    rf"|\b(?:which|what|any)\s+(?:other\s+)?(?:{_REPORTS}|{_PEOPLE})\s*\?*$",
    re.IGNORECASE,
)
_LIST_WORDS = re.compile(
    rf"\b(?:{_REPORTS}|{_PEOPLE}|which|what|list|find|show|name|give|please|all|any|other|more|published|there|how|many"
    r"|describ(?:e[sd]?|ing)|report(?:s|ed|ing)?|involv(?:e[sd]?|ing)|mention(?:s|ed|ing)?|concern(?:s|ed|ing)?)\b",
    re.IGNORECASE,
)


def asks_for_list(query: str) -> bool:
    """Whether all records on a topic are asked for, not what one of them says."""
    return bool(_ASKS_FOR_LIST.search(query.strip()))


def topic_of(query: str) -> str:
    """What a list is asked of: the query without the words that ask for a list."""
    topic = " ".join(_LIST_WORDS.sub(" ", query).split())
    return topic if analyse(topic) else query


def select_listed(topic: str, passages: Sequence[Passage], build: OpenBuild) -> list[Passage]:
    """Those of the passages whose records are on the topic, in their order."""
    covered = [measure_coverage(topic, passage.record, build) for passage in passages]
    needed = max(MIN_COVERAGE, MIN_COVERAGE_OF_BEST * max(covered, default=0.0))
    return [passage for passage, share in zip(passages, covered, strict=True) if share >= needed][:MAX_LISTED]


def gather_listed(read: Sequence[ReadRecord]) -> tuple[Evidence, ...]:
    """One sentence of each record, the one likeliest to answer, in the order in which the records were found."""
    evidence = []
    for place, item in enumerate(sorted(read, key=lambda item: item.passage.rank), 1):
        best = max(range(len(item.sentences)), key=item.logits.__getitem__)
        record, sentence = item.passage.record, item.sentences[best]
        evidence.append(as_evidence(record, sentence, key=f"e{place}", score=item.passage.score))
    return tuple(evidence)


def measure_coverage(query: str, record: Record, build: OpenBuild) -> float:
    """The share of a query's telling words that stand in a record, 0 to 1."""
    weights = {term: build.term_weight(term) for term in analyse(query)}
    present = set(analyse(f"{record.title or ''} {record.abstract}"))
    return sum(weight for term, weight in weights.items() if term in present) / (sum(weights.values()) or 1.0)
