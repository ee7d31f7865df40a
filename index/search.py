"""Hybrid search over an index: dense and lexical, fused, folded to records."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from index.abbreviations import AbbreviationStore
from index.chunk_vectors import ChunkVectors
from index.damage import naming_damage
from index.embedding import Embedder, Vectors, load_embedder
from index.errors import IndexMismatchError, NoIndexError, WrongUseError
from index.fusion import fuse_scores
from index.layout import RECORDS_FILE, REJECTED_FILE, VECTORS_FILE, IndexLayout
from index.lexical import BACKGROUND_RECORDS, LexicalIndex, background_frequency
from index.manifest import Manifest, read_manifest
from index.query import Query, read_query
from index.record_store import RecordStore
from index.settings import IndexSettings, index_settings
from index.store import VectorStore
from index.types import Chunk, Filters, Passage, Record

# How many records of each ranking are fused, and how many chunks it takes to reach about so many records.
RECORD_DEPTH = 100
CHUNK_DEPTH = 150


class OpenBuild:
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
        """The `top_k` best passages for a query, best first.

        With `per_record` each record comes once, by its best chunk; without, all chunks of the best records come.
        Scores are the fused ones of the records, between 0 and 1.

        Raises:
            WrongUseError: `top_k` is below 1.
            NoIndexError: a part of the build is damaged.
        """
        if top_k < 1:
            raise WrongUseError(f"top_k is {top_k}", remedy="ask for at least 1 passage")
        with naming_damage(self.build_dir):
            read = self._read_query(query)
        query_vector = self.embedder.embed_query(read.text)
        with naming_damage(self.build_dir):
            return self._rank_passages(read, query_vector, top_k, filters, per_record=per_record)

    def _rank_passages(
        self, read: Query, query_vector: Vectors, top_k: int, filters: Filters | None, *, per_record: bool
    ) -> list[Passage]:
        lexical = dict(self._lexical.search(read.terms, RECORD_DEPTH, filters))
        similarities = self._score_chunks(query_vector, lexical, filters)
        lexical |= self._lexical.score(read.terms, [name for name in similarities if name not in lexical])
        fused = fuse_scores(
            {record_id: float(scores.max()) for record_id, scores in similarities.items()},
            {record_id: lexical.get(record_id, 0.0) for record_id in similarities},
        )
        best = (
            (record_id, int(ordinal), score)
            for record_id, score in fused
            for ordinal in np.argsort(-similarities[record_id], kind="stable")[: 1 if per_record else None]
        )
        return self._passages(list(islice(best, top_k)))

    def get_record(self, name: str) -> Record | None:
        """The record of an id, its own or another that it goes by: `pmid:1`, a former id, its source's number.

        None, if there is none, or if several go by it.
        """
        found = self._records.get(name)
        others = [] if found else self._records.find([name])
        return found[0] if found else others[0][0] if len(others) == 1 else None

    def get_chunks(self, record_id: str) -> tuple[Record, list[Chunk]] | None:
        """The record of that id with its chunks, or None."""
        return self._records.get(record_id)

    def iter_records(self) -> Iterator[tuple[Record, list[Chunk]]]:
        """Every record with its chunks, in the order in which they were built."""
        return iter(self._records)

    def record_fields(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """The id of every record with those fields as JSON types, in the order in which the records were built."""
        return self._records.iter_fields(*names)

    def record_vectors(self, record_ids: Sequence[str]) -> dict[str, Vectors]:
        """The vectors of the chunks of those records that are here: float32, shape (chunks, dimension)."""
        return self._chunk_vectors.get(record_ids)

    def term_weight(self, term: str) -> float:
        """How telling an analysed term is: the logarithm of how rare it is among the records, never below 0.

        A small index says little about how rare a word is, so a thousand biomedical abstracts are counted in.
        """
        total = self.manifest.record_count + BACKGROUND_RECORDS
        return math.log(total / (self._lexical.document_frequency(term) + background_frequency(term) + 1))

    def similarity(self, query: str, passage: Passage) -> float:
        """The cosine of the angle between a query and a passage, -1 to 1."""
        vectors = self.record_vectors([passage.record.record_id])[passage.record.record_id]
        return float(vectors[passage.chunk.ordinal] @ self.embedder.embed_query(self._read_query(query).text))

    def document_frequency(self, term: str) -> int:
        """In how many records an analysed term stands."""
        return self._lexical.document_frequency(term)

    def corrections(self, term: str) -> list[str]:
        """The terms that an analysed term may have been meant to be, where no record holds it."""
        return self._lexical.corrections(term)

    def _read_query(self, query: str) -> Query:
        return read_query(
            query, self._abbreviations.long_forms, self._abbreviations.short_forms, self._lexical.corrections
        )

    def _score_chunks(
        self, query_vector: Vectors, lexical: Iterable[str], filters: Filters | None
    ) -> dict[str, Vectors]:
        """The exact similarity of every chunk of the records that either ranking found, shape (chunks,), by record."""
        nearest = self._vectors.query(query_vector, min(CHUNK_DEPTH, self.manifest.chunk_count), filters)
        record_ids = dict.fromkeys([*(chunk_id.rpartition("#")[0] for chunk_id, _ in nearest), *lexical])
        vectors = self.record_vectors(list(record_ids))
        return {record_id: rows @ query_vector for record_id, rows in vectors.items()}

    def _passages(self, best: Sequence[tuple[str, int, float]]) -> list[Passage]:
        found = {record_id: self._records.get(record_id) for record_id, _, _ in best}
        pairs = [(pair, ordinal, score) for record_id, ordinal, score in best if (pair := found[record_id])]
        return [
            Passage(record=record, chunk=chunks[ordinal], score=score, rank=rank, stage="hybrid")
            for rank, ((record, chunks), ordinal, score) in enumerate(pairs, start=1)
        ]


class Index:
    """An index folder. A newly published build is noticed at the next call."""

    def __init__(self, settings: IndexSettings) -> None:
        """Take where the index is and which model it should have; nothing is opened yet."""
        self._settings = settings
        self._layout = IndexLayout(settings.index_dir)
        self._lock = threading.Lock()
        self._open: tuple[Path, OpenBuild] | None = None

    def current(self) -> OpenBuild:
        """The live build; keep it for all of one question.

        Raises:
            NoIndexError: there is no index, or it cannot be read.
            IndexMismatchError: it was built by another embedding model.
        """
        with self._lock:
            if self._open is None or self._open[0] != self._layout.current_build():
                self._open = self._open_live_build()
            return self._open[1]

    def _open_live_build(self) -> tuple[Path, OpenBuild]:
        """The build that `CURRENT` names. While it is being opened it may be superseded, and even removed."""
        while True:
            build_dir = self._layout.current_build()
            try:
                return build_dir, open_build(build_dir, self._settings)
            except NoIndexError:
                if self._layout.current_build() == build_dir:
                    raise

    @property
    def index_dir(self) -> Path:
        """The folder of the index."""
        return self._settings.index_dir

    @property
    def manifest(self) -> Manifest:
        """What the live build says of itself."""
        return self.current().manifest

    def search(
        self, query: str, top_k: int = 10, filters: Filters | None = None, *, per_record: bool = True
    ) -> list[Passage]:
        """`OpenBuild.search` on the live build."""
        return self.current().search(query, top_k, filters, per_record=per_record)

    def get_record(self, name: str) -> Record | None:
        """`OpenBuild.get_record` on the live build."""
        return self.current().get_record(name)

    def first_titles(self, count: int) -> list[str]:
        """The titles of the first `count` records that have one."""
        titles = (record.title for record, _ in self.current().iter_records() if record.title)
        return list(islice(titles, count))

    def close(self) -> None:
        """Let go of the live build; its files are closed when no question is using it any more."""
        with self._lock:
            self._open = None


def open_index(index_dir: str | Path | None = None) -> Index:
    """Open an index; without a folder, the one that the settings name.

    Raises:
        NoIndexError: there is no index, or it cannot be read.
        IndexMismatchError: it was built by another embedding model.
    """
    index = Index(index_settings(index_dir))
    index.current()
    return index


def open_build(build_dir: Path, settings: IndexSettings) -> OpenBuild:
    """Open the parts of a finished build.

    Raises:
        NoIndexError: a part is missing or damaged.
        IndexMismatchError: it was built by another embedding model than the settings name.
    """
    manifest = read_manifest(build_dir)
    _check_embedder(manifest, manifest.embedder.name, settings.embedder)
    with naming_damage(build_dir):
        records = RecordStore.open(build_dir / RECORDS_FILE)
        lexical = LexicalIndex.open(build_dir / "lexical")
        abbreviations = AbbreviationStore.open(build_dir / "abbreviations.sqlite")
        chunk_vectors = ChunkVectors.open(build_dir / VECTORS_FILE)
        vectors = VectorStore.open(build_dir / "vectors", manifest.collection, manifest.chroma_url)
    return OpenBuild(build_dir, manifest, records, vectors, chunk_vectors, lexical, abbreviations, settings.embedder)


def _check_embedder(manifest: Manifest, built_with: str, asked_with: str) -> None:
    if built_with != asked_with:
        raise IndexMismatchError(
            f"the index {manifest.build_id} was built with the embedding model {built_with}, "
            f"the setting now is {asked_with}",
            remedy="set CASECITE_EMBEDDER back, or build the index again",
        )


def _close_parts(*parts: RecordStore | VectorStore | ChunkVectors | AbbreviationStore) -> None:
    for part in parts:
        part.close()
