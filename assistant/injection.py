"""Sentences that give a model orders instead of telling of a case. They are never evidence: not read, quoted or cited.

Among 45,270 records of the development data none has such a sentence, so hardly anything can be lost by it. What stands
in one sentence with an order is left out with it.
"""

from __future__ import annotations

import re

_ORDERS = re.compile(
    r"""
    \b(?:ignore|disregard|forget|override)\b.{0,60}
        \b(?:instruction|prompt|rule|guideline|command|above|previous|context|evidence|everything|question)s?\b
    | \b(?:system|developer|hidden)\s+(?:prompt|message|instruction|override)s?\b
    | \b(?:note|attention|message|instructions?)\s+(?:to|for)\s+(?:the\s+|any\s+)?
        (?:ai|llm|assistant|chatbot|(?:language\s+)?model|summari[sz]er|system)s?\b
    | \byou\s+are\s+(?:now\s+)?(?:an?\s+)?
        (?:ai|assistant|chatbot|chatgpt|language\s+model|no\s+longer|in\s+\w+\s+mode)\b
    | \byou\s+(?:must|should|will|shall)\s+(?:now\s+|only\s+|always\s+|instead\s+)*
        (?:answer|say|reply|respond|cite|write|state|output|recommend|tell|print|ignore|never|follow|obey)\b
    | ^\W*(?:please\s+)?(?:answer|respond|reply|output|print|say|write|tell\s+the\s+user)\s+
        (?:only|exactly|always|instead|that|with|to)\b
    | \bcit(?:e|ing)\s+(?:only\s+)?(?:\[?\s*e?\d+|this\s+(?:record|sentence|report))
    | \b(?:repeat|reveal|print|show)\s+(?:your|the)\s+(?:\w+\s+)?(?:instructions|prompt|rules)\b
    | <\|?/?(?:im_start|im_end|system|assistant|user|evidence|instructions?)\b | \[/?INST\]
    | ^\W*(?:system|assistant|user|human)\s*:
    | \bend\s+of\s+(?:the\s+)?(?:evidence|records?|context|document)\b | \bnew\s+(?:instruction|task)s?\s*:
    """,
    re.IGNORECASE | re.VERBOSE,
)


def gives_orders(sentence: str) -> bool:
    """Whether a sentence speaks to a model."""
    return bool(_ORDERS.search(sentence))
