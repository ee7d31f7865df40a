"""A request to the passages whose records are read for it."""

from __future__ import annotations

from assistant.understanding.request import Request
from index.search.ranking import Found
from index.search.snapshot import Snapshot
from index.types import Filters

# How many records are read for a list, and so can be listed at most.
LISTED_DEPTH = 20
# The score of the case that a conversation is about; the best record that a search finds has at most 1.
KEPT_SCORE = 1.5


def retrieve(request: Request, snapshot: Snapshot, top_k: int, filters: Filters | None) -> Found:
    """The passages to read: of a list those on its topic, else the `top_k` best, with the known case before them."""
    if request.kind == "list":
        return snapshot.find(request.focus, LISTED_DEPTH, filters)
    found = snapshot.find(request.query, top_k, filters)
    kept = (snapshot.best_passage(record_id, request.query, KEPT_SCORE) for record_id in request.record_ids)
    cases = [passage for passage in kept if passage]
    others = [passage for passage in found.passages if passage.record.record_id not in request.record_ids]
    return found._replace(passages=[*cases, *others][:top_k])
