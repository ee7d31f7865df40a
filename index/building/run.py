"""One build: the folder that it fills, the earlier build that it reuses, its verification and publication."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from index.building.distributed import embed_with_ray
from index.building.indexing import EarlierBuild, Stores, embed_ahead, plan_steps
from index.building.merging import Intake
from index.building.provenance import Origin
from index.embedding.embedder import load_embedder
from index.errors import BuildFailedError
from index.ingest.chunking import WINDOW_CHARS
from index.progress import Progress
from index.settings import IndexSettings
from index.storage.layout import MERGED_FILE, RECORDS_FILE, REJECTED_FILE, IndexLayout, seal_files
from index.storage.manifest import Manifest
from index.storage.record_store import RecordStore
from index.storage.vector_store import VectorStore, collection_name, seal_vectors
from index.types import BuildReport

SELF_RECALL_SAMPLE = 50
# Nearest neighbours are approximate: in a sound store of a few hundred thousand chunks up to one in forty does not find
# itself (docs/experiments/storage.md, "Chunks that are not found"). With mixed up or missing vectors hardly any do.
MIN_SELF_RECALL = 0.8
SAME_VECTOR = 0.999
# A deleted chunk stays in the nearest-neighbour graph as a tombstone node. If their share of the chunks would exceed
# this, the graph is built again.
MAX_DEAD_SHARE = 0.2
RECORDS_A_DELETION = 1_000


class BuildRun:
    """A build in an empty folder.

    With `update_of` it starts with the records of that build, and with copies of its stores where that is worthwhile.
    Vectors of unchanged text are taken from `vectors_of`, by default the same build.
    """

    def __init__(
        self,
        layout: IndexLayout,
        build_dir: Path,
        settings: IndexSettings,
        progress: Progress,
        update_of: EarlierBuild | None,
        vectors_of: EarlierBuild | None,
    ) -> None:
        self._layout = layout
        self._build_dir = build_dir
        self._settings = settings
        self._progress = progress
        self._earlier = update_of
        self._vectors_of = vectors_of or update_of
        ray = settings.ray_address
        self._embed_steps = embed_with_ray(ray, build_dir / "steps") if ray else embed_ahead
        self._opened = ExitStack()
        if self._vectors_of:
            self._opened.callback(self._vectors_of.close)
        copy_of = update_of.build_dir / RECORDS_FILE if update_of else None
        self._records = RecordStore.create(build_dir / RECORDS_FILE, copy_of)
        self._opened.callback(self._records.close)
        self.intake = Intake(build_dir, self._records)
        self._opened.callback(self.intake.close)
        self._outdated_count = 0  # records of the earlier build that are gone or have changed
        self._dead_chunks = 0
        self._embedded = 0

    def close(self) -> None:
        """Release files and connections."""
        self._opened.close()

    def has_changes(self) -> bool:
        """Whether this differs from the build that it updates; True without one."""
        if self._earlier is None:
            return True
        self._outdated_count, written_count = self._records.compare(self._earlier.build_dir / RECORDS_FILE)
        return bool(self._outdated_count or written_count or self.intake.tally.rejected_count)

    def embed_and_write(self) -> None:
        """Embed new text, and write the lexical index, abbreviations and vectors of the records taken in."""
        self.intake.close()
        self._progress("loading the embedding model", 0, None)
        self._embedder = load_embedder(self._settings.embedder)
        vectors_of = self._vectors_of if self._vectors_of and self._vectors_of.fits(self._embedder) else None
        base = self._choose_base(vectors_of)
        collection = collection_name(self._build_dir.name)
        copy_of = base.build_dir if base else None
        self._stores = Stores.create(self._build_dir, collection, self._settings.chroma_url, copy_of)
        self._opened.callback(self._stores.close)
        if base:
            self._dead_chunks = base.manifest.dead_chunks + self._delete_outdated(base)
        records = self._records.written() if base else iter(self._records)
        total, done = self._records.count_chunks(only_written=base is not None), 0

        def report(count: int) -> None:
            nonlocal done
            done += count
            self._progress("embedding chunks", done, total)

        for step, vectors in self._embed_steps(plan_steps(records, vectors_of), self._embedder, report):
            self._stores.add(step, vectors)
            self._embedded += len(step.texts)

    def _choose_base(self, fitting: EarlierBuild | None) -> EarlierBuild | None:
        """The build to copy the stores of, if updating copies is better than starting with empty ones."""
        if self._earlier is None or fitting is None or fitting.manifest.chroma_url or self._settings.chroma_url:
            return None
        earlier = self._earlier.manifest
        dead_share = earlier.dead_chunks / earlier.chunk_count + self._outdated_count / earlier.record_count
        return self._earlier if dead_share <= MAX_DEAD_SHARE else None

    def _delete_outdated(self, base: EarlierBuild) -> int:
        """Delete changed and removed records from the copied stores; the number of their chunks."""
        count = 0
        outdated = (found for name in self._records.outdated() if (found := base.records.get(name)))
        while group := list(islice(outdated, RECORDS_A_DELETION)):
            self._stores.delete(group)
            count += sum(len(chunks) for _, chunks in group)
        return count

    def verify(self) -> None:
        """Compare the number of entries in each store, and search for a sample of chunks by their own vectors.

        Raises:
            BuildFailedError: entries are missing, or too few of the chunks are found.
        """
        records, chunks, stores = len(self._records), self._records.count_chunks(), self._stores
        counts = (len(stores.lexical), records), (len(stores.chunk_vectors), records), (len(stores.vectors), chunks)
        problems = [f"{found} entries where {expected} were written" for found, expected in counts if found != expected]
        if problem := problems[0] if problems else check_self_recall(self._records, stores.vectors):
            remedy = "build again; the index in use is unchanged"
            raise BuildFailedError(f"the build did not verify: {problem}", remedy=remedy)

    def publish(self, origin: Origin) -> None:
        """Sync all files, write the manifest, and make this the live build. Nothing can be written afterwards."""
        origin = origin.added_to(self._earlier.manifest if self._earlier else None, self._records)
        manifest = Manifest(
            build_id=self._build_dir.name,
            created_at=datetime.now(UTC),
            record_count=len(self._records),
            chunk_count=self._records.count_chunks(),
            rejected_count=self.intake.tally.rejected_count,
            digest_count=self._records.count_digests(),
            dead_chunks=self._dead_chunks,
            embedder=self._embedder.identity,
            window_chars=WINDOW_CHARS,
            collection=collection_name(self._build_dir.name),
            chroma_url=self._settings.chroma_url,
            sources=tuple(origin.sources),
            columns=dict(origin.columns),
            removed=tuple(origin.removed),
            versions={name: version(name) for name in ("casecite", "chromadb", "sentence-transformers", "tantivy")},
        )
        self.close()
        if not self._settings.chroma_url:
            seal_vectors(self._build_dir / "vectors")
        files = seal_files(self._build_dir)
        self._layout.publish(self._build_dir, manifest.model_copy(update={"files": files}))

    def report(self, live: Manifest, seconds: float) -> BuildReport:
        """What became of the input, and how large the live build is now."""
        tally, build_dir = self.intake.tally, self._build_dir.with_name(live.build_id)
        return BuildReport(
            build_id=live.build_id,
            index_dir=str(self._settings.index_dir),
            record_count=live.record_count,
            chunk_count=live.chunk_count,
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


def check_self_recall(records: RecordStore, vectors: VectorStore) -> str | None:
    """What is wrong with the search for a sample of chunks by their own vectors, if anything."""
    sample = [chunks[0].chunk_id for _, chunks in records.sample(SELF_RECALL_SAMPLE)]
    stored = vectors.vectors(sample).values()
    found = sum(similarity >= SAME_VECTOR for vector in stored for _, similarity in vectors.query(vector, 1))
    return None if found >= MIN_SELF_RECALL * len(sample) else f"of {len(sample)} chunks {found} find themselves"
