"""One finished build, open for reading."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import cache, cached_property
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from index.embedding.embedder import Embedder, Vectors, load_embedder
from index.errors import CaseciteError, IndexMismatchError, UnreadableIndexError, WrongUseError
from index.search.fusion import fuse_scores
from index.search.query import Query, read_query
from index.settings import IndexSettings
from index.storage.abbreviation_store import AbbreviationStore
from index.storage.chunk_vectors import ChunkVectors
from index.storage.integrity import require_sound_graph
from index.storage.layout import RECORDS_FILE, REJECTED_FILE, VECTORS_FILE
from index.storage.lexical_index import LexicalIndex
from index.storage.manifest import Manifest, read_manifest
from index.storage.read_errors import first_line, name_fault, names_damage, naming_damage, tells_damage
from index.storage.record_store import RecordStore
from index.storage.vector_store import VectorStore, forget_clients
from index.text.terms import BACKGROUND_RECORDS, analyse, background_frequency
from index.types import Chunk, Filters, Passage, Record

# How many records of each ranking are fused, and how many chunks it takes to reach about so many records.
RECORD_DEPTH = 100
CHUNK_DEPTH = 150
# The graph of neighbours finds nearly all that it is asked for; with less than this share of it something is lost.
MIN_FOUND = 0.5
# After Chroma has failed, questions are answered without it for so long, and need not wait for it each in turn.
RETRY_S = 30.0
_LOG = logging.getLogger(__name__)


class Found(NamedTuple):
    """What a search found, and what its reader should be warned of: half of the search may have failed."""

    passages: list[Passage]
    warnings: tuple[str, ...] = ()


class _Fault(NamedTuple):
    """Why Chroma failed, and until when it is not asked again, by the clock that nobody sets."""

    reason: str
    until: float


class Snapshot:
    """One finished build, open for reading. It never changes, so one question sees one state of the records."""

    def __init__(
        self,
        build_dir: Path,
        manifest: Manifest,
        records: RecordStore,
        vectors: VectorStore,
        chunk_vectors: ChunkVectors,
        lexical: LexicalIndex,
        abbreviations: AbbreviationStore,
        embedder_name: str,
    ) -> None:
        """Take the folder and its open parts; `open_build` opens them."""
        self.build_dir = build_dir
        self.rejected_path = build_dir / REJECTED_FILE
        self.records_path = build_dir / RECORDS_FILE
        self.manifest = manifest
        self._records = records
        self._vectors = vectors
        self._chunk_vectors = chunk_vectors
        self._lexical = lexical
        self._abbreviations = abbreviations
        self._embedder_name = embedder_name
        self._fault: _Fault | None = None
        self._process_id = os.getpid()
        weakref.finalize(self, _close_parts, records, vectors, chunk_vectors, abbreviations)

    @cached_property
    def embedder(self) -> Embedder:
        """The model of this build's vectors, loaded when first needed.

        Raises:
            IndexMismatchError: the model that loads under its name is another one.
        """
        embedder = load_embedder(self._embedder_name)
        _check_embedder(self.manifest, str(self.manifest.embedder), str(embedder.identity))
        return embedder

    def search(
        self, query: str, top_k: int = 10, filters: Filters | None = None, *, per_record: bool = True
    ) -> list[Passage]:
        """The passages of `find`."""
        return self.find(query, top_k, filters, per_record=per_record).passages

    def find(self, query: str, top_k: int = 10, filters: Filters | None = None, *, per_record: bool = True) -> Found:
        """The `top_k` best passages for a query, best first.

        With `per_record` each record comes once, by its best chunk; without, all chunks of the best records come.
        Scores are the fused ones of the records, between 0 and 1. Where Chroma fails, what the words find is ranked, as
        always by both words and meaning; the passages' stage is then `lexical`, and there is a warning. Without the
        words there is no such way out: whether the records answer at all is judged by how rare the question's are.

        Raises:
            WrongUseError: `top_k` is below 1, or the build was opened before this process was forked.
            NoIndexError: a part of the build is damaged.
        """
        if top_k < 1:
            raise WrongUseError(f"top_k is {top_k}", remedy="ask for at least 1 passage")
        require_same_process(self._process_id)
        read = self._read_query(query)
        return self._rank_passages(read, self.embedder.embed_query(read.text), top_k, filters, per_record=per_record)

    @names_damage
    def _rank_passages(
        self, read: Query, query_vector: Vectors, top_k: int, filters: Filters | None, *, per_record: bool
    ) -> Found:
        lexical = dict(self._lexical.search(read.terms, RECORD_DEPTH, filters))
        near, reason = self._find_near(query_vector, filters)
        vectors = near | self.record_vectors([name for name in lexical if name not in near])
        similarities = {record_id: rows @ query_vector for record_id, rows in vectors.items()}
        lexical |= self._lexical.score(read.terms, [name for name in similarities if name not in lexical])
        fused = fuse_scores(
            {record_id: float(scores.max()) for record_id, scores in similarities.items()},
            {record_id: lexical.get(record_id, 0.0) for record_id in similarities},
        )
        best = (
            (record_id, int(ordinal), score, float(similarities[record_id][ordinal]))
            for record_id, score in fused
            for ordinal in np.argsort(-similarities[record_id], kind="stable")[: 1 if per_record else None]
        )
        passages = self._passages(list(islice(best, top_k)), "lexical" if reason else "hybrid")
        return Found(passages, (_warn_of_half_a_search(reason),) if reason else ())

    @names_damage
    def get_record(self, name: str) -> Record | None:
        """The record of an id, its own or another that it goes by: `pmid:1`, a former id, its source's number.

        None, if there is none, or if several go by it.
        """
        found = self._records.get(name)
        others = [] if found else self._records.find([name])
        return found[0] if found else others[0][0] if len(others) == 1 else None

    @names_damage
    def get_chunks(self, record_id: str) -> tuple[Record, list[Chunk]] | None:
        """The record of that id with its chunks, or None."""
        return self._records.get(record_id)

    def iter_records(self) -> Iterator[tuple[Record, list[Chunk]]]:
        """Every record with its chunks, in the order in which they were built."""
        with naming_damage(self.build_dir):
            yield from self._records

    def record_fields(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """The id of every record with those fields as JSON types, in the order in which the records were built."""
        with naming_damage(self.build_dir):
            yield from self._records.iter_fields(*names)

    @names_damage
    def record_vectors(self, record_ids: Sequence[str]) -> dict[str, Vectors]:
        """The vectors of the chunks of those records that are here: float32, shape (chunks, dimension)."""
        return self._chunk_vectors.get(record_ids)

    @names_damage
    def term_weight(self, term: str) -> float:
        """How informative an analysed term is: the logarithm of how rare it is among the records, never below 0.

        A small index says little about how rare a word is, so a thousand biomedical abstracts are counted in.
        """
        total = self.manifest.record_count + BACKGROUND_RECORDS
        return math.log(total / (self._lexical.document_frequency(term) + background_frequency(term) + 1))

    def weigh_terms(self, text: str) -> dict[str, float]:
        """The analysed terms of a text, each with its weight."""
        return {term: self.term_weight(term) for term in analyse(text)}

    @names_damage
    def best_passage(self, record_id: str, query: str, score: float) -> Passage | None:
        """The chunk of a record that is most similar to a query, with the given score; None without such a record."""
        if (found := self._records.get(record_id)) is None:
            return None
        record, chunks = found
        similarities = self.record_vectors([record_id])[record_id] @ self.embedder.embed_query(
            self._read_query(query).text
        )
        best = int(similarities.argmax())
        return Passage(
            record=record, chunk=chunks[best], score=score, rank=1, stage="case", similarity=float(similarities[best])
        )

    @names_damage
    def document_frequency(self, term: str) -> int:
        """In how many records an analysed term stands."""
        return self._lexical.document_frequency(term)

    @names_damage
    def corrections(self, term: str) -> list[str]:
        """The terms that an analysed term may have been meant to be, where no record holds it."""
        return self._lexical.corrections(term)

    @names_damage
    def _read_query(self, query: str) -> Query:
        return read_query(
            query, self._abbreviations.long_forms, self._abbreviations.short_forms, self._lexical.corrections
        )

    def _find_near(self, query_vector: Vectors, filters: Filters | None) -> tuple[dict[str, Vectors], str | None]:
        """The records that Chroma finds, with the vectors of their chunks; none, and why, while it fails."""
        if self._fault and time.monotonic() < self._fault.until:
            return {}, self._fault.reason
        depth = min(CHUNK_DEPTH, self.manifest.chunk_count)
        try:
            nearest = self._vectors.query(query_vector, depth, filters)
        except BaseException as error:
            if not (isinstance(error, CaseciteError) or tells_damage(error)):
                raise
            return {}, self._note_fault(_explain_fault(error))
        names = [chunk_id.rpartition("#")[0] for chunk_id, _ in nearest]
        near = self.record_vectors(list(dict.fromkeys(names)))
        count = sum(name in near for name in names)
        if not filters and count < MIN_FOUND * depth:
            return {}, self._note_fault(f"of the {depth} nearest chunks it found {count}")
        self._fault = None
        return near, None

    def _note_fault(self, reason: str) -> str:
        if self._fault is None or self._fault.reason != reason:
            _LOG.warning("%s, in %s", _warn_of_half_a_search(reason), self.build_dir)
        self._fault = _Fault(reason, time.monotonic() + RETRY_S)
        return reason

    def _passages(self, best: Sequence[tuple[str, int, float, float]], stage: str) -> list[Passage]:
        found = {record_id: self._known_record(record_id) for record_id, *_ in best}
        return [
            Passage(
                record=found[record_id][0],
                chunk=found[record_id][1][ordinal],
                score=score,
                rank=rank,
                stage=stage,
                similarity=similarity,
            )
            for rank, (record_id, ordinal, score, similarity) in enumerate(best, start=1)
        ]

    def _known_record(self, record_id: str) -> tuple[Record, list[Chunk]]:
        if (found := self._records.get(record_id)) is None:
            raise ValueError(f"{record_id} is not among the records any more")
        return found


def open_build(build_dir: Path, settings: IndexSettings) -> Snapshot:
    """Open the parts of a finished build.

    Raises:
        NoIndexError: a part is missing or damaged.
        IndexMismatchError: it was built by another embedding model than the settings name.
    """
    _prepare_for_forks()
    manifest = read_manifest(build_dir)
    _check_embedder(manifest, manifest.embedder.name, settings.embedder)
    with naming_damage(build_dir), ExitStack() as opened:
        records = opened.enter_context(closing(RecordStore.open(build_dir / RECORDS_FILE)))
        lexical = LexicalIndex.open(build_dir / "lexical")
        abbreviations = opened.enter_context(closing(AbbreviationStore.open(build_dir / "abbreviations.sqlite")))
        chunk_vectors = opened.enter_context(closing(ChunkVectors.open(build_dir / VECTORS_FILE)))
        require_sound_graph(build_dir, manifest)
        vectors = VectorStore.open(build_dir / "vectors", manifest.collection, manifest.chroma_url)
        opened.pop_all()
    return Snapshot(build_dir, manifest, records, vectors, chunk_vectors, lexical, abbreviations, settings.embedder)


def _check_embedder(manifest: Manifest, built_with: str, asked_with: str) -> None:
    if built_with != asked_with:
        raise IndexMismatchError(
            f"the index {manifest.build_id} was built with the embedding model {built_with}, "
            f"the setting now is {asked_with}",
            remedy="set CASECITE_EMBEDDER back, or build the index again",
        )


def _explain_fault(error: BaseException) -> str:
    """Why Chroma failed, in one line."""
    if isinstance(error, CaseciteError):
        return str(error.args[0])
    refusal = name_fault(Path("a file of it"), error)
    return str(refusal.args[0]) if isinstance(refusal, UnreadableIndexError) else first_line(error)


def _warn_of_half_a_search(reason: str) -> str:
    return f"the search for meaning failed ({reason}); reports were found by their words alone"


def require_same_process(process_id: int) -> None:
    """Refuse a snapshot that was opened before this process was forked."""
    if process_id != os.getpid():
        raise WrongUseError(
            "the index was opened before this process was forked, and what it is open with is the other's",
            remedy="open it in this process, or start the process by spawn",
        )


@cache
def _prepare_for_forks() -> None:
    """Have forked processes begin anew: Chroma and torch would wait for threads that a fork leaves behind."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_begin_anew)


def _begin_anew() -> None:
    forget_clients()
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


def _close_parts(*parts: RecordStore | VectorStore | ChunkVectors | AbbreviationStore) -> None:
    for part in parts:
        part.close()
