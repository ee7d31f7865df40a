"""Vectors in the files of a build and on a Chroma server: what holds for both, and what a server brings with it."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from index import DEMO_RECORDS, BuildReport, CaseciteError, Filters, Record, build_index, open_index, remove_records
from index.errors import NoIndexError
from index.store import VectorStore
from index.types import Chunk

from .chroma_server import ChromaServer, run_chroma_server

AXES = np.eye(4, dtype=np.float32)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChromaServer]:
    with run_chroma_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(params=["embedded", "server"])
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """Where vectors are kept, by the setting too."""
    if request.param == "embedded":
        return None
    address: str = request.getfixturevalue("server").url
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
    known = {"record_id": f"pmid:{number}", "abstract": "A cold foot.", "content_hash": "0"}
    return Record.from_dict(dict.fromkeys(Record.__dataclass_fields__) | EMPTY | known | fields)


EMPTY: dict[str, Any] = {name: [] for name in ("sections", "authors", "publication_types", "sources", "other_ids")}


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
            pytest.param(Filters(open_access=False), {1}, id="not free, and records that do not say"),
            pytest.param(Filters(journals=("BMJ",), open_access=True), set(), id="all clauses"),
        ],
    )
    def test_filters_hold(self, store: VectorStore, filters: Filters, expected: set[int]) -> None:
        records = [
            make_record(0, year=1990, journal="Lancet", is_open_access=True),
            make_record(
                1, year=2000, journal="BMJ", publication_types=["Case Reports", "Letter"], is_open_access=False
            ),
            make_record(2, year=2010, publication_types=["Review"]),
            make_record(3),
        ]
        add(store, AXES, records)
        assert {chunk_id for chunk_id, _ in store.query(AXES[0], 4, filters)} == {f"pmid:{n}#0" for n in expected}

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

    def test_a_dropped_collection_is_not_there(self, store: VectorStore, place: Place) -> None:
        add(store, AXES)
        store.drop()
        with pytest.raises(NoIndexError, match=place.name):
            VectorStore.open(*place)
