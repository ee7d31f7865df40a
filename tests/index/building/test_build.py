"""Builds: what they hold, what they report, and that a build that fails leaves the old index answering."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from filelock import FileLock

from index import DEMO_RECORDS, CaseciteError, Filters, build_index, open_index
from index.errors import BuildFailedError, BuildRunningError, IndexMismatchError, NoIndexError, WrongUseError
from index.settings import PACKAGED_EMBEDDER
from index.storage.layout import IndexLayout, write_manifest
from index.storage.manifest import read_manifest
from index.storage.vector_store import VectorStore
from tests.conftest import CASECITE

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
    "isOpenAccess": True,
    "publicationTypes": ["Case Reports", "Letter"],
}


def write_records(path: Path, *records: object) -> Path:
    path.write_text("\n".join(record if isinstance(record, str) else json.dumps(record) for record in records), "utf-8")
    return path


@pytest.fixture(autouse=True)
def _static_model(monkeypatch: pytest.MonkeyPatch, static_embedder: Path, _own_settings: None) -> None:
    monkeypatch.setenv("CASECITE_EMBEDDER", str(static_embedder))


@pytest.fixture
def index_dir(tmp_path: Path) -> Path:
    """An index of one record."""
    folder = tmp_path / "index"
    build_index([write_records(tmp_path / "first.jsonl", CASE)], folder)
    return folder


def assert_still_answers(index_dir: Path) -> None:
    (passage,) = open_index(index_dir).search("rash after cider")
    assert passage.record.doi == "10.5555/one"


def test_report_counts_what_became_of_every_input(tmp_path: Path) -> None:
    later = CASE | {"abstract": CASE["abstract"] + " It came back after a second glass."}
    source = write_records(tmp_path / "in.jsonl", CASE, CASE, OTHER, "no json", {"title": "no text"}, later)
    report = build_index([source], tmp_path / "index")
    assert (report.record_count, report.added, report.duplicates, report.merged) == (2, 2, 1, 1)
    assert [(item.line, item.field, item.reason) for item in report.rejected] == [
        (4, None, "not JSON"),
        (5, "abstract", "no text"),
    ]
    written = [json.loads(line) for line in Path(report.rejected_path).read_text("utf-8").splitlines()]
    assert written == [item.to_dict() for item in report.rejected]
    (passage, *_) = open_index(tmp_path / "index").search("second glass of cider")
    assert "second glass" in passage.record.abstract, "the later version replaces the earlier one"


def test_manifest_has_counts_model_and_versions(demo_index_dir: Path) -> None:
    manifest = read_manifest(IndexLayout(demo_index_dir).current_build())
    assert manifest.record_count == manifest.digest_count == 40
    assert manifest.embedder.name == "all-MiniLM-L6-v2"
    assert manifest.embedder.dimension == 384
    assert manifest.embedder.digest is not None
    assert manifest.versions.keys() >= {"casecite", "chromadb", "tantivy"}


def test_update_adds_changes_and_keeps_and_embeds_only_new_text(tmp_path: Path, index_dir: Path) -> None:
    changed = OTHER | {"year": 2012}
    build_index([write_records(tmp_path / "second.jsonl", OTHER)], index_dir, mode="update")
    before = open_index(index_dir).current().record_vectors(["pmid:77"])
    third = {"pmid": "78", "abstract": "A tailor of 60 years fainted in a hot room and broke a wrist."}
    report = build_index([write_records(tmp_path / "third.jsonl", CASE, changed, third)], index_dir, mode="update")
    assert (report.record_count, report.added, report.changed, report.unchanged) == (3, 1, 1, 1)
    assert report.embedded == 1, "a changed year is no new text"
    index = open_index(index_dir)
    assert np.allclose(index.current().record_vectors(["pmid:77"])["pmid:77"], before["pmid:77"], atol=1e-6)
    assert [passage.record.year for passage in index.search("a diver lost the hearing of her left ear", 1)] == [2012]
    assert {passage.record.record_id for passage in index.search("years", filters=Filters(year_from=2012))} == {
        "pmid:77"
    }


def test_update_without_an_index_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoIndexError, match=r"no index in .*casecite index build"):
        build_index([write_records(tmp_path / "in.jsonl", CASE)], tmp_path / "none", mode="update")


def test_an_open_index_serves_a_new_build_and_a_question_in_flight_ends_on_the_old_one(
    tmp_path: Path, index_dir: Path
) -> None:
    index = open_index(index_dir)
    in_flight = index.current()
    build_index([write_records(tmp_path / "second.jsonl", OTHER)], index_dir)
    assert [passage.record.record_id for passage in index.search("rash after cider")] == ["pmid:77"]
    assert [passage.record.record_id for passage in in_flight.search("rash after cider")] == ["doi:10.5555/one"]


def test_old_builds_are_removed_but_for_the_one_before(tmp_path: Path, index_dir: Path) -> None:
    source = write_records(tmp_path / "second.jsonl", OTHER)
    for _ in range(3):
        build_index([source], index_dir)
    assert len(list((index_dir / "builds").iterdir())) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("", "the file is empty", id="empty file"),
        pytest.param("hello\nworld", "none of the 2 pieces .* line 1: not JSON", id="text"),
        pytest.param('{"title": "only a title"}', "abstract: no text", id="no abstract"),
    ],
)
def test_input_without_a_record_is_refused_and_the_old_index_answers(
    tmp_path: Path, index_dir: Path, content: str, message: str
) -> None:
    source = tmp_path / "bad.jsonl"
    source.write_text(content, "utf-8")
    with pytest.raises(WrongUseError, match=message):
        build_index([source], index_dir)
    assert_still_answers(index_dir)


def test_a_missing_path_is_named_before_anything_is_built(tmp_path: Path, index_dir: Path) -> None:
    with pytest.raises(WrongUseError, match=r"no file or folder at .*nowhere\.jsonl"):
        build_index([DEMO_RECORDS, tmp_path / "nowhere.jsonl"], index_dir)
    assert_still_answers(index_dir)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(WrongUseError, match=r"there are no files in .*empty"):
        build_index([tmp_path / "empty"], tmp_path / "index")


def test_a_second_builder_is_refused_at_once(tmp_path: Path, index_dir: Path) -> None:
    with FileLock(index_dir / "write.lock"), pytest.raises(BuildRunningError, match=r"another build is writing"):
        build_index([DEMO_RECORDS], index_dir)
    assert_still_answers(index_dir)


def test_an_update_in_a_process_that_answers_disturbs_no_question(index_dir: Path) -> None:
    """Each question is answered from the records as they were before, or as they are after."""
    index = open_index(index_dir)
    found: list[str] = []
    errors: list[Exception] = []
    is_over = Event()

    def ask() -> None:
        while not is_over.is_set():
            try:
                build = index.current()
                (best, *_) = build.search("rash after cider")
                assert build.get_record(best.record.record_id) == best.record
                found.append(f"{best.record.record_id} of {build.manifest.record_count}")
            except Exception as error:
                errors.append(error)

    asking = Thread(target=ask)
    asking.start()
    try:
        build_index([DEMO_RECORDS], index_dir, mode="update")
        asked_before = len(found)
        while len(found) < asked_before + 5 and not errors:
            time.sleep(0.01)
    finally:
        is_over.set()
        asking.join()
    assert errors == []
    assert list(dict.fromkeys(found)) == ["doi:10.5555/one of 1", "doi:10.5555/one of 41"]


def test_a_second_update_in_the_same_process_is_refused_at_once(tmp_path: Path, index_dir: Path) -> None:
    refused: list[float] = []

    def start_another(step: str, done: int, total: int | None) -> None:
        started = time.monotonic()
        with pytest.raises(BuildRunningError, match=r"another build is writing"):
            build_index([DEMO_RECORDS], index_dir, mode="update")
        refused.append(time.monotonic() - started)

    build_index([write_records(tmp_path / "in.jsonl", OTHER)], index_dir, mode="update", progress=start_another)
    assert max(refused) < 10  # it would wait for ever
    assert open_index(index_dir).manifest.record_count == 2


def test_progress_moves_through_all_chunks_in_small_steps(tmp_path: Path) -> None:
    many = [
        OTHER | {"pmid": str(number), "abstract": f"{OTHER['abstract']} Case {number}."} for number in range(1, 101)
    ]
    calls: list[tuple[str, int, int | None]] = []
    build_index(
        [write_records(tmp_path / "many.jsonl", *many)], tmp_path / "index", progress=lambda *call: calls.append(call)
    )
    assert list(dict.fromkeys(step for step, _, _ in calls)) == [
        "reading records",
        "loading the embedding model",
        "embedding chunks",
    ]
    assert [done for step, done, _ in calls if step == "embedding chunks"] == [0, 32, 64, 96, 100]
    assert {total for step, _, total in calls if step == "embedding chunks"} == {100}
    calls.clear()
    build_index([tmp_path / "many.jsonl"], tmp_path / "index", mode="update", progress=lambda *call: calls.append(call))
    assert "embedding chunks" not in {step for step, _, _ in calls}, "vectors that are there are kept"


def test_a_build_that_fails_leaves_nothing_behind(
    index_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object) -> None:
        raise OSError("the cable was pulled")

    builds = sorted((index_dir / "builds").iterdir())
    monkeypatch.setattr(VectorStore, "add", fail)
    with pytest.raises(BuildFailedError, match=r"the cable was pulled; the index in use is unchanged"):
        build_index([DEMO_RECORDS], index_dir)
    assert sorted((index_dir / "builds").iterdir()) == builds
    assert_still_answers(index_dir)


def test_a_build_that_lost_vectors_is_not_published(index_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add = VectorStore.add
    monkeypatch.setattr(
        VectorStore, "add", lambda self, records, chunks, vectors: add(self, records[1:], chunks[1:], vectors[1:])
    )
    with pytest.raises(BuildFailedError, match=r"did not verify: \d+ entries where \d+ were written"):
        build_index([DEMO_RECORDS], index_dir)
    assert_still_answers(index_dir)


@pytest.mark.parametrize(("missed", "is_published"), [(1, True), (10, False)])
def test_a_build_is_published_unless_its_vectors_do_not_find_themselves(
    index_dir: Path, monkeypatch: pytest.MonkeyPatch, missed: int, *, is_published: bool
) -> None:
    query, asked = VectorStore.query, count()
    monkeypatch.setattr(VectorStore, "query", lambda *args: [] if next(asked) < missed else query(*args))
    if is_published:
        assert build_index([DEMO_RECORDS], index_dir).record_count == 40
    else:
        with pytest.raises(BuildFailedError, match="did not verify: of 40 chunks 30 find themselves"):
            build_index([DEMO_RECORDS], index_dir)
        assert_still_answers(index_dir)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB; an index of one record fits, one of forty does not."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_named_and_the_old_index_answers(small_disk: Path, tmp_path: Path) -> None:
    index_dir = small_disk / "index"
    build_index([write_records(tmp_path / "first.jsonl", CASE)], index_dir)
    many = [OTHER | {"pmid": str(number), "abstract": f"{OTHER['abstract']} Case {number}."} for number in range(1_000)]
    with pytest.raises(BuildFailedError, match=r"the disk that holds .* is full; .*free some space"):
        build_index([write_records(tmp_path / "many.jsonl", *many)], index_dir)
    assert_still_answers(index_dir)


@pytest.mark.parametrize(
    ("sent", "exit_code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)], ids=["Ctrl-C", "kill -9"]
)
def test_a_build_that_is_stopped_leaves_the_old_index(
    tmp_path: Path, index_dir: Path, sent: signal.Signals, exit_code: int
) -> None:
    many = [OTHER | {"pmid": str(number), "abstract": f"{OTHER['abstract']} Case {number}."} for number in range(6_000)]
    source = write_records(tmp_path / "many.jsonl", *many)
    command = [CASECITE, "index", "build", str(source), "--index", str(index_dir)]
    settings = os.environ | {"CASECITE_EMBEDDER": PACKAGED_EMBEDDER}  # it is still embedding when the signal comes
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=settings)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("loading"):
            break
    time.sleep(0.5)
    process.send_signal(sent)
    process.wait(timeout=60)
    assert process.returncode == exit_code
    if sent == signal.SIGINT:
        assert process.stderr.read().strip() == "casecite: stopped; an index in use is unchanged"
    assert_still_answers(index_dir)
    build_index([DEMO_RECORDS], index_dir)
    assert len(list((index_dir / "builds").iterdir())) == 2, "what was left behind is removed by the next build"


def test_an_index_of_another_model_is_refused_with_both_names(
    index_dir: Path, static_embedder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASECITE_EMBEDDER", PACKAGED_EMBEDDER)
    with pytest.raises(IndexMismatchError) as refusal:
        open_index(index_dir)
    assert PACKAGED_EMBEDDER in str(refusal.value)
    assert str(static_embedder) in str(refusal.value)


def test_a_model_whose_weights_changed_under_its_name_is_refused(index_dir: Path) -> None:
    build_dir = IndexLayout(index_dir).current_build()
    manifest = read_manifest(build_dir)
    embedder = manifest.embedder.model_copy(update={"digest": "0" * 64})
    write_manifest(build_dir, manifest.model_copy(update={"embedder": embedder}))
    with pytest.raises(IndexMismatchError, match=r"weights 000000000000"):
        open_index(index_dir).search("cider")


def test_an_unknown_model_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASECITE_EMBEDDER", str(tmp_path / "no-model"))
    (tmp_path / "no-model").mkdir()
    with pytest.raises(WrongUseError, match=r"the embedding model .*no-model cannot be loaded"):
        build_index([DEMO_RECORDS], tmp_path / "index")


@pytest.mark.parametrize("broken", ["manifest.json", "records.sqlite", "lexical", "vectors"])
def test_a_build_with_a_missing_part_is_named(index_dir: Path, broken: str) -> None:
    (build_dir,) = (index_dir / "builds").iterdir()
    (build_dir / broken).rename(build_dir / "gone")
    with pytest.raises(CaseciteError, match=r"casecite index build"):
        open_index(index_dir).search("cider")


def test_a_chroma_server_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASECITE_CHROMA_URL", "http://127.0.0.1:9")
    with pytest.raises(NoIndexError, match=r"no Chroma server answers at http://127.0.0.1:9.*chroma run"):
        build_index([write_records(tmp_path / "in.jsonl", CASE)], tmp_path / "index")


def test_the_real_records_are_all_read(shared_data: Path) -> None:
    from index import Rejection, read_records

    items = list(read_records([shared_data / "cases" / "records.jsonl.gz"]))
    assert len(items) == 8_846
    assert not any(isinstance(item, Rejection) for item in items)
