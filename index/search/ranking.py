"""Hybrid ranking of one build's records: dense and lexical retrieval, fused, and folded to records."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from index.embedding.embedder import Vectors
from index.errors import CaseciteError, UnreadableIndexError, first_line
from index.search.fusion import fuse_scores
from index.search.query import Query
from index.storage.chunk_vectors import ChunkVectors
from index.storage.lexical_index import LexicalIndex
from index.storage.read_errors import explain_read_error, is_read_error
from index.storage.record_store import RecordStore
from index.storage.vector_store import VectorStore
from index.types import Filters, Passage

# How many records of each ranking are fused, and how many chunks it takes to reach about as many records.
RECORD_DEPTH = 100
CHUNK_DEPTH = 150
# An approximate nearest-neighbour search returns nearly as many chunks as asked for; below this share, some are lost.
MIN_FOUND = 0.5
# After Chroma has failed it is not asked for so long, so that not every question waits for it.
RETRY_S = 30.0
_LOG = logging.getLogger(__name__)


class Found(NamedTuple):
    """What a search found, and what the user should be warned of: half of the search may have failed."""

    passages: list[Passage]
    warnings: tuple[str, ...] = ()


class _Fault(NamedTuple):
    """Why Chroma failed, and until when it is not asked again (monotonic seconds)."""

    reason: str
    until: float


class HybridRanking:
    """Ranks the records of a build. It remembers for a while that Chroma failed.

    Chroma finds the nearest chunks and may be a server; `chunk_vectors` are the same vectors in the build itself, by
    which the chunks are scored exactly.
    """

    def __init__(
        self,
        build_dir: Path,
        records: RecordStore,
        lexical: LexicalIndex,
        chunk_vectors: ChunkVectors,
        dense: VectorStore,
    ) -> None:
        self._build_dir = build_dir
        self._records = records
        self._lexical = lexical
        self._chunk_vectors = chunk_vectors
        self._dense = dense
        self._fault: _Fault | None = None

    def rank(
        self, query: Query, vector: Vectors, top_k: int, filters: Filters | None, chunk_count: int, *, per_record: bool
    ) -> Found:
        """The `top_k` best passages for a query and its vector; see `Snapshot.find`."""
        lexical = dict(self._lexical.search(query.terms, RECORD_DEPTH, filters))
        dense, fault = self._find_near(vector, filters, min(CHUNK_DEPTH, chunk_count))
        vectors = dense | self._chunk_vectors.get([name for name in lexical if name not in dense])
        similarities = {record_id: rows @ vector for record_id, rows in vectors.items()}
        lexical |= self._lexical.score(query.terms, [name for name in similarities if name not in lexical])
        fused = fuse_scores(
            {record_id: float(scores.max()) for record_id, scores in similarities.items()},
            {record_id: lexical.get(record_id, 0.0) for record_id in similarities},
        )
        best = (
            (record_id, int(ordinal), score, float(similarities[record_id][ordinal]))
            for record_id, score in fused
            for ordinal in np.argsort(-similarities[record_id], kind="stable")[: 1 if per_record else None]
        )
        passages = self._load_passages(list(islice(best, top_k)), "lexical" if fault else "hybrid")
        return Found(passages, (_warn_of(fault),) if fault else ())

    def _find_near(self, vector: Vectors, filters: Filters | None, depth: int) -> tuple[dict[str, Vectors], str | None]:
        """The chunk vectors of the records that Chroma finds; if it fails, none and the reason."""
        if self._fault and time.monotonic() < self._fault.until:
            return {}, self._fault.reason
        try:
            nearest = self._dense.query(vector, depth, filters)
        except BaseException as error:
            if not (isinstance(error, CaseciteError) or is_read_error(error)):
                raise
            return {}, self._remember_fault(_explain_fault(error))
        names = [chunk_id.rpartition("#")[0] for chunk_id, _ in nearest]
        near = self._chunk_vectors.get(list(dict.fromkeys(names)))
        count = sum(name in near for name in names)
        if not filters and count < MIN_FOUND * depth:
            return {}, self._remember_fault(f"of the {depth} nearest chunks it found {count}")
        self._fault = None
        return near, None

    def _remember_fault(self, reason: str) -> str:
        if self._fault is None or self._fault.reason != reason:
            _LOG.warning("%s, in %s", _warn_of(reason), self._build_dir)
        self._fault = _Fault(reason, time.monotonic() + RETRY_S)
        return reason

    def _load_passages(self, best: Sequence[tuple[str, int, float, float]], stage: str) -> list[Passage]:
        passages = []
        for rank, (record_id, ordinal, score, similarity) in enumerate(best, start=1):
            if (found := self._records.get(record_id)) is None:
                raise ValueError(f"{record_id} is not among the records any more")
            record, chunks = found
            passages.append(
                Passage(
                    record=record, chunk=chunks[ordinal], score=score, rank=rank, stage=stage, similarity=similarity
                )
            )
        return passages


def _explain_fault(error: BaseException) -> str:
    """Why Chroma failed, in one line."""
    if isinstance(error, CaseciteError):
        return str(error.args[0])
    explained = explain_read_error(Path("a file of it"), error)
    return str(explained.args[0]) if isinstance(explained, UnreadableIndexError) else first_line(error)


def _warn_of(fault: str) -> str:
    return f"vector search failed ({fault}); keyword search only"
