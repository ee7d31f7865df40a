"""The answer made of quotes: without a chat model, only sentences of the records."""

from __future__ import annotations

import re
from collections.abc import Sequence

from assistant.types import Evidence
from assistant.verification.draft_claims import DraftClaim

MAX_QUOTES = 3
MAX_QUOTED_CHARS = 600
# A sentence at least this share as likely as the best one may be the answer too. One of another record must be much
# likelier, since most questions are about one case (docs/experiments/reader.md, "Choosing among snapshots, and the
# search's weight").
RIVAL_SHARE = 0.01
QUOTED_RECORD_SHARE = 0.3

# How case reports present their patient: an age, or a person.
_PATIENT = re.compile(
    r"\b\d{1,3}[\s-]*(?:year|yr|month|week|day)s?[\s-]*old\b|\b\d{1,2}[\s-]?y(?:/?o|rs?)\b|\baged\b"
    r"|\b(?:man|woman|boy|girl|male|female|infant|neonate|newborn|patient)\b",
    re.IGNORECASE,
)


def draft_quotes(evidence: Sequence[Evidence]) -> list[DraftClaim]:
    """The sentence that answers, then at most two more: others that may answer, or the one that presents the patient.

    The others come in the order of their record. There are at most MAX_QUOTES, and after the first at most
    MAX_QUOTED_CHARS characters in all.
    """
    if not evidence:
        return []
    first = evidence[0]
    own_id = first.record.record_id
    shares = ((item, RIVAL_SHARE if item.record.record_id == own_id else QUOTED_RECORD_SHARE) for item in evidence[1:])
    rivals = [item for item, share in shares if item.score >= share * first.score]
    chosen, used_chars = [first], len(first.quote)
    for item in [*rivals, *_presentations(evidence)]:
        fits = used_chars + len(item.quote) <= MAX_QUOTED_CHARS
        if len(chosen) < MAX_QUOTES and fits and item not in chosen:
            chosen.append(item)
            used_chars += len(item.quote)
    return _as_claims(first, _in_record_order(chosen))


def draft_list(evidence: Sequence[Evidence]) -> list[DraftClaim]:
    """Each sentence as a claim of its own: one line for each record of a list."""
    return [DraftClaim(text=f"“{item.quote}”", keys=(item.key,)) for item in evidence]


def _presentations(evidence: Sequence[Evidence]) -> list[Evidence]:
    """The sentence of the best record that presents the patient, if there is one."""
    record_id = evidence[0].record.record_id
    own = sorted((item for item in evidence if item.record.record_id == record_id), key=lambda item: item.start)
    return [item for item in own if item.field == "abstract" and _PATIENT.search(item.quote)][:1]


def _in_record_order(chosen: Sequence[Evidence]) -> list[Evidence]:
    """The first as it is; the rest record by record, each record's in the order of its text, the title first."""
    records = list(dict.fromkeys(item.record.record_id for item in chosen))
    rest = sorted(
        chosen[1:], key=lambda item: (records.index(item.record.record_id), item.field == "abstract", item.start)
    )
    return [chosen[0], *rest]


def _as_claims(first: Evidence, chosen: Sequence[Evidence]) -> list[DraftClaim]:
    """Each quote as a claim; quotes of several records are each introduced by their record's mark and "reports"."""
    several = any(item.record.record_id != first.record.record_id for item in chosen)
    return [
        DraftClaim(text=f"“{item.quote}”", keys=(item.key,), lead="reports" if several else None) for item in chosen
    ]
