"""One build: the folder that it fills, the build that it starts from, and its verification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from index.building.distributed import embed_with_ray
from index.building.indexing import Stores, embed_ahead, plan_steps
from index.building.merging import Intake
from index.embedding.embedder import Embedder, load_embedder
from index.errors import BuildFailedError
from index.ingest.chunking import WINDOW_CHARS
from index.progress import Progress
from index.search.snapshot import Snapshot
from index.settings import IndexSettings
from index.storage.layout import MERGED_FILE, RECORDS_FILE, REJECTED_FILE, seal_files
from index.storage.manifest import Manifest
from index.storage.record_store import RecordStore
from index.storage.vector_store import VectorStore, collection_name, seal_vectors
from index.types import BuildReport

SELF_RECALL_SAMPLE = 50
# Nearest neighbours are approximate: in a sound store of a few hundred thousand chunks up to one in forty does not find
# itself (docs/experiments/storage.md, "Chunks that are not found"). In one with mixed up or missing vectors hardly any
# do.
MIN_SELF_RECALL = 0.8
SAME_VECTOR = 0.999
# A chunk that is deleted stays in the graph of neighbours as a knot that is passed over. With more of them than this
# share of the chunks the graph is made anew.
MAX_DEAD_SHARE = 0.2
RECORDS_A_DELETION = 1_000


class BuildRun:
    """Fills a build folder. With a build before, what is the same in both is taken from it."""

    def __init__(self, build_dir: Path, settings: IndexSettings, previous: Snapshot | None, progress: Progress) -> None:
        """Take an empty folder, and the build that is updated."""
        self._build_dir = build_dir
        self._settings = settings
        self._previous = previous
        self._progress = progress
        ray = settings.ray_address
        self._embed_steps = embed_with_ray(ray, build_dir / "steps") if ray else embed_ahead
        self._records = RecordStore.create(
            build_dir / RECORDS_FILE, previous.build_dir / RECORDS_FILE if previous else None
        )
        self._intake = Intake(build_dir, self._records)
        self._outdated_count = 0  # records of the build before that are gone or say something else now
        self._dead_chunks = 0
        self._embedded = 0

    def build(self, fill: Callable[[Intake], None], sources: Sequence[str]) -> Manifest:
        """Read, index, embed and verify; the build is complete but for its manifest, which is returned.

        Where the build before holds all this already, its manifest is returned.
        """
        with closing(self._records):
            with closing(self._intake):
                fill(self._intake)
            if self._previous and not self._differs(self._previous):
                return self._previous.manifest
            self._progress("loading the embedding model", 0, None)
            embedder = load_embedder(self._settings.embedder)
            self._index(embedder)
            manifest = self._manifest(sources, embedder)
        if not self._settings.chroma_url:
            seal_vectors(self._build_dir / "vectors")
        return manifest.model_copy(update={"files": seal_files(self._build_dir)})

    def _differs(self, previous: Snapshot) -> bool:
        self._outdated_count, written_count = self._records.compare(previous.build_dir / RECORDS_FILE)
        return bool(self._outdated_count or written_count or self._intake.tally.rejected_count)

    def report(self, manifest: Manifest, seconds: float) -> BuildReport:
        """What became of the input, as the user gets it."""
        tally, build_dir = self._intake.tally, self._build_dir.with_name(manifest.build_id)
        return BuildReport(
            build_id=manifest.build_id,
            index_dir=str(self._settings.index_dir),
            record_count=manifest.record_count,
            chunk_count=manifest.chunk_count,
            added=tally.added,
            changed=tally.changed,
            unchanged=tally.unchanged,
            duplicates=tally.duplicates,
            merged=tally.merged,
            removed=tally.removed,
            embedded=self._embedded,
            rejected_count=tally.rejected_count,
            rejected=tuple(tally.rejected),
            rejected_path=str(build_dir / REJECTED_FILE),
            merged_path=str(build_dir / MERGED_FILE),
            seconds=round(seconds, 3),
        )

    def _index(self, embedder: Embedder) -> None:
        base = self._reusable_build(embedder)
        collection = collection_name(self._build_dir.name)
        copy_of = base.build_dir if base else None
        stores = Stores.create(self._build_dir, collection, self._settings.chroma_url, copy_of)
        try:
            if base:
                self._dead_chunks = base.manifest.dead_chunks + _delete_outdated(self._records, base, stores)
            self._embed(embedder, stores, only_written=base is not None)
            self._verify(stores)
        finally:
            stores.close()

    def _reusable_build(self, embedder: Embedder) -> Snapshot | None:
        """The build before, if copies of its files are a better start than none."""
        previous = self._previous
        if previous is None or previous.manifest.chroma_url or self._settings.chroma_url:
            return None
        then = previous.manifest
        if then.embedder != embedder.identity or then.window_chars != WINDOW_CHARS:
            return None
        dead_share = then.dead_chunks / then.chunk_count + self._outdated_count / then.record_count
        return previous if dead_share <= MAX_DEAD_SHARE else None

    def _embed(self, embedder: Embedder, stores: Stores, *, only_written: bool) -> None:
        records = self._records.written() if only_written else iter(self._records)
        total = self._records.count_chunks(only_written=only_written)
        done = 0

        def report(count: int) -> None:
            nonlocal done
            done += count
            self._progress("embedding chunks", done, total)

        for step, vectors in self._embed_steps(plan_steps(records, self._previous, embedder), embedder, report):
            stores.add(step, vectors)
            self._embedded += len(step.texts)

    def _verify(self, stores: Stores) -> None:
        """Compare the stores' counts, and look how many of a sample of chunks find themselves."""
        records, chunks = len(self._records), self._records.count_chunks()
        parts = (stores.lexical, records), (stores.chunk_vectors, records), (stores.vectors, chunks)
        for found, expected in ((len(part), count) for part, count in parts):
            if expected != found:
                raise _not_verified(f"{found} entries where {expected} were written")
        sample = [chunks[0].chunk_id for _, chunks in self._records.sample(SELF_RECALL_SAMPLE)]
        if (found := count_self_recall(stores.vectors, sample)) < MIN_SELF_RECALL * len(sample):
            raise _not_verified(f"of {len(sample)} chunks {found} find themselves")

    def _manifest(self, sources: Sequence[str], embedder: Embedder) -> Manifest:
        before = self._previous.manifest.sources if self._previous else ()
        return Manifest(
            build_id=self._build_dir.name,
            created_at=datetime.now(UTC),
            record_count=len(self._records),
            chunk_count=self._records.count_chunks(),
            rejected_count=self._intake.tally.rejected_count,
            digest_count=self._records.count_digests(),
            dead_chunks=self._dead_chunks,
            embedder=embedder.identity,
            window_chars=WINDOW_CHARS,
            collection=collection_name(self._build_dir.name),
            chroma_url=self._settings.chroma_url,
            sources=tuple(dict.fromkeys([*before, *sources])),
            versions={name: version(name) for name in ("casecite", "chromadb", "sentence-transformers", "tantivy")},
        )


def _delete_outdated(records: RecordStore, base: Snapshot, stores: Stores) -> int:
    """Take out of copied stores what a record says no more; how many chunks that were."""
    count = 0
    outdated = (found for name in records.outdated() if (found := base.get_chunks(name)))
    while group := list(islice(outdated, RECORDS_A_DELETION)):
        stores.delete(group)
        count += sum(len(chunks) for _, chunks in group)
    return count


def count_self_recall(vectors: VectorStore, chunk_ids: Sequence[str]) -> int:
    """How many of those chunks are found by their own vectors."""
    stored = vectors.vectors(chunk_ids).values()
    return sum(similarity >= SAME_VECTOR for vector in stored for _, similarity in vectors.query(vector, 1))


def _not_verified(reason: str) -> BuildFailedError:
    remedy = "build again; the index in use is unchanged"
    return BuildFailedError(f"the build did not verify: {reason}", remedy=remedy)
