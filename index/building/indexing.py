"""Write the lexical index, abbreviations and vectors of a build; embedding runs ahead of writing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.embedding.embedder import Embedder, Vectors
from index.ingest.chunking import WINDOW_CHARS, embedding_text
from index.storage.abbreviation_store import AbbreviationStore
from index.storage.chunk_vectors import ChunkVectors
from index.storage.layout import RECORDS_FILE, VECTORS_FILE
from index.storage.lexical_index import LexicalIndex
from index.storage.manifest import Manifest
from index.storage.record_store import RecordStore
from index.storage.vector_store import VectorStore
from index.types import Chunk, Record

# Texts are sorted by length over this many chunks before they are batched: little padding, bounded memory.
CHUNKS_A_STEP = 1_024
CHUNKS_A_PART = 32  # about a second of embedding between two calls of `progress`; a multiple of the batch size


@dataclass(frozen=True, slots=True)
class Step:
    """Some records with their chunks, the vectors that are reused, and the texts to embed, by chunk id."""

    records: Sequence[Record]
    chunks: Sequence[tuple[Record, Chunk]]
    vectors: dict[str, Vectors]
    texts: dict[str, str]

    def parts(self) -> list[list[str]]:
        """The ids of the texts, longest first, so that texts of similar length are embedded together."""
        ids = sorted(self.texts, key=lambda chunk_id: -len(self.texts[chunk_id]))
        return [ids[start : start + CHUNKS_A_PART] for start in range(0, len(ids), CHUNKS_A_PART)]


class Stores:
    """The parts of a build that are derived from its records: lexical index, abbreviations and vectors."""

    def __init__(
        self, lexical: LexicalIndex, abbreviations: AbbreviationStore, chunk_vectors: ChunkVectors, vectors: VectorStore
    ) -> None:
        self.lexical = lexical
        self.chunk_vectors = chunk_vectors
        self.vectors = vectors
        self._abbreviations = abbreviations

    @classmethod
    def create(cls, build_dir: Path, collection: str, chroma_url: str | None, copy_of: Path | None) -> Stores:
        """New stores in a build's folder (vectors on the Chroma server, if any), empty or copied from another build."""
        names = ("lexical", "abbreviations.sqlite", VECTORS_FILE, "vectors")
        lexical, abbreviations, chunk_vectors, vectors = (copy_of / name if copy_of else None for name in names)
        return cls(
            LexicalIndex.create(build_dir / "lexical", lexical),
            AbbreviationStore.create(build_dir / "abbreviations.sqlite", abbreviations),
            ChunkVectors.create(build_dir / VECTORS_FILE, chunk_vectors),
            VectorStore.create(build_dir / "vectors", collection, chroma_url, vectors),
        )

    def delete(self, records: Sequence[tuple[Record, Sequence[Chunk]]]) -> None:
        """Delete records from all stores."""
        self.lexical.delete(record.record_id for record, _ in records)
        self.chunk_vectors.delete(record.record_id for record, _ in records)
        self._abbreviations.delete(record for record, _ in records)
        self.vectors.delete([chunk.chunk_id for _, chunks in records for chunk in chunks])

    def add(self, step: Step, vectors: dict[str, Vectors]) -> None:
        """Add the records of a step to all stores, with the vectors of all its chunks."""
        self.lexical.add(step.records)
        self._abbreviations.add(step.records)
        rows = np.stack([vectors[chunk.chunk_id] for _, chunk in step.chunks])
        ends = np.cumsum(list(Counter(record.record_id for record, _ in step.chunks).values()))
        by_record = np.split(rows, ends[:-1])  # the chunks of a record are adjacent
        self.chunk_vectors.add(dict(zip([record.record_id for record in step.records], by_record, strict=True)))
        self.vectors.add([record for record, _ in step.chunks], [chunk for _, chunk in step.chunks], rows)

    def close(self) -> None:
        """Release files and connections."""
        self.vectors.close()
        self.chunk_vectors.close()
        self._abbreviations.close()


class EarlierBuild:
    """The records of a finished build, with vectors that a new build can reuse."""

    def __init__(self, build_dir: Path, manifest: Manifest) -> None:
        self.build_dir = build_dir
        self.manifest = manifest
        self.records = RecordStore.open(build_dir / RECORDS_FILE)
        self._vectors = ChunkVectors.open(build_dir / VECTORS_FILE)

    def fits(self, embedder: Embedder) -> bool:
        """Whether its vectors are those that the model would make now: same model, same chunk size."""
        return self.manifest.embedder == embedder.identity and self.manifest.window_chars == WINDOW_CHARS

    def find_vectors(self, group: Sequence[tuple[Record, Sequence[Chunk]]]) -> dict[str, Vectors]:
        """The vectors of the chunks of those records whose text is unchanged, by the ids of the chunks now."""
        earlier = {record.record_id: self._find_same_text(record) for record, _ in group}
        stored = self._vectors.get([name for name in earlier.values() if name])
        return {
            chunk.chunk_id: vector
            for record, chunks in group
            if (name := earlier[record.record_id]) in stored
            for chunk, vector in zip(chunks, stored[name], strict=True)
        }

    def _find_same_text(self, record: Record) -> str | None:
        """The earlier id of a record with unchanged text: its own, or another one that no second record has."""
        for name in (record.record_id, *record.other_ids):
            known = self.records.get(name)
            found = [known] if known else self.records.find([name])
            if len(found) == 1 and found[0][0].content_hash == record.content_hash:
                return found[0][0].record_id
        return None

    def close(self) -> None:
        """Release the files."""
        self.records.close()
        self._vectors.close()


def plan_steps(records: Iterable[tuple[Record, list[Chunk]]], earlier: EarlierBuild | None) -> Iterator[Step]:
    """Records in groups of at least CHUNKS_A_STEP chunks (but the last), with the vectors that `earlier` has."""
    group: list[tuple[Record, list[Chunk]]] = []
    size = 0
    for record, chunks in records:
        group.append((record, chunks))
        size += len(chunks)
        if size >= CHUNKS_A_STEP:
            yield _plan_step(group, earlier)
            group, size = [], 0
    if group:
        yield _plan_step(group, earlier)


def _plan_step(group: Sequence[tuple[Record, list[Chunk]]], earlier: EarlierBuild | None) -> Step:
    vectors = earlier.find_vectors(group) if earlier else {}
    chunks = [(record, chunk) for record, chunks in group for chunk in chunks]
    texts = {chunk.chunk_id: embedding_text(record, chunk) for record, chunk in chunks if chunk.chunk_id not in vectors}
    return Step([record for record, _ in group], chunks, vectors, texts)


def embed_ahead(
    steps: Iterable[Step], embedder: Embedder, report: Callable[[int], None]
) -> Iterator[tuple[Step, dict[str, Vectors]]]:
    """Each step with the vectors of all its chunks; the next step is being embedded while the caller writes one.

    `report` is called with how many more chunks have vectors.
    """

    def embed_part(part: Sequence[str], texts: dict[str, str]) -> dict[str, Vectors]:
        return dict(zip(part, embedder.embed_documents([texts[chunk_id] for chunk_id in part]), strict=True))

    pool = ThreadPoolExecutor(1, "embedding")
    try:
        started = ((step, [pool.submit(embed_part, part, step.texts) for part in step.parts()]) for step in steps)
        upcoming = next(started, None)
        while upcoming:
            step, parts = upcoming
            upcoming = next(started, None)
            vectors = dict(step.vectors)
            report(len(vectors))
            for part in parts:
                found = part.result()
                vectors |= found
                report(len(found))
            yield step, vectors
    finally:
        pool.shutdown(cancel_futures=True)
