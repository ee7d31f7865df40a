"""Embedding with Ray: on two real workers, of which one is killed, and on clusters that cannot do it."""

from __future__ import annotations

import os
import platform
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from index import DEMO_RECORDS, Record, build_index, open_index, read_records, remove_records
from index.building import indexing
from index.building.distributed import embed_with_ray
from index.building.indexing import plan_steps
from index.embedding.embedder import Embedder, Vectors, load_embedder
from index.errors import BuildFailedError, WrongUseError
from index.ingest.chunking import chunk_record
from index.search.snapshot import Snapshot
from index.storage.lexical_index import LexicalIndex
from index.storage.vector_store import VectorStore

pytestmark = pytest.mark.timeout(600)  # two workers start, each with its imports, and one of them twice

TABLES = {
    "records.sqlite": ("records", "keys"),
    "abbreviations.sqlite": ("abbreviations",),
}
# A worker embeds the same batches as a single process, but on one thread, and perhaps on another processor. With
# AVX-512 the bytes are the same for any number of threads. With AMX they are not: oneDNN may split the sum of a long
# matrix product between threads, and another order of additions changes the last bits (docs/experiments/building.md,
# "Vectors of Ray workers"). So vectors are compared by their cosine, everything else exactly.
MIN_COSINE = 0.9999


@pytest.fixture(scope="module", autouse=True)
def _token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ray reads a token once in a process, and would leave one in the user's home."""
    path = tmp_path_factory.mktemp("ray") / "token"
    path.write_text(secrets.token_hex(32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
        yield


def embedding_workers() -> list[int]:
    """The workers that Ray started for this process."""
    parents, workers = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            parents[folder.name] = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if (folder / "cmdline").read_bytes().startswith(b"ray::MapWorker(MapBatches(_StepEmbedder"):
                workers.append(folder.name)
    return [int(pid) for pid in workers if str(os.getpid()) in _ancestors(pid, parents)]


def _ancestors(pid: str, parents: dict[str, str]) -> Iterator[str]:
    while pid := parents.get(pid, ""):
        yield pid


def test_workers_make_the_same_build_though_one_of_them_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []

    def kill_one(step: str, done: int, total: int | None) -> None:
        if step == "embedding chunks" and not killed:
            killed.append(embedding_workers()[0])
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(indexing, "CHUNKS_A_STEP", 4)
    build_index([DEMO_RECORDS], tmp_path / "one")
    monkeypatch.setenv("CASECITE_RAY_ADDRESS", "local")
    report = build_index([DEMO_RECORDS], tmp_path / "ray", progress=kill_one)
    assert killed
    assert not embedding_workers(), "nothing goes on running"
    one, ray = (open_index(tmp_path / name).current() for name in ("one", "ray"))
    assert report.embedded == one.manifest.chunk_count
    assert all_rows(ray.build_dir) == all_rows(one.build_dir)
    assert_nearly_equal(ray.record_vectors(record_ids(ray)), one.record_vectors(record_ids(one)))
    assert_nearly_equal(chroma_vectors(ray), chroma_vectors(one))
    for terms in ({"romosozumab": 1.0}, {"kidnei": 1.0, "failur": 0.5}):
        found, expected = (LexicalIndex.open(build.build_dir / "lexical").search(terms, 40) for build in (ray, one))
        assert found == expected
    assert {path.name for path in ray.build_dir.iterdir()} == {path.name for path in one.build_dir.iterdir()}


def all_rows(build_dir: Path) -> dict[str, list[tuple[object, ...]]]:
    """What is in the databases of a build."""
    found = {}
    for name, tables in TABLES.items():
        with closing(sqlite3.connect(build_dir / name)) as connection:
            found |= {table: sorted(connection.execute(f"SELECT * FROM {table}")) for table in tables}
    return found


def record_ids(build: Snapshot) -> list[str]:
    return [record.record_id for record, _ in build.iter_records()]


def chroma_vectors(build: Snapshot) -> dict[str, Vectors]:
    ids = [chunk.chunk_id for _, chunks in build.iter_records() for chunk in chunks]
    with closing(VectorStore.open(build.build_dir / "vectors", build.manifest.collection)) as store:
        return {chunk_id: vector[None] for chunk_id, vector in store.vectors(ids).items()}


def assert_nearly_equal(found: dict[str, Vectors], expected: dict[str, Vectors]) -> None:
    """The same names, and unit vectors of the same shape and nearly the same direction."""
    assert found.keys() == expected.keys()
    for name, vectors in expected.items():
        assert found[name].shape == vectors.shape
        assert (found[name] * vectors).sum(axis=1).min() >= MIN_COSINE, name


@pytest.fixture
def cluster() -> Iterator[str]:
    """The address of a Ray cluster of one processor that does not belong to this process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(sys.executable).with_name("ray")
    options = ["--include-dashboard", "false", "--disable-usage-stats", "--num-cpus", "1", "--port", str(port)]
    command = [program, "start", "--head", "--block", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as head:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
        os.killpg(head.pid, signal.SIGKILL)  # asked to end, it takes half a minute


def test_a_machine_of_a_cluster_that_has_another_model_is_named(tmp_path: Path, cluster: str) -> None:
    here = load_embedder()
    other = Embedder(here.model, here.identity.model_copy(update={"digest": "0" * 64}))
    records = [record for record in read_records([DEMO_RECORDS]) if isinstance(record, Record)]
    steps = plan_steps([(record, chunk_record(record)) for record in records], None)
    with pytest.raises(BuildFailedError) as failure:
        next(embed_with_ray(cluster, tmp_path / "steps")(steps, other, lambda count: None))
    message = rf"embedding with Ray failed: the model is .*weights 53aa5117.* on {platform.node()}, here .*weights 0000"
    assert re.match(message, str(failure.value))
    assert not (tmp_path / "steps").exists()


@pytest.mark.parametrize("address", ["127.0.0.1:9", "nonsense", "ray://127.0.0.1:9"])
def test_a_cluster_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("CASECITE_RAY_ADDRESS", address)
    with pytest.raises(WrongUseError, match=rf"no Ray cluster answers at {address} \(start one \(ray start --head\)"):
        build_index([DEMO_RECORDS], tmp_path)


def test_a_cluster_is_not_asked_where_nothing_is_to_be_embedded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index([DEMO_RECORDS], tmp_path)
    monkeypatch.setenv("CASECITE_RAY_ADDRESS", "127.0.0.1:9")
    assert remove_records(["10.21037/acr-24-163"], tmp_path).record_count == 39


def test_without_ray_the_remedy_is_named_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("CASECITE_RAY_ADDRESS", "local")
    steps: list[str] = []
    with pytest.raises(WrongUseError, match=r"Ray is not installed \(pip install 'casecite\[ray\]'"):
        build_index([DEMO_RECORDS], tmp_path, progress=lambda step, done, total: steps.append(step))
    assert steps == []
