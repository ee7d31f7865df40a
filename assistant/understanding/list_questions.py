"""Questions that ask for a list: which reports there are on a topic."""

from __future__ import annotations

import re

from index.text.terms import analyse

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
    """Whether a question asks which records there are on a topic, not what one of them says."""
    return bool(_ASKS_FOR_LIST.search(query.strip()))


def topic_of(query: str) -> str:
    """The topic of a list question: the query without the words that ask for a list."""
    topic = " ".join(_LIST_WORDS.sub(" ", query).split())
    return topic if analyse(topic) else query
