"""One finished build, open for reading."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from index.embedding.embedder import Embedder, Vectors, load_embedder
from index.errors import IndexMismatchError, WrongUseError
from index.search.query import Query, expand_query
from index.search.ranking import Found, HybridRanking
from index.settings import IndexSettings
from index.storage.abbreviation_store import AbbreviationStore
from index.storage.chunk_vectors import ChunkVectors
from index.storage.integrity import require_sound_graph
from index.storage.layout import RECORDS_FILE, VECTORS_FILE
from index.storage.lexical_index import LexicalIndex
from index.storage.manifest import Manifest, read_manifest
from index.storage.read_errors import explaining_read_errors, explains_read_errors
from index.storage.record_store import RecordStore
from index.storage.vector_store import VectorStore
from index.text.terms import BACKGROUND_RECORDS, analyse, background_frequency
from index.types import Chunk, Filters, Passage, Record


class OpenFiles(NamedTuple):
    """The open files of a build."""

    records: RecordStore
    lexical: LexicalIndex
    abbreviations: AbbreviationStore
    chunk_vectors: ChunkVectors
    dense: VectorStore

    def close(self) -> None:
        """Close them. The lexical index holds nothing open."""
        for part in (self.records, self.abbreviations, self.chunk_vectors, self.dense):
            part.close()


@explains_read_errors
class Snapshot:
    """One finished build, open for reading. It never changes, so one question sees one state of the records.

    Its files are closed with the last reference to it. Every method raises NoIndexError if a file that it reads is
    damaged.
    """

    def __init__(self, build_dir: Path, manifest: Manifest, files: OpenFiles, embedder_name: str) -> None:
        self.build_dir = build_dir
        self.manifest = manifest
        self._files = files
        self._ranking = HybridRanking(build_dir, files.records, files.lexical, files.chunk_vectors, files.dense)
        self._embedder_name = embedder_name
        weakref.finalize(self, files.close)

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
        Scores are the fused ones of the records, 0 to 1. If Chroma fails, what keyword search finds is ranked, still by
        both; the passages' stage is then `lexical`, and there is a warning. There is no such fallback for keyword
        search: whether the records answer at all is judged by how rare the query's terms are.

        Raises:
            WrongUseError: `top_k` is below 1.
            NoIndexError: a file of the build is damaged.
        """
        if top_k < 1:
            raise WrongUseError(f"top_k is {top_k}", remedy="ask for at least 1 passage")
        expanded = self._expand(query)
        vector = self.embedder.embed_query(expanded.text)
        return self._ranking.rank(expanded, vector, top_k, filters, self.manifest.chunk_count, per_record=per_record)

    def best_passage(self, record_id: str, query: str, score: float) -> Passage | None:
        """The chunk of a record that is most similar to a query, with the given score; None without such a record."""
        if (found := self._files.records.get(record_id)) is None:
            return None
        record, chunks = found
        vector = self.embedder.embed_query(self._expand(query).text)
        similarities = self._files.chunk_vectors.get([record_id])[record_id] @ vector
        best = int(similarities.argmax())
        return Passage(
            record=record, chunk=chunks[best], score=score, rank=1, stage="case", similarity=float(similarities[best])
        )

    def _expand(self, query: str) -> Query:
        abbreviations = self._files.abbreviations
        return expand_query(query, abbreviations.long_forms, abbreviations.short_forms, self._files.lexical.corrections)

    def get_record(self, name: str) -> Record | None:
        """The record of an id, its own or another that it goes by: `pmid:1`, a former id, its source's number.

        None if there is none, or if several go by it.
        """
        found = self._files.records.get(name)
        others = [] if found else self._files.records.find([name])
        return found[0] if found else others[0][0] if len(others) == 1 else None

    def get_chunks(self, record_id: str) -> tuple[Record, list[Chunk]] | None:
        """The record of that id with its chunks, or None."""
        return self._files.records.get(record_id)

    def iter_records(self) -> Iterator[tuple[Record, list[Chunk]]]:
        """Every record with its chunks, in the order in which they were built."""
        with explaining_read_errors(self.build_dir):
            yield from self._files.records

    def record_fields(self, *names: str) -> Iterator[tuple[Any, ...]]:
        """The id of every record with those fields as JSON types, in the order in which the records were built."""
        with explaining_read_errors(self.build_dir):
            yield from self._files.records.iter_fields(*names)

    def record_vectors(self, record_ids: Sequence[str]) -> dict[str, Vectors]:
        """The vectors of the chunks of those records that are here: float32, shape (chunks, dimension)."""
        return self._files.chunk_vectors.get(record_ids)

    def term_weight(self, term: str) -> float:
        """How informative an analysed term is: the logarithm of how rare it is among the records, never below 0.

        A small index says little about how rare a word is, so a thousand biomedical abstracts are counted in.
        """
        total = self.manifest.record_count + BACKGROUND_RECORDS
        return math.log(total / (self._files.lexical.document_frequency(term) + background_frequency(term) + 1))

    def weigh_terms(self, text: str) -> dict[str, float]:
        """The analysed terms of a text, each with its weight."""
        return {term: self.term_weight(term) for term in analyse(text)}

    def document_frequency(self, term: str) -> int:
        """The number of records that contain an analysed term."""
        return self._files.lexical.document_frequency(term)

    def corrections(self, term: str) -> list[str]:
        """The terms that a misspelt analysed term may stand for; none if a record contains it."""
        return self._files.lexical.corrections(term)


def open_build(build_dir: Path, settings: IndexSettings) -> Snapshot:
    """Open a finished build.

    Raises:
        NoIndexError: a file is missing or damaged.
        IndexMismatchError: it was built by another embedding model than the settings name.
    """
    manifest = read_manifest(build_dir)
    _check_embedder(manifest, manifest.embedder.name, settings.embedder)
    with explaining_read_errors(build_dir), ExitStack() as opened:
        records = opened.enter_context(closing(RecordStore.open(build_dir / RECORDS_FILE)))
        lexical = LexicalIndex.open(build_dir / "lexical")
        abbreviations = opened.enter_context(closing(AbbreviationStore.open(build_dir / "abbreviations.sqlite")))
        chunk_vectors = opened.enter_context(closing(ChunkVectors.open(build_dir / VECTORS_FILE)))
        require_sound_graph(build_dir, manifest)
        dense = VectorStore.open(build_dir / "vectors", manifest.collection, manifest.chroma_url)
        opened.pop_all()
    return Snapshot(
        build_dir, manifest, OpenFiles(records, lexical, abbreviations, chunk_vectors, dense), settings.embedder
    )


def _check_embedder(manifest: Manifest, built_with: str, asked_with: str) -> None:
    if built_with != asked_with:
        raise IndexMismatchError(
            f"the index {manifest.build_id} was built with the embedding model {built_with}, "
            f"the setting now is {asked_with}",
            remedy="set CASECITE_EMBEDDER back, or build the index again",
        )
