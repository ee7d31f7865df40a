"""Advice: sentences that recommend an action, and questions that ask for advice.

Reports often end with advice of their authors ("We recommend ..."). It is shown only as a quotation; advice written by
a chat model is not shown. Advice to one patient ("surgery was recommended") is part of the case. Measured precision and
recall: docs/experiments/claims.md, "Advice, and details that were not published".
"""

from __future__ import annotations

import re

# Introduces a quotation that recommends: "[1] reports a recommendation: “We recommend ...”".
ADVICE_LEAD = "reports a recommendation:"
ADVICE_WARNING = "case reports describe what happened to others, not what to do for a patient; ask a clinician"

_FLAGS = re.IGNORECASE | re.VERBOSE
_ADVERBS = r"(?:(?:\w+ly|also|always|never|not|often|still|thus|therefore)\s+)*"
_WRITERS = (
    r"(?:authors?|writers?|investigators?|researchers|experts?|reports?|records?|articles?|papers?|stud(?:y|ies)"
    r"|guide\s?lines?|manufacturers?|labels?)"
)
_RECOMMENDS = re.compile(
    rf"""
    (?<!that\she\s)(?<!that\sshe\s)\b(?:should|must|ought\s+to)\b(?!\s+(?:not\s+|also\s+)?have\b)
    | \bneeds?\s+to\s+be\b
    | \b(?:i|we|who|they|and|doctors|physicians|clinicians|{_WRITERS})\s+{_ADVERBS}
        (?:recommend|advise|advocate|urge|endorse)s?\b(?!\s+(?:him|her|them|the\s+patient)\b)
    | \b(?:i|we|authors)\s+{_ADVERBS}(?:suggest|propose)\s+
        (?:(?:avoid|giv|monitor|start|stopp|us)ing\b|that\s+(?:(?!may|might|can|could)[\w-]+\s+){{1,6}}be\s)
    | (?<!than\s)\b(?:is|are)\s+{_ADVERBS}(?<!not\s)
        (?:recommended|advised|advocated|advisable|mandatory|imperative|prudent|warranted|preferable|contra-?indicated
        |indicated(?!\s+by\b))\b
    | \b(?:is|are|remains?)\s+(?:the\s+|a\s+)?(?:\w+\s+)?(?:treatment|drug|therapy|agent|procedure|method)s?\s+of\s+choice\b
    | \b(?:recommended|usual|correct|right|best|safe|maximum|starting|standard)\s+(?:\w+\s+)?
        (?:dose|dosage|treatment|therapy|regimen)\s+(?:(?:of|for|in)\s+[\w\s-]{{1,40}})?(?:is|are)\b
    | \bit\s+is\s+{_ADVERBS}
        (?:safe|best|better|wise|necessary|essential|important|crucial|vital|reasonable|appropriate|ok|okay|fine)\s+
        (?:for\s+(?:\w+\s+){{1,3}})?(?:to|that)\b
    """,  # noqa: E501 - a pattern is not broken within a word
    _FLAGS,
)
# A word that may be a noun too ("Increase in dose") is an imperative only if no other verb follows.
_ORDERS = re.compile(
    r"""
    ^\W*(?:[\w\s]{1,20}:\s+)?
    (?:(?:yes|no|first|then|next|so|therefore|if|for|in|with|after|when|at)\b[^,;:]{0,80}[,;:]\s+)?(?:please\s+)?
    (?:
        (?:do\s+not|don['’]t|never|always)\s+\w+
        | (?:take|give|administer|prescribe|avoid|discontinue|begin|consider|continue|reduce|apply|inject|withhold
            |consult|seek|ensure|keep|choose|halve|remember|beware|refer|make\s+sure|(?:see|ask)\s+(?:an?|your)
            |(?:let|have)\s+(?:him|her|them|the\s+patient))\b(?![\s-]+(?:of|home|and)\b)
        | (?:add|increase|decrease|monitor|repeat|start|stop|switch|taper|treat|try|use|limit|double|get|follow)\s+
            (?!(?:of|in|by|and|for|codon|up)\b)(?!.*\b(?:is|are|was|were|has|had|may|can|\w+ed)\b)
    )
    """,
    _FLAGS,
)
_ADDRESSES_USER = re.compile(r"\b(?:you|your|yours|yourself)\b", re.IGNORECASE)
_JUDGES = re.compile(
    rf"""
    \b(?:can|may|could|might|(?:is|are|has|have)\s+to)\s+{_ADVERBS}(?:be\s+)?{_ADVERBS}
        (?:give|take|use|start|stop|begin|begun|continue|discontinu|receiv|administer|prescrib|increas|reduc|treat|switch
        |add|resum|repeat|taper|withh)
    | \b(?:is|are)\s+{_ADVERBS}
        (?:safe|appropriate|sufficient|adequate|enough|suggested|preferred|acceptable|reasonable)\b
    | \b(?:is|are)\s+(?:the|a)\s+(?:safe|good|best|right|preferred|first)\b
    | \b(?:i|we)\s+(?:would|suggest|propose|think|believe)\b | \bwould\s+be\b | \bdose\s+to\s+\w+\s+is\b
    """,
    _FLAGS,
)
_ATTRIBUTES = re.compile(
    rf"^(?:the|its|this|these|one|both)\s+(?:\w+\s+)?{_WRITERS}\b"
    rf"|\b(?:according\s+to|recommended\s+by|advice\s+of)\s+(?:the|its|this)\s+(?:\w+\s+)?{_WRITERS}\b",
    re.IGNORECASE,
)

_TREAT = (
    r"(?:take|give|use|start|stop|begin|continue|discontinue|avoid|prescribe|administer|reduce|increase|double|halve|lower"
    r"|raise|withhold|taper|switch|change|repeat|restart|try|add|combine|mix|skip|drink|eat|inject|apply|treat|operate"
    r"|undergo|breastfeed|drive|fly|have|get|receive|come\s+off|go\s+back|stay)"
)
_ONE = r"(?:i|we|he|she|they|one|(?:my|our)\s+(?:[\w-]+\s+){0,3}?[\w-]+)"
_SOMEBODY = rf"(?:{_ONE}|(?:the|a|an|this|these)\s+[\w-]+)"
_ASKS = re.compile(
    rf"""
    \b(?:should|shall|must|ought)\s+{_ONE}\b(?!\s+(?:not\s+)?(?:have\s+been|read|look|cite|see|search|know)\b)
    | \b(?:should|must)\s+{_SOMEBODY}\s+(?:be\s+)?(?:given\b|{_TREAT})
    | \bshould\s+[\w-]+\s+be\s+(?:given|taken|used|started|stopped|continued|avoided)\b
    | \b(?:what|which|how)\b.*\bshould\s+be\s+(?:done|given|used|tried|started)\b
    | \b(?:i|we)\s+(?:\w+\s+)?(?:should|shall|must|(?:ought|need|have)\s+to)\b
    | \b(?:do|does)\s+{_ONE}\s+(?:need|have)\s+to\b
    | \b(?:can|may)\s+{_SOMEBODY}\s+(?:\w+ly\s+|still\s+|also\s+|just\s+)*{_TREAT}\b
    | \bcould\s+(?:i|we|my|our)\b.*\b{_TREAT}\b
    | \b(?:what|how)\s+(?:do|can)\s+(?:i|we)\s+(?:do|{_TREAT})\b
    | \b(?:do|would|can|could)\s+you\s+(?:\w+\s+)?(?:recommend|advise|suggest|prescribe|give|treat|do)\b
    | \b(?:is|be)\s+(?:it\s+)?(?:\w+ly\s+)?
        (?:safe|ok|okay|alright|all\s+right|fine|dangerous|advisable|wise|harmful|better)\s+
        (?:for\s+(?:\w+\s+){{1,5}})?(?:to|if)\b
    | \bis\s+(?:[\w-]+\s+){{1,4}}(?:safe\s+(?:for|in|to|with|during|while)|too\s+much\s+for\s+(?:me|my))\b
    | \b(?:advise|advice\s+(?:for|on|to)|tell)\s+(?:me|my)\b.*\b(?:what|which|how|whether|to)\b.*\b{_TREAT}\b
    | \bwhat(?:['’]s|\s+is|\s+are)\s+the\s+
        (?:best|right|correct|recommended|usual|safe(?:st)?|maximum|proper|standard)\s+(?:\w+\s+)?
        (?:dose|dosage|treatment|therapy|drug|medicine|medication|way\s+to\s+treat)\b
    """,
    _FLAGS,
)
_ASKS_OF_REPORTS = re.compile(
    rf"\b(?:according\s+to|per|in|did|do|does)\s+(?:the|this|that)?\s*(?:\w+\s+){{0,4}}{_WRITERS}\b", re.IGNORECASE
)


def recommends(text: str) -> bool:
    """Whether a text recommends or orders an action; a question does not."""
    is_question = text.rstrip("”\"' ").endswith("?")
    return not is_question and bool(_RECOMMENDS.search(text) or _ORDERS.search(text))


def asks_for_advice(question: str) -> bool:
    """Whether a question asks what to do for a patient; reports can only say what was done for others."""
    return bool(_ASKS.search(question)) and not _ASKS_OF_REPORTS.search(question)


def find_advice(claim: str, quotes: str) -> str | None:
    """The reason why a claim is advice, not a report of the sentences that it cites, or None.

    A claim may report a recommendation of the authors, and that something can be done or is safe, if the cited
    sentences (`quotes`, joined) say so.
    """
    if _ADDRESSES_USER.search(claim):
        return "it addresses the user"
    if recommends(claim) and not (_ATTRIBUTES.search(claim) and recommends(quotes)):
        return "it recommends, instead of reporting what happened or who recommends it"
    if _JUDGES.search(claim) and not _JUDGES.search(quotes):
        return "it judges what the cited sentence only reports"
    return None
