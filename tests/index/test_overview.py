"""The statistics of a library, and its rejections."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from index import Record, build_index, describe_library, open_index, read_rejections
from index.storage.record_store import RecordStore

ABSTRACT = "A glazier of 38 years lost his voice for a day."
RECORDS = [
    {"pmid": "1", "title": "One", "year": 2003, "journal": "Invented Cases", "isOpenAccess": True},
    {"pmid": "2", "year": 2001, "journal": "invented  cases", "isOpenAccess": False, "publicationTypes": ["Letter"]},
    {"pmid": "3", "title": "Three", "year": 2003, "journal": "Invented Cases", "publicationTypes": ["Case Reports"]},
    {"pmid": "4", "title": "Four", "journal": "Zebra Letters", "publicationTypes": ["Case Reports", "Letter"]},
    {"pmid": "5", "title": "Five", "year": 2001, "publicationTypes": ["Retracted Publication", "case reports"]},
    {"pmid": "6", "title": "Six", "year": 1999, "journal": "Acta Inventa", "digest": True, "retracted": True},
]


@pytest.fixture(scope="module")
def index_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    lines = [json.dumps({"abstract": f"{ABSTRACT} Case {number}."} | data) for number, data in enumerate(RECORDS)]
    source = folder / "in.jsonl"
    source.write_text("\n".join([*lines, "no json", '{"title": "no abstract"}', "no json either"]), "utf-8")
    build_index([source], folder / "index")
    return folder / "index"


def test_counts_of_a_library(index_dir: Path) -> None:
    build = open_index(index_dir).current()
    overview = describe_library(build)
    assert (overview.record_count, overview.chunk_count, overview.rejected_count) == (6, 6, 3)
    assert list(overview.years.items()) == [(1999, 1), (2001, 2), (2003, 2)]
    assert list(overview.journals.items()) == [("Invented Cases", 3), ("Acta Inventa", 1), ("Zebra Letters", 1)]
    assert list(overview.publication_types.items()) == [
        ("Case Reports", 3),
        ("Letter", 2),
        ("Retracted Publication", 1),
    ]
    access = (overview.open_access_count, overview.closed_access_count, overview.unknown_access_count)
    assert access == (1, 1, 4)
    assert (overview.retracted_count, overview.digest_count) == (2, 1)
    assert (overview.untitled_count, overview.undated_count, overview.no_journal_count) == (1, 1, 1)
    assert overview.journal_names == ["Acta Inventa", "Invented Cases", "Zebra Letters"]
    assert (overview.build_id, overview.built_at) == (build.manifest.build_id, build.manifest.created_at)
    assert [Path(source).name for source in overview.sources] == ["in.jsonl"]
    assert "all-MiniLM-L6-v2" in overview.embedder


def test_rejections_of_a_library_come_in_their_order_up_to_a_limit(index_dir: Path) -> None:
    build = open_index(index_dir).current()
    assert [(item.line, item.field) for item in read_rejections(build)] == [(7, None), (8, "abstract"), (9, None)]
    assert [item.raw for item in read_rejections(build, limit=1)] == ["no json"]


def test_a_library_without_rejections_or_journals(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps({"abstract": ABSTRACT}), "utf-8")
    build_index([source], tmp_path / "index")
    build = open_index(tmp_path / "index").current()
    overview = describe_library(build)
    assert (overview.years, overview.journals, overview.publication_types) == ({}, {}, {})
    assert (overview.untitled_count, overview.undated_count, overview.no_journal_count) == (1, 1, 1)
    assert read_rejections(build) == []


def test_fields_of_thousands_of_records_are_counted_quickly(tmp_path: Path) -> None:
    records = [
        Record(
            record_id=f"pmid:{number}",
            abstract="A rash. " * 150,
            content_hash="",
            year=1950 + number % 70,
            journal=f"Journal {number % 300}",
        )
        for number in range(8_846)
    ]
    store = RecordStore.create(tmp_path / "records.sqlite")
    for record in records:
        store.put(record, [], [])
    store.commit()
    started = time.thread_time()
    counted = Counter((year, journal) for _, year, journal in store.iter_fields("year", "journal"))
    assert time.thread_time() - started < 0.5
    assert counted == Counter((record.year, record.journal) for record in records)
    store.close()
