"""Vectors in the files of a build and on a Chroma server: what holds for both, and what a server brings with it."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest

from assistant import Assistant
from index import DEMO_RECORDS, Filters, Record, build_index, open_index, remove_records
from index.errors import NoIndexError
from index.search.ranking import RETRY_S
from index.search.search import Index
from index.storage.layout import IndexLayout
from index.storage.lexical_index import LexicalIndex
from index.storage.vector_store import VectorStore, drop_collection
from index.types import Chunk
from tests.support.chroma_server import ChromaServer, run_chroma_server
from tests.support.crash_workers import PROCESSES, own_settings, take_settings

AXES = np.eye(4, dtype=np.float32)
NONSENSE = [
    httpx.Response(status, content=body, request=httpx.Request("POST", "http://127.0.0.1"))
    for status, body in (
        (200, b"<html>Welcome</html>"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"ids": [["pmid:9#0"]], "distances": [[0.1]]}'),
        (200, b'{"ids": [["doi:10.5555/one#0"]], "distances": [[]]}'),
        (200, b'{"ids": [[]], "distances": [[]]}'),
        (200, b'{"ids": [[7]], "distances": [["near"]]}'),
        (200, b"\xff\xfe"),
        (500, b'{"error": "InternalError", "message": "disk"}'),
        (401, b""),
    )
]
QUESTION = "How long after quince cider did the rash begin?"


@pytest.fixture(scope="module")
def chroma_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaServer]:
    with run_chroma_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(params=["embedded", "server"])
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Where vectors are kept, by the setting too."""
    if request.param == "embedded":
        return None
    address: str = request.getfixturevalue("chroma_server").url
    monkeypatch.setenv("CASECITE_CHROMA_URL", address)
    return address


class Place(NamedTuple):
    """Where one collection is."""

    path: Path
    name: str
    url: str | None


@pytest.fixture
def place(tmp_path: Path, url: str | None) -> Place:
    return Place(tmp_path / "vectors", f"casecite-{tmp_path.name}-{os.urandom(3).hex()}", url)


@pytest.fixture
def store(place: Place) -> Iterator[VectorStore]:
    store = VectorStore.create(*place)
    yield store
    store.close()


def make_record(number: int, **fields: Any) -> Record:
    return Record(record_id=f"pmid:{number}", abstract="A cold foot.", content_hash="0", **fields)


def add(store: VectorStore, vectors: Sequence[Any], records: Sequence[Record] | None = None) -> None:
    """One chunk for each vector, `pmid:0#0` and so on."""
    records = records or [make_record(number) for number in range(len(vectors))]
    chunks = [
        Chunk(record_id=record.record_id, ordinal=0, section=None, start=0, end=12, text="A cold foot.")
        for record in records
    ]
    store.add(records, chunks, np.asarray(vectors, dtype=np.float32))


class TestVectorStore:
    """What every store does."""

    def test_the_nearest_come_first_with_their_cosines_and_ties_in_the_order_of_ids(self, store: VectorStore) -> None:
        between = (AXES[0] + AXES[1]) / np.sqrt(np.float32(2))
        add(store, [AXES[1], AXES[1], between, AXES[0]])
        found = store.query(AXES[0], 4)
        assert [chunk_id for chunk_id, _ in found] == ["pmid:3#0", "pmid:2#0", "pmid:0#0", "pmid:1#0"]
        assert [similarity for _, similarity in found] == pytest.approx([1, 0.5**0.5, 0, 0], abs=1e-6)

    def test_no_more_come_than_are_asked_for_or_are_there(self, store: VectorStore) -> None:
        assert store.query(AXES[0], 3) == []
        add(store, AXES)
        assert len(store.query(AXES[0], 3)) == 3
        assert len(store.query(AXES[0], 100)) == 4

    def test_vectors_come_back(self, store: VectorStore) -> None:
        """But for the last bit: Chroma brings them to unit length once more."""
        vectors = np.random.default_rng(1).normal(size=(50, 384)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        add(store, vectors)
        found = store.vectors([*(f"pmid:{number}#0" for number in range(50)), "pmid:50#0"])
        assert list(found) == [f"pmid:{number}#0" for number in range(50)]
        assert np.stack(list(found.values())) == pytest.approx(vectors, abs=1e-7)

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            pytest.param(Filters(year_from=2000), {1, 2}, id="from, and a record without a year"),
            pytest.param(Filters(year_from=1990, year_to=2000), {0, 1}, id="from and to"),
            pytest.param(Filters(journals=("LANCET", "bmj")), {0, 1}, id="journals"),
            pytest.param(Filters(publication_types=("letter",)), {1}, id="one type of several"),
            pytest.param(Filters(publication_types=("Letter", "review")), {1, 2}, id="types"),
            pytest.param(Filters(open_access=True), {0}, id="free"),
            pytest.param(Filters(open_access=False), {1}, id="not free, and records that do not say"),
            pytest.param(Filters(journals=("BMJ",), open_access=True), set(), id="all clauses"),
        ],
    )
    def test_filters_mean_the_same_for_both_searches_and_for_a_record(
        self, store: VectorStore, tmp_path: Path, filters: Filters, expected: set[int]
    ) -> None:
        records = [
            make_record(0, year=1990, journal="Lancet", is_open_access=True),
            make_record(
                1, year=2000, journal="BMJ", publication_types=("Case Reports", "Letter"), is_open_access=False
            ),
            make_record(2, year=2010, publication_types=("Review",)),
            make_record(3),
        ]
        add(store, AXES, records)
        lexical = LexicalIndex.create(tmp_path / "lexical")
        lexical.add(records)
        names = {f"pmid:{number}" for number in expected}
        assert {chunk_id for chunk_id, _ in store.query(AXES[0], 4, filters)} == {f"{name}#0" for name in names}
        assert {name for name, _ in lexical.search({"cold": 1.0}, 4, filters)} == names
        assert {record.record_id for record in records if filters.admits(record)} == names

    def test_what_is_deleted_is_gone_and_what_was_never_there_is_no_fault(self, store: VectorStore) -> None:
        add(store, AXES)
        store.delete(["pmid:0#0", "pmid:2#0", "pmid:99#0"])
        assert len(store) == 2
        assert {chunk_id for chunk_id, _ in store.query(AXES[0], 4)} == {"pmid:1#0", "pmid:3#0"}
        assert store.vectors(["pmid:0#0", "pmid:1#0"]).keys() == {"pmid:1#0"}

    def test_more_than_one_batch_is_added_read_and_deleted(self, store: VectorStore) -> None:
        count = 5_462  # one more than Chroma takes at once
        add(store, np.tile(AXES, (count // 4 + 1, 1))[:count])
        ids = [f"pmid:{number}#0" for number in range(count)]
        assert len(store) == len(store.vectors(ids)) == count
        store.delete(ids)
        assert len(store) == 0

    def test_a_closed_store_opens_again_as_it_was(self, store: VectorStore, place: Place) -> None:
        add(store, AXES)
        before = store.query(AXES[2], 4)
        store.close()
        store.close()
        again = VectorStore.open(*place)
        assert len(again) == 4
        assert again.query(AXES[2], 4) == before
        again.close()

    def test_what_is_not_there_is_named(self, store: VectorStore, place: Place) -> None:
        where = place.url or str(place.path)
        with pytest.raises(NoIndexError, match=rf"the vectors casecite-other are not in {where}.*casecite index build"):
            VectorStore.open(place.path, "casecite-other", place.url)


CASE = {
    "doi": "10.5555/one",
    "title": "A rash after drinking quince cider",
    "abstract": "A baker of 41 years had a rash. It began 3 hours after 200 ml of quince cider and went after 2 days.",
    "year": 2001,
}
OTHER = {
    "pmid": "77",
    "abstract": "A diver of 29 years lost the hearing of her left ear at 18 m. Prednisolone 60 mg brought it back.",
    "journal": "Journal of Invented Cases",
    "year": 2011,
}
CORRECTED = OTHER | {
    "abstract": "A diver of 29 years lost the hearing of her right ear at 30 m. Prednisolone 60 mg did not help at all."
}


def write_records(path: Path, *records: object) -> Path:
    path.write_text("\n".join(map(json.dumps, records)), "utf-8")
    return path


@pytest.mark.usefixtures("url")
def test_an_update_adds_changes_and_removes_wherever_the_vectors_are(tmp_path: Path) -> None:
    index_dir = tmp_path / "index"
    build_index([write_records(tmp_path / "1.jsonl", CASE, OTHER)], index_dir)
    index = open_index(index_dir)
    new = {"pmid": "78", "abstract": "A tailor of 60 years fainted in a hot room and broke a wrist."}
    report = build_index([write_records(tmp_path / "2.jsonl", CORRECTED, new)], index_dir, mode="update")
    assert (report.added, report.changed, report.embedded) == (1, 1, 2)
    (corrected, *_) = index.search("hearing loss of a diver")
    assert "30 m" in corrected.record.abstract
    remove_records(["10.5555/one"], index_dir)
    assert {passage.record.record_id for passage in index.search("rash after cider")} == {"pmid:77", "pmid:78"}


def build_ids(index_dir: Path) -> set[str]:
    return {folder.name for folder in (index_dir / "builds").iterdir()}


def build_and_die(source: Path, index_dir: Path, settings: dict[str, str]) -> None:
    """A process that is killed while it embeds."""

    def die(step: str, done: int, total: int | None) -> None:
        if step == "embedding chunks":
            os.kill(os.getpid(), signal.SIGKILL)

    take_settings(settings)
    build_index([source], index_dir, progress=die)


def update(source: Path, index_dir: Path, settings: dict[str, str]) -> None:
    """A process that waits for its turn to write."""
    take_settings(settings)
    build_index([source], index_dir, mode="update", wait=True)


def ask(index_dir: Path, settings: dict[str, str], asked: Any, is_over: Any, answers: Any) -> None:
    """A process that answers; it sends what it answered, and from which build."""
    take_settings(settings)
    found = []
    with Assistant.open(index_dir) as assistant:
        while not found or not is_over.is_set() or found[-1][1] != IndexLayout(index_dir).current_build().name:
            answer = assistant.ask(QUESTION)
            found.append((answer.text, answer.index_id))
            asked.set()
    answers.put(found)


def assert_found_by_words(index: Index, reason: str) -> None:
    found = index.current().find("rash after cider")
    assert [(passage.record.doi, passage.stage) for passage in found.passages] == [("10.5555/one", "lexical")]
    assert re.search(rf"vector search failed \(.*{re.escape(reason)}.*\); keyword search only$", found.warnings[0])


class TestServer:
    """What only a server brings with it."""

    @pytest.fixture(autouse=True)
    def _address(self, chroma_server: ChromaServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CASECITE_CHROMA_URL", chroma_server.url)

    @pytest.fixture
    def index_dir(self, tmp_path: Path, own_collections: Callable[[], set[str]]) -> Path:
        """An index of one record."""
        build_index([write_records(tmp_path / "first.jsonl", CASE)], tmp_path / "index")
        return tmp_path / "index"

    @pytest.fixture
    def own_collections(self, chroma_server: ChromaServer) -> Callable[[], set[str]]:
        """The builds whose collections came to the server since the test began."""
        before = chroma_server.collections()
        return lambda: {name.removeprefix("casecite-") for name in chroma_server.collections() - before}

    def test_searches_find_the_same_as_on_the_disk(self, tmp_path: Path, demo_index_dir: Path) -> None:
        build_index([DEMO_RECORDS], tmp_path)
        here, demo = open_index(tmp_path), open_index(demo_index_dir)
        for query in ("bone density gain with romosozumab", "overdose in a child", "kidney failure"):
            for filters in (None, Filters(year_from=2012, year_to=2019)):
                found = here.search(query, 10, filters)
                expected = demo.search(query, 10, filters)
                assert [passage.chunk for passage in found] == [passage.chunk for passage in expected]
                assert [passage.score for passage in found] == pytest.approx([passage.score for passage in expected])

    def test_collections_of_removed_builds_are_removed(
        self, tmp_path: Path, own_collections: Callable[[], set[str]]
    ) -> None:
        for _ in range(3):
            build_index([write_records(tmp_path / "in.jsonl", CASE, OTHER)], tmp_path / "index")
        assert len(own_collections()) == 2
        assert own_collections() == build_ids(tmp_path / "index")

    def test_the_next_build_removes_what_a_killed_one_left_on_the_server(
        self, tmp_path: Path, index_dir: Path, own_collections: Callable[[], set[str]]
    ) -> None:
        killed = PROCESSES.Process(target=build_and_die, args=(tmp_path / "first.jsonl", index_dir, own_settings()))
        killed.start()
        killed.join(60)
        assert killed.exitcode == -signal.SIGKILL
        assert len(own_collections()) == 2
        build_index([tmp_path / "first.jsonl"], index_dir)
        assert own_collections() == build_ids(index_dir)

    def test_two_processes_answer_while_four_wait_for_their_turn_to_write(
        self, tmp_path: Path, index_dir: Path, own_collections: Callable[[], set[str]]
    ) -> None:
        settings, is_over, answers = own_settings(), PROCESSES.Event(), PROCESSES.Queue()
        asked = [PROCESSES.Event(), PROCESSES.Event()]
        readers = [PROCESSES.Process(target=ask, args=(index_dir, settings, each, is_over, answers)) for each in asked]
        sources = [write_records(tmp_path / f"{n}.jsonl", OTHER | {"pmid": str(n)}) for n in range(1, 5)]
        writers = [PROCESSES.Process(target=update, args=(source, index_dir, settings)) for source in sources]
        for process in readers:
            process.start()
        assert all(each.wait(60) for each in asked)
        for process in writers:
            process.start()
        for process in writers:
            process.join(60)
        is_over.set()
        found = [answers.get(timeout=60) for _ in readers]
        for process in readers:
            process.join(60)
        assert [process.exitcode for process in (*writers, *readers)] == [0] * 6
        assert open_index(index_dir).manifest.record_count == 5
        assert {text for answers in found for text, _ in answers} == {found[0][0][0]}
        assert "3 hours" in found[0][0][0]
        assert own_collections() == build_ids(index_dir)

    @pytest.mark.fault(
        part="Chroma server",
        tried="it goes down while an update runs and while questions are asked, and comes back",
        happens="keyword search only, with a warning; the update fails in words, nothing is lost",
    )
    def test_a_server_that_goes_down_is_done_without_and_asked_again_when_it_is_back(
        self,
        tmp_path: Path,
        index_dir: Path,
        chroma_server: ChromaServer,
        own_collections: Callable[[], set[str]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def take_down(step: str, done: int, total: int | None) -> None:
            if step == "embedding chunks":
                chroma_server.stop()

        index = open_index(index_dir)
        source = write_records(tmp_path / "second.jsonl", OTHER)
        down = rf"no Chroma server answers at {chroma_server.url} \(start it \(chroma run"
        try:
            with pytest.raises(NoIndexError, match=down):
                build_index([source], index_dir, mode="update", progress=take_down)
            assert_found_by_words(index, f"no Chroma server answers at {chroma_server.url}")
            with pytest.raises(NoIndexError, match=down):
                open_index(index_dir)
        finally:
            chroma_server.start()
        assert_found_by_words(index, "no Chroma server answers")  # it is not asked again at once
        monkeypatch.setattr("index.search.ranking.time.monotonic", lambda: time.monotonic_ns() / 1e9 + RETRY_S)
        assert index.current().find("rash after cider").warnings == ()
        assert [passage.stage for passage in index.search("rash after cider")] == ["hybrid"]
        assert build_index([source], index_dir, mode="update").record_count == 2
        assert own_collections() == build_ids(index_dir), "what could not be removed then is removed now"

    @pytest.mark.fault(
        part="Chroma server",
        tried="it takes connections and says nothing",
        happens="one question in half a minute waits 10 s for it; keyword search only, with a warning",
    )
    def test_a_server_that_hangs_is_waited_for_once(
        self, index_dir: Path, chroma_server: ChromaServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("index.storage.vector_store.QUESTION_TIMEOUT_S", 0.5)
        index = open_index(index_dir)
        chroma_server.send_signal(signal.SIGSTOP)
        try:
            assert_found_by_words(index, "no Chroma server answers")
            monkeypatch.setattr(VectorStore, "query", lambda *_: pytest.fail("it was asked again"))
            assert_found_by_words(index, "no Chroma server answers")
            with pytest.raises(NoIndexError, match="no Chroma server answers"):
                open_index(index_dir)
        finally:
            chroma_server.send_signal(signal.SIGCONT)

    @pytest.mark.fault(
        part="Chroma server",
        tried="something else answers in its place: web pages, other JSON, chunks that are not in the index, errors",
        happens="keyword search only, with a warning",
    )
    def test_a_server_that_answers_nonsense_is_not_believed(
        self, index_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for answer in NONSENSE:
            index = open_index(index_dir)
            session = index.current()._files.dense._client._server._session
            monkeypatch.setattr(session, "request", lambda *_, answer=answer, **__: answer)
            assert_found_by_words(index, "")

    def test_connections_are_closed(self, index_dir: Path, chroma_server: ChromaServer) -> None:
        gc.collect()
        before = chroma_server.connections()
        index = open_index(index_dir)
        index.search("rash after cider")
        assert chroma_server.connections() > before
        index.close()
        gc.collect()
        assert chroma_server.connections() == before

    @pytest.mark.fault(
        part="Chroma server",
        tried="the collection is deleted from it",
        happens="keyword search only, with a warning; an assistant that starts says what is missing",
    )
    def test_a_collection_that_was_removed_by_hand_is_missed(
        self, index_dir: Path, chroma_server: ChromaServer
    ) -> None:
        index = open_index(index_dir)
        assert drop_collection(index.manifest.collection, chroma_server.url)
        assert_found_by_words(index, f"the vectors are no longer in {chroma_server.url}")
        with pytest.raises(NoIndexError, match=rf"the vectors {index.manifest.collection} are not in"):
            open_index(index_dir)
