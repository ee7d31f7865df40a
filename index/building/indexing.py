"""The records of a build to its lexical index, abbreviations and vectors, embedding ahead of writing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.embedding.embedder import Embedder, Vectors
from index.ingest.chunking import WINDOW_CHARS, embedding_text
from index.search.snapshot import Snapshot
from index.storage.abbreviation_store import AbbreviationStore
from index.storage.chunk_vectors import ChunkVectors
from index.storage.layout import VECTORS_FILE
from index.storage.lexical_index import LexicalIndex
from index.storage.vector_store import VectorStore
from index.types import Chunk, Record

# Texts are sorted by length over this many chunks before they are batched: padding is small, memory stays bounded.
CHUNKS_A_STEP = 1_024
CHUNKS_A_PART = 32  # a second or so of embedding between two calls of `progress`; a multiple of the batch size


@dataclass(frozen=True, slots=True)
class Step:
    """Some records with their chunks, the vectors that they have already, and the texts that still need one."""

    records: Sequence[Record]
    chunks: Sequence[tuple[Record, Chunk]]
    vectors: dict[str, Vectors]
    texts: dict[str, str]

    def parts(self) -> list[list[str]]:
        """The ids of the texts, the longest first, so that those of like length are embedded together."""
        ids = sorted(self.texts, key=lambda chunk_id: -len(self.texts[chunk_id]))
        return [ids[start : start + CHUNKS_A_PART] for start in range(0, len(ids), CHUNKS_A_PART)]


class Stores:
    """What is made of the records of a build: lexical index, abbreviations and vectors."""

    def __init__(
        self, lexical: LexicalIndex, abbreviations: AbbreviationStore, chunk_vectors: ChunkVectors, vectors: VectorStore
    ) -> None:
        """Take the open parts; `create` makes them."""
        self.lexical = lexical
        self.chunk_vectors = chunk_vectors
        self.vectors = vectors
        self._abbreviations = abbreviations

    @classmethod
    def create(cls, build_dir: Path, collection: str, chroma_url: str | None, copy_of: Path | None) -> Stores:
        """The parts in the folder of a build (vectors on the server, if there is one), empty or copies of another's."""
        names = ("lexical", "abbreviations.sqlite", VECTORS_FILE, "vectors")
        lexical, abbreviations, chunk_vectors, vectors = (copy_of / name if copy_of else None for name in names)
        return cls(
            LexicalIndex.create(build_dir / "lexical", lexical),
            AbbreviationStore.create(build_dir / "abbreviations.sqlite", abbreviations),
            ChunkVectors.create(build_dir / VECTORS_FILE, chunk_vectors),
            VectorStore.create(build_dir / "vectors", collection, chroma_url, vectors),
        )

    def delete(self, records: Sequence[tuple[Record, Sequence[Chunk]]]) -> None:
        """Take records out of all parts."""
        self.lexical.delete(record.record_id for record, _ in records)
        self.chunk_vectors.delete(record.record_id for record, _ in records)
        self._abbreviations.delete(record for record, _ in records)
        self.vectors.delete([chunk.chunk_id for _, chunks in records for chunk in chunks])

    def add(self, step: Step, vectors: dict[str, Vectors]) -> None:
        """Put the records of a step into all parts, with the vectors of all its chunks."""
        self.lexical.add(step.records)
        self._abbreviations.add(step.records)
        rows = np.stack([vectors[chunk.chunk_id] for _, chunk in step.chunks])
        self.chunk_vectors.add(_by_record(step, rows))
        self.vectors.add([record for record, _ in step.chunks], [chunk for _, chunk in step.chunks], rows)

    def close(self) -> None:
        """Release files and connections."""
        self.vectors.close()
        self.chunk_vectors.close()
        self._abbreviations.close()


def _by_record(step: Step, rows: Vectors) -> dict[str, Vectors]:
    """The rows of each record's chunks, which stand together in a step."""
    ends = np.cumsum(list(Counter(record.record_id for record, _ in step.chunks).values()))
    return dict(zip([record.record_id for record in step.records], np.split(rows, ends[:-1]), strict=True))


def plan_steps(
    records: Iterable[tuple[Record, list[Chunk]]], previous: Snapshot | None, embedder: Embedder
) -> Iterator[Step]:
    """Records in groups of at least CHUNKS_A_STEP chunks (but for the last), with the vectors that can be carried over.

    That are those of an earlier build with the same model and chunking, of records whose text is as it was.
    """
    then = previous.manifest if previous else None
    can_carry = then and then.embedder == embedder.identity and then.window_chars == WINDOW_CHARS
    source = previous if can_carry else None
    return (_plan_step(group, source) for group in _group(records))


def _group(records: Iterable[tuple[Record, list[Chunk]]]) -> Iterator[list[tuple[Record, list[Chunk]]]]:
    group: list[tuple[Record, list[Chunk]]] = []
    size = 0
    for record, chunks in records:
        group.append((record, chunks))
        size += len(chunks)
        if size >= CHUNKS_A_STEP:
            yield group
            group, size = [], 0
    if group:
        yield group


def _plan_step(group: Sequence[tuple[Record, list[Chunk]]], previous: Snapshot | None) -> Step:
    carried = _carried_vectors(group, previous) if previous else {}
    chunks = [(record, chunk) for record, chunks in group for chunk in chunks]
    texts = {chunk.chunk_id: embedding_text(record, chunk) for record, chunk in chunks if chunk.chunk_id not in carried}
    return Step([record for record, _ in group], chunks, carried, texts)


def _carried_vectors(group: Sequence[tuple[Record, list[Chunk]]], previous: Snapshot) -> dict[str, Vectors]:
    before = {record.record_id: _find_same_text(record, previous) for record, _ in group}
    stored = previous.record_vectors([name for name in before.values() if name])
    return {
        chunk.chunk_id: vector
        for record, chunks in group
        if (name := before[record.record_id]) in stored
        for chunk, vector in zip(chunks, stored[name], strict=True)
    }


def _find_same_text(record: Record, previous: Snapshot) -> str | None:
    """The id under which an earlier build holds a record of the same text."""
    found = (previous.get_record(name) for name in (record.record_id, *record.other_ids))
    return next((known.record_id for known in found if known and known.content_hash == record.content_hash), None)


def embed_ahead(
    steps: Iterable[Step], embedder: Embedder, report: Callable[[int], None]
) -> Iterator[tuple[Step, dict[str, Vectors]]]:
    """Each step with the vectors of all its chunks; while the caller writes one step, the next is being embedded.

    `report` is called with how many more chunks have their vectors.
    """
    pool = ThreadPoolExecutor(1, "embedding")
    try:
        started = ((step, _start_step(step, embedder, pool)) for step in steps)
        begun = next(started, None)
        while begun:
            step, parts = begun
            begun = next(started, None)
            yield step, _collect(step, parts, report)
    finally:
        pool.shutdown(cancel_futures=True)


def _start_step(step: Step, embedder: Embedder, pool: Executor) -> list[Future[dict[str, Vectors]]]:
    return [pool.submit(_embed_part, part, step.texts, embedder) for part in step.parts()]


def _embed_part(part: Sequence[str], texts: dict[str, str], embedder: Embedder) -> dict[str, Vectors]:
    vectors = embedder.embed_documents([texts[chunk_id] for chunk_id in part])
    return dict(zip(part, vectors, strict=True))


def _collect(
    step: Step, parts: Iterable[Future[dict[str, Vectors]]], report: Callable[[int], None]
) -> dict[str, Vectors]:
    vectors = dict(step.vectors)
    report(len(vectors))
    for part in parts:
        found = part.result()
        vectors |= found
        report(len(found))
    return vectors
