"""An index survives killed processes, power cuts, full disks and concurrent builds. See docs/index-safety.md.

Processes, signals and the small disk are real.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from assistant import Assistant
from assistant.feedback import FeedbackStore
from index import open_index
from index.building.build import Mode
from index.errors import BuildFailedError, WrongUseError
from index.settings import PACKAGED_EMBEDDER
from index.storage.layout import IndexLayout
from index.storage.lexical_index import LexicalIndex
from index.storage.record_store import RecordStore
from index.storage.vector_store import VectorStore
from tests.conftest import CASECITE
from tests.support import crash_workers as workers
from tests.support.crash_workers import NUMBERS, PROCESSES, Build, Life, State, in_new_process, records_of
from tests.support.forgetful_disk import STRICT, cut_power_at_every_sync

SEED = 20_261_129


@pytest.fixture(scope="session")
def static_embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smaller than the other tests' model: many processes load it."""
    return workers.make_embedder(tmp_path_factory.mktemp("static-model"), SEED)


@pytest.fixture(autouse=True)
def _model(monkeypatch: pytest.MonkeyPatch, static_embedder: Path) -> None:
    monkeypatch.setenv("CASECITE_EMBEDDER", str(static_embedder))


@pytest.fixture
def life(tmp_path: Path, static_embedder: Path) -> Iterator[Life]:
    """In memory if possible: a killed process leaves the same there, and a sync takes no time."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        life = Life(Path(folder), static_embedder)
        life.finish("rebuild")
        yield life


@pytest.mark.fault(
    part="process",
    tried="builds and updates are ended by kill -9 at random moments while questions are asked",
    happens="each question is answered from the old records or the new; the next build succeeds",
)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["rebuild", "update"])
def test_kill_9_at_random_moments_while_a_reader_asks(life: Life, mode: Mode) -> None:
    series = life.survive_kills(mode, kills=20, seed=SEED)
    assert series.questions >= 20
    life.assert_nothing_is_left_behind()


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("mode", "calls", "step"),
    [
        pytest.param("update", ("fsync",), 2, id="every second fsync of an update"),
        pytest.param("rebuild", ("mkdir", "replace", "rmdir", "unlink"), 3, id="making and removing files of a build"),
    ],
)
def test_the_process_group_is_killed_in_place_of_a_call(
    life: Life, mode: Mode, calls: tuple[str, ...], step: int
) -> None:
    """Among them: between the manifest and CURRENT, between CURRENT and its folder, while old builds are removed."""
    outcomes = []
    life.finish(mode)
    life.finish(mode)
    for last in count(1, step):
        build, after = life.next(mode)
        killed = workers.was_killed(workers.start(workers.build_until_call, build, calls, last))
        outcomes.append(life.look(after))
        if not killed:
            break
    assert len(outcomes) > 10
    # Not sorted: a run removes what the killed one before it left, so that its calls are of other steps.
    assert (outcomes[0], outcomes[-1]) == (False, True), "the old build answers at first, the new one at last"
    life.assert_nothing_is_left_behind()


@pytest.mark.fault(
    part="power",
    tried="it fails at any sync of a build, and the disk forgets what was not synced",
    happens="the index answers from the old records or the new; what was reported as done is not lost",
)
@pytest.mark.timeout(300)
def test_a_power_cut_at_any_sync_leaves_the_old_records_or_the_new(tmp_path: Path, static_embedder: Path) -> None:
    life = Life(tmp_path / "disk", static_embedder)
    life.index_dir.parent.mkdir()
    for number, mode in enumerate(("rebuild", "update", "update")):
        old = IndexLayout(life.index_dir).live_build()
        build, after = life.next(mode)
        saved = tmp_path / f"saved-{number}"
        seen, new = in_new_process(cut_power_at_every_sync, build, saved, SEED)
        assert {found for _, found in seen} == {old.name if old else None, new}
        strict = [found for policy, found in seen if policy == STRICT]
        assert len(strict) > 15
        assert strict == sorted(strict, key=lambda found: found == new), "a build that answered is not lost again"
        assert strict[-1] == new, "what was reported as done is durable"
        for image in saved.iterdir():
            assert_goes_on(Life(image, static_embedder), life.history[-1:], after)
        assert life.look(after)


def assert_goes_on(life: Life, history: list[State], after: State) -> None:
    """What a power cut left answers from old or new records, and can be updated."""
    life.history += history
    if history or IndexLayout(life.index_dir).live_build():
        life.look(after)
    life.finish("rebuild")
    assert in_new_process(workers.read_state, life.index_dir, life.embedder) == life.history[-1]


def test_ctrl_c_right_after_publication_keeps_the_new_build(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace

    def interrupt(source: Path, target: Path) -> None:
        replace(source, target)
        if Path(target).name == "CURRENT":
            signal.raise_signal(signal.SIGINT)

    build, after = life.next("update")
    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        build.run()
    monkeypatch.undo()
    assert life.look(after)
    life.assert_nothing_is_left_behind()


@pytest.mark.fault(
    part="write lock",
    tried="two processes build at once, and the one that builds is killed",
    happens="the second is refused in words; after the kill it builds",
)
def test_builders_are_one_at_a_time_and_a_killed_one_holds_up_nobody(life: Life, tmp_path: Path) -> None:
    release = tmp_path / "release"
    first, after = life.next("update")
    holder = workers.start(workers.hold_build, first, release)
    second = Build(life.index_dir, first.source, "update", life.embedder)
    with pytest.raises(RuntimeError, match=r"another build is writing .* \(wait until it has finished, or end it\)"):
        in_new_process(second.run)
    holder.kill()
    assert workers.was_killed(holder)
    in_new_process(second.run)
    assert life.look(after)


def test_builders_that_wait_all_get_their_records_in(life: Life, tmp_path: Path) -> None:
    release = tmp_path / "release"
    first, after = life.next("update")
    sources = [
        workers.write_records(tmp_path / f"{number}.jsonl", records_of(7, [2_000 + number])) for number in range(4)
    ]
    holder = workers.start(workers.hold_build, first, release)
    with ProcessPoolExecutor(4, mp_context=PROCESSES) as pool:
        queued = [Build(life.index_dir, source, "update", life.embedder, wait=True) for source in sources]
        reports = [pool.submit(workers.plainly, build.run) for build in queued]
        time.sleep(0.5)
        assert not any(report.done() for report in reports)
        release.touch()
        assert sorted(report.result().record_count for report in reports) == [26, 27, 28, 29]
    assert not workers.was_killed(holder)
    assert life.look(after | records_of(7, range(2_000, 2_004)))


def test_a_reader_with_an_old_build_open_answers_whatever_is_published(life: Life) -> None:
    index = open_index(life.index_dir)
    in_flight = index.current()
    assert workers.ask(in_flight) == life.history[0]
    for _ in range(3):
        life.finish("update")
    assert workers.ask(index.current()) == life.history[-1]
    assert workers.ask(in_flight) == life.history[0]
    assert not in_flight.build_dir.exists()


def test_a_build_that_is_removed_while_it_is_being_opened_is_not_missed(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index.search import search

    open_build, passed = search.open_build, []

    def open_late(*arguments: object) -> object:
        if not passed:
            passed.extend(life.finish("update") for _ in range(2))
        return open_build(*arguments)

    monkeypatch.setattr(search, "open_build", open_late)
    assert workers.ask(open_index(life.index_dir).current()) == life.history[-1]


@pytest.mark.fault(
    part="clock",
    tried="it is set back between builds",
    happens="the newest build answers, and the one before it is kept",
)
def test_the_build_before_is_kept_whatever_the_clock_says(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter("321")
    monkeypatch.setattr(IndexLayout, "new_build", lambda layout: layout.builds_dir / next(names))
    for _ in range(3):
        life.next("update")[0].run()
    assert {path.name for path in (life.index_dir / "builds").iterdir()} == {"2", "1"}


def test_opening_asking_and_killing_readers_changes_no_byte_of_a_build(life: Life, tmp_path: Path) -> None:
    """Of a build with more vectors than Chroma keeps before it writes them out."""
    many = workers.write_records(tmp_path / "many.jsonl", records_of(1, range(1, 1_201)))
    in_new_process(Build(life.index_dir, many, "rebuild", life.embedder).run)
    stop = tmp_path / "stop"
    with ProcessPoolExecutor(2, mp_context=PROCESSES) as pool:
        readers = [
            pool.submit(workers.plainly, workers.find_first, stop, life.index_dir, life.embedder) for _ in range(2)
        ]
        killed = workers.start(workers.keep_asking, life.index_dir, life.embedder)
        killed.kill()
        assert workers.was_killed(killed)
        stop.touch()
        assert all(reader.result() for reader in readers)
    build_dir = IndexLayout(life.index_dir).current_build()
    assert workers.changed_files(build_dir) == []
    report = in_new_process(life.next("update")[0].run)
    assert (report.record_count, report.embedded) == (1_201, 4)
    assert workers.changed_files(build_dir) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB and 400 files."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m,nr_inodes=400", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.fault(
    part="disk",
    tried="it is full at any of nine steps of a build or an update",
    happens="an error in words; questions are answered meanwhile; nothing is left behind, no record is lost",
)
@pytest.mark.parametrize("mode", ["rebuild", "update"])
def test_a_disk_that_fills_up_at_any_step_leaves_the_old_records(
    small_disk: Path, static_embedder: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    life = Life(small_disk, static_embedder)
    life.finish("rebuild")
    filler = small_disk / "filler"
    steps = [
        (IndexLayout, "new_build"),
        (RecordStore, "create"),
        (RecordStore, "commit"),
        (LexicalIndex, "create"),
        (LexicalIndex, "add"),
        (VectorStore, "create"),
        (VectorStore, "add"),
        (IndexLayout, "publish"),
        (IndexLayout, "make_live"),
    ]
    for owner, name in steps:
        build, after = life.next(mode)
        files = sorted(small_disk.rglob("*"))
        original = getattr(owner, name)

        def fill_before(*args: object, original: object = original, **kwargs: object) -> object:
            fill(filler)
            assert workers.ask(open_index(life.index_dir).current()) == life.history[-1]
            return original(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, fill_before)
            with pytest.raises(BuildFailedError, match=r"the disk that holds .* is full; .*free some space"):
                build.run()
        filler.unlink()
        assert sorted(small_disk.rglob("*")) == files, f"{name} leaves something behind"
        assert not life.look(after)
    unfinished = life.index_dir / "builds" / "unfinished"
    unfinished.mkdir()
    fill(unfinished / "filler")
    life.assert_nothing_is_left_behind()


@pytest.mark.fault(
    part="disk",
    tried="it has no room for another file while an index is built",
    happens="an error in words; with room the next build succeeds",
)
def test_a_disk_without_room_for_another_file_is_full(small_disk: Path, static_embedder: Path) -> None:
    life = Life(small_disk, static_embedder)
    life.finish("rebuild")
    build, _ = life.next("rebuild")
    crowd = small_disk / "crowd"
    crowd.mkdir()
    with suppress(OSError):
        for number in range(400):
            (crowd / str(number)).touch()
    with pytest.raises(BuildFailedError, match=r"the disk that holds .* is full; .*free some space"):
        build.run()
    shutil.rmtree(crowd)
    life.assert_nothing_is_left_behind()


@pytest.mark.fault(
    part="disk",
    tried="it is full while questions are asked and judged",
    happens="questions are answered; that feedback cannot be kept is said in words",
)
def test_on_a_full_disk_questions_are_answered_and_feedback_is_refused(
    small_disk: Path, static_embedder: Path, demo_assistant: Assistant
) -> None:
    life = Life(small_disk, static_embedder)
    life.finish("rebuild")
    store, given = FeedbackStore(small_disk / "feedback" / "feedback.sqlite"), demo_assistant.ask("fever after travel")
    store.add(given, "up", session="before")
    fill(small_disk / "filler")
    assert workers.ask(open_index(life.index_dir).current()) == life.history[0]
    long = replace(given, text=given.text * 50)  # or else it may find room in what the file has already
    with pytest.raises(WrongUseError, match=r"feedback cannot be kept in .*full.*CASECITE_FEEDBACK_PATH"):
        store.add(long, "up", session="then")
    (small_disk / "filler").unlink()
    store.add(given, "down", session="after")
    assert {feedback.verdict for feedback in store} == {"up", "down"}


def fill(path: Path) -> None:
    """Use all free space."""
    with path.open("ab", buffering=0) as stream:
        with suppress(OSError):
            while True:
                stream.write(b"." * 4_096)


@pytest.mark.timeout(300)
def test_kill_9_of_the_installed_command_with_the_packaged_model(
    tmp_path: Path, demo_index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASECITE_EMBEDDER", PACKAGED_EMBEDDER)
    index_dir = tmp_path / "index"
    shutil.copytree(demo_index_dir, index_dir)
    old = workers.ask(open_index(index_dir).current())
    new = old | records_of(1, NUMBERS)
    source = workers.write_records(tmp_path / "records.jsonl", records_of(1, NUMBERS))
    command = [CASECITE, "index", "update", str(source), "--index", str(index_dir)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    next(line for line in process.stderr if line.startswith("embedding"))
    process.kill()
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert workers.ask(open_index(index_dir).current()) in (old, new)
    subprocess.run(command, check=True, capture_output=True)
    assert workers.ask(open_index(index_dir).current()) == new
    assert len(list((index_dir / "builds").iterdir())) == 2
