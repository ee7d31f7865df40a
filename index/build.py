"""Records to a finished build: read, index, embed, verify, publish."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from index.abbreviations import AbbreviationStore
from index.chunking import WINDOW_CHARS, chunk_record, embedding_text
from index.embedding import Embedder, Vectors, load_embedder
from index.errors import BuildFailedError, CaseciteError, NoIndexError, WrongUseError
from index.formats import FORMAT_NAMES
from index.layout import REJECTED_FILE, IndexLayout
from index.lexical import LexicalIndex
from index.manifest import Manifest, read_manifest
from index.record_store import RecordStore
from index.records import read_records
from index.search import OpenBuild, open_build
from index.settings import IndexSettings, index_settings
from index.store import VectorStore
from index.types import BuildReport, Chunk, Record, Rejection

Mode = Literal["rebuild", "update"]
Progress = Callable[[str, int, int | None], None]
"""Called with the step, how much of it is done, and of how much (None where that is not known)."""

# Texts are sorted by length over this many chunks before they are batched: padding is small, memory stays bounded.
CHUNKS_A_STEP = 1_024
CHUNKS_A_REPORT = 32  # a second or so of embedding between two calls of `progress`; a multiple of the batch size
SELF_RECALL_SAMPLE = 50
# Nearest neighbours are approximate: one in a hundred stores of near duplicates misses a chunk
# (`benchmarks/count_unreachable.py`).
MIN_SELF_RECALL = 0.95
SAME_VECTOR = 0.999
FULL_DISK_BYTES = 2_000_000


def build_index(
    paths: Sequence[str | Path],
    index_dir: str | Path | None = None,
    mode: Mode = "rebuild",
    progress: Progress | None = None,
) -> BuildReport:
    """Build an index from files, folders and `-` (standard input), and make it the one that answers.

    `rebuild` holds the records of `paths` alone; `update` adds them to those of the live index, where a record of the
    same id is replaced, and embeds only text that changed. Until the new build is complete and verified the old one
    answers; if anything fails it goes on doing so.

    Raises:
        WrongUseError: a path does not exist, nothing in them is a record, or the folder cannot be written.
        NoIndexError: `update` without an index.
        BuildRunningError: another process is writing the index.
        BuildFailedError: the disk is full, or the finished build did not verify.
    """
    if mode not in ("rebuild", "update"):
        raise WrongUseError(f"no build mode {mode!r}", remedy="use 'rebuild' or 'update'")
    settings = index_settings(index_dir)
    layout = IndexLayout(settings.index_dir)
    started = time.monotonic()
    with layout.writing():
        previous = open_build(layout.current_build(), settings) if mode == "update" else None
        build_dir = layout.start_build()
        with _giving_up_on_failure(build_dir):
            run = _Run(build_dir, settings, previous, progress or _no_progress)
            manifest = run.build(paths)
            layout.publish(build_dir, manifest)
        for folder in layout.superseded_builds():
            _remove_build(folder)
    return run.tally.report(manifest, settings.index_dir, time.monotonic() - started)


@contextmanager
def _giving_up_on_failure(build_dir: Path) -> Iterator[None]:
    """Remove the build if it fails or is interrupted, and say why in words."""
    try:
        yield
    except BaseException as error:
        free_bytes = shutil.disk_usage(build_dir).free
        _remove_build(build_dir)
        if isinstance(error, CaseciteError) or not isinstance(error, Exception):
            raise
        unchanged = "the index in use is unchanged"
        if free_bytes < FULL_DISK_BYTES:
            raise BuildFailedError(
                f"the disk that holds {build_dir.parent} is full; {unchanged}",
                remedy="free some space, or choose another --index folder, and build again",
            ) from error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BuildFailedError(f"the build failed: {reason}; {unchanged}", remedy="build again") from error


def _remove_build(build_dir: Path) -> None:
    """Remove a build's files, and its collection where that is on a server."""
    with suppress(NoIndexError):
        manifest = read_manifest(build_dir)
        if manifest.chroma_url:
            vectors = VectorStore.open(build_dir, manifest.collection, manifest.chroma_url)
            vectors.drop()
            vectors.close()
    shutil.rmtree(build_dir, ignore_errors=True)


def _no_progress(step: str, done: int, total: int | None) -> None:
    pass


@dataclass(slots=True)
class _Tally:
    """What became of the input so far; `seen` holds a hash of each record that came, by id."""

    seen: dict[str, int] = field(default_factory=dict)
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    duplicates: int = 0
    replaced: int = 0
    embedded: int = 0
    rejected: list[Rejection] = field(default_factory=list)

    def report(self, manifest: Manifest, index_dir: Path, seconds: float) -> BuildReport:
        """The tally as the user gets it."""
        return BuildReport(
            build_id=manifest.build_id,
            index_dir=str(index_dir),
            record_count=manifest.record_count,
            chunk_count=manifest.chunk_count,
            added=self.added,
            changed=self.changed,
            unchanged=self.unchanged,
            duplicates=self.duplicates,
            replaced=self.replaced,
            embedded=self.embedded,
            rejected=tuple(self.rejected),
            rejected_path=str(IndexLayout(index_dir).builds_dir / manifest.build_id / REJECTED_FILE),
            seconds=round(seconds, 3),
        )


class _Run:
    """One build: the folder it fills, the build it starts from, and what it has seen."""

    def __init__(
        self, build_dir: Path, settings: IndexSettings, previous: OpenBuild | None, progress: Progress
    ) -> None:
        self.tally = _Tally()
        self._build_dir = build_dir
        self._settings = settings
        self._previous = previous
        self._progress = progress
        self._records = RecordStore.create(build_dir / "records.sqlite")
        self._chunk_count = 0  # of those that are in the build
        self._total_chunks = 0

    def build(self, paths: Sequence[str | Path]) -> Manifest:
        """Read, index, embed and verify; the build is complete but for its manifest, which is returned."""
        try:
            self._read(paths)
            self._progress("loading the embedding model", 0, None)
            embedder = load_embedder(self._settings.embedder)
            self._index(embedder)
            return self._manifest(paths, embedder)
        finally:
            self._records.close()

    def _read(self, paths: Sequence[str | Path]) -> None:
        for record, chunks in self._previous.iter_records() if self._previous else ():
            self._records.put(record, chunks)
        with (self._build_dir / REJECTED_FILE).open("w", encoding="utf-8") as rejected:
            for count, item in enumerate(read_records(paths), start=1):
                if isinstance(item, Record):
                    self._take(item)
                else:
                    self.tally.rejected.append(item)
                    rejected.write(json.dumps(item.to_dict(), ensure_ascii=False) + "\n")
                self._progress("reading records", count, None)
        self._records.commit()
        if not len(self._records):
            raise _nothing_to_build(paths, self.tally.rejected)

    def _take(self, record: Record) -> None:
        tally, fingerprint = self.tally, hash(record)
        if (known := tally.seen.get(record.record_id)) == fingerprint:
            tally.duplicates += 1
            return
        tally.seen[record.record_id] = fingerprint
        before = self._previous.get_record(record.record_id) if self._previous else None
        if known is not None:
            tally.replaced += 1
        elif before is None:
            tally.added += 1
        elif before == record:
            tally.unchanged += 1
            return
        else:
            tally.changed += 1
        self._records.put(record, chunk_record(record))

    def _index(self, embedder: Embedder) -> None:
        lexical = LexicalIndex.create(self._build_dir / "lexical")
        abbreviations = AbbreviationStore.create(self._build_dir / "abbreviations.sqlite")
        vectors = VectorStore.create(self._build_dir / "vectors", self._collection, self._settings.chroma_url)
        try:
            self._total_chunks = self._records.count_chunks()
            for step in _steps(self._records):
                records = [record for record, _ in step]
                lexical.add(records)
                abbreviations.add(records)
                self._embed(step, embedder, vectors)
            self._verify(lexical, vectors)
        except BaseException:
            if self._settings.chroma_url:
                vectors.drop()
            raise
        finally:
            vectors.close()
            abbreviations.close()

    def _embed(self, step: Sequence[tuple[Record, list[Chunk]]], embedder: Embedder, vectors: VectorStore) -> None:
        carried = self._carried_vectors(step, embedder)
        pairs = [(record, chunk) for record, chunks in step for chunk in chunks]
        new = {
            chunk.chunk_id: embedding_text(record, chunk) for record, chunk in pairs if chunk.chunk_id not in carried
        }
        by_id = carried | self._computed_vectors(new, embedder, self._chunk_count + len(carried))
        records, chunks = [record for record, _ in pairs], [chunk for _, chunk in pairs]
        vectors.add(records, chunks, np.stack([by_id[chunk.chunk_id] for chunk in chunks]))
        self.tally.embedded += len(new)
        self._chunk_count += len(pairs)
        self._report_embedding(self._chunk_count)

    def _computed_vectors(self, texts: Mapping[str, str], embedder: Embedder, done: int) -> dict[str, Vectors]:
        """The vectors of texts by id; the longest first, so that those of like length are batched together."""
        ids = sorted(texts, key=lambda chunk_id: -len(texts[chunk_id]))
        found: dict[str, Vectors] = {}
        for start in range(0, len(ids), CHUNKS_A_REPORT):
            self._report_embedding(done + start)
            part = ids[start : start + CHUNKS_A_REPORT]
            vectors = embedder.embed_documents([texts[chunk_id] for chunk_id in part])
            found.update(zip(part, vectors, strict=True))
        return found

    def _report_embedding(self, done: int) -> None:
        self._progress("embedding chunks", done, self._total_chunks)

    def _carried_vectors(self, step: Iterable[tuple[Record, list[Chunk]]], embedder: Embedder) -> dict[str, Vectors]:
        """The vectors of chunks whose text is as it was in the build before, made by the same model and chunking."""
        if self._previous is None:
            return {}
        then = self._previous.manifest
        if then.embedder != embedder.identity or then.window_chars != WINDOW_CHARS:
            return {}
        kept = []
        for record, chunks in step:
            before = self._previous.get_record(record.record_id)
            if before is not None and before.content_hash == record.content_hash:
                kept += [chunk.chunk_id for chunk in chunks]
        return self._previous.chunk_vectors(kept)

    def _verify(self, lexical: LexicalIndex, vectors: VectorStore) -> None:
        """Compare the three stores' counts, and look how many of a sample of chunks find themselves."""
        counts = (len(self._records), len(lexical)), (self._chunk_count, len(vectors))
        for expected, found in counts:
            if expected != found:
                raise BuildFailedError(
                    f"the build did not verify: {found} entries where {expected} were written",
                    remedy="build again; the index in use is unchanged",
                )
        stride = max(1, len(self._records) // SELF_RECALL_SAMPLE)
        sample = [chunks[0].chunk_id for _, chunks in islice(self._records, 0, None, stride)]
        stored = vectors.vectors(sample).values()
        found = sum(similarity >= SAME_VECTOR for vector in stored for _, similarity in vectors.query(vector, 1))
        if found < MIN_SELF_RECALL * len(sample):
            raise BuildFailedError(
                f"the build did not verify: of {len(sample)} chunks {found} find themselves",
                remedy="build again; the index in use is unchanged",
            )

    def _manifest(self, paths: Sequence[str | Path], embedder: Embedder) -> Manifest:
        return Manifest(
            build_id=self._build_dir.name,
            created_at=datetime.now(UTC),
            record_count=len(self._records),
            chunk_count=self._chunk_count,
            rejected_count=len(self.tally.rejected),
            digest_count=sum(record.is_digest for record, _ in self._records),
            embedder=embedder.identity,
            window_chars=WINDOW_CHARS,
            collection=self._collection,
            chroma_url=self._settings.chroma_url,
            sources=self._sources(paths),
            versions={name: version(name) for name in ("casecite", "chromadb", "sentence-transformers", "tantivy")},
        )

    def _sources(self, paths: Sequence[str | Path]) -> tuple[str, ...]:
        before = self._previous.manifest.sources if self._previous else ()
        return tuple(dict.fromkeys([*before, *map(str, paths)]))

    @property
    def _collection(self) -> str:
        return f"casecite-{self._build_dir.name}"


def _steps(records: Iterable[tuple[Record, list[Chunk]]]) -> Iterator[list[tuple[Record, list[Chunk]]]]:
    """The records in groups of at least CHUNKS_A_STEP chunks (but for the last)."""
    step: list[tuple[Record, list[Chunk]]] = []
    size = 0
    for record, chunks in records:
        step.append((record, chunks))
        size += len(chunks)
        if size >= CHUNKS_A_STEP:
            yield step
            step, size = [], 0
    if step:
        yield step


def _nothing_to_build(paths: Sequence[str | Path], rejected: Sequence[Rejection]) -> WrongUseError:
    names = ", ".join(map(str, paths)) or "the given paths"
    if not rejected:
        return WrongUseError(f"there are no files in {names}", remedy="give files or folders with records")
    first = rejected[0]
    where = f"{first.file}, line {first.line}" if first.line else first.file
    field_name = f"{first.field}: " if first.field else ""
    return WrongUseError(
        f"none of the {len(rejected)} pieces of {names} is a record; the first, {where}: {field_name}{first.reason}",
        remedy=f"give files or folders with records ({FORMAT_NAMES}; or .gz of these)",
    )
