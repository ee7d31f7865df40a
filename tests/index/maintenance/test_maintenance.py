"""Maintenance of an index: damage is found and repaired, records are exported, removed and watched for."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from filelock import FileLock

from assistant.cli.main import main
from index import DEMO_RECORDS, BuildReport, Record, build_index, open_index
from index.building.build import remove_records
from index.errors import BuildRunningError, CaseciteError, NoIndexError, WrongUseError
from index.maintenance import watch
from index.maintenance.export import export_records
from index.maintenance.gc import clear_index
from index.maintenance.repair import heal_index
from index.maintenance.verify import verify_index
from index.maintenance.watch import watch_folder
from index.storage.layout import IndexLayout, write_manifest
from index.storage.manifest import read_manifest
from index.storage.vector_store import VectorStore, drop_collection
from tests.conftest import CASECITE
from tests.support.chroma_server import run_chroma_server

QUESTIONS = ("BMD change under romosozumab", "plasma lithium of the woman with kidney failure", "fever after travel")
ROMOSOZUMAB = "doi:10.21037/acr-24-163"


@pytest.fixture(autouse=True)
def _static_model(monkeypatch: pytest.MonkeyPatch, static_embedder: Path, _own_settings: None) -> None:
    monkeypatch.setenv("CASECITE_EMBEDDER", str(static_embedder))


@pytest.fixture(scope="module")
def built(static_embedder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the demo records, one of them merged, and of a line that is none; tests copy it."""
    folder = tmp_path_factory.mktemp("built")
    lines = DEMO_RECORDS.read_text("utf-8").splitlines()
    again = json.dumps(json.loads(lines[0]) | {"volume": "77"})
    source = write_lines(folder / "records.jsonl", *lines, again, "no json")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CASECITE_EMBEDDER", str(static_embedder))
        report = build_index([source], folder / "index")
    assert (report.record_count, report.merged, report.rejected_count) == (40, 1, 1)
    return folder / "index"


@pytest.fixture
def index_dir(built: Path, tmp_path: Path) -> Path:
    return shutil.copytree(built, tmp_path / "index")


def write_lines(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def write_records(path: Path, *records: dict[str, Any]) -> Path:
    return write_lines(path, *map(json.dumps, records))


def live_build(index_dir: Path) -> Path:
    return IndexLayout(index_dir).current_build()


def read_all(index_dir: Path) -> list[Record]:
    build = open_index(index_dir).current()
    return [record for record, _ in build.iter_records()]


def ask(index_dir: Path) -> list[tuple[str, float]]:
    """What is found for some questions, with scores."""
    build = open_index(index_dir).current()
    found = [passage for question in QUESTIONS for passage in build.search(question)]
    return [(passage.record.record_id, round(passage.score, 5)) for passage in found]


def flip_bit(path: Path) -> None:
    """Change one bit somewhere; of files of the same name and size always the same."""
    content = bytearray(path.read_bytes())
    place = random.Random(len(content)).randrange(8 * len(content))
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)


def invent(number: int) -> dict[str, Any]:
    return {
        "pmid": str(number),
        "abstract": f"Patient {number} drank {number % 7} litres of tea and felt {number} knots.",
    }


@pytest.mark.fault(
    part="index",
    tried="one bit is flipped in each of its files in turn",
    happens="casecite index verify names the file, casecite index build makes the same index again",
)
def test_a_flipped_bit_in_any_file_is_found_and_repaired(built: Path, tmp_path: Path) -> None:
    manifest = read_manifest(live_build(built))
    parts = ["CURRENT", "manifest.json", "manifest.copy.json", *manifest.files]
    answers, records = ask(built), read_all(built)
    repaired = set()
    for number, part in enumerate(parts):
        folder = shutil.copytree(built, tmp_path / str(number))
        path = folder / part if part == "CURRENT" else live_build(folder) / part
        if path.stat().st_size == 0:  # there is no bit in it
            continue
        flip_bit(path)
        report = verify_index(folder)
        assert [finding.part for finding in report.findings] == [part]
        if (kind := part.partition("/")[0]) in repaired:  # a repair depends on the part, not on the file within it
            continue
        repaired.add(kind)
        heal_index(folder)
        assert verify_index(folder).is_sound, part
        assert (ask(folder), read_all(folder)) == (answers, records), part
        assert len(read_manifest(live_build(folder)).sources) == 1, part


def test_findings_say_what_is_damaged_and_what_to_do(index_dir: Path) -> None:
    build_dir = live_build(index_dir)
    flip_bit(build_dir / "records.sqlite")
    (build_dir / "abbreviations.sqlite").unlink()
    (build_dir / "lexical" / "notes.txt").write_text("mine")
    report = verify_index(index_dir)
    assert [str(finding) for finding in report.findings] == [
        "abbreviations.sqlite: is missing: abbreviations in questions may be misread",
        "lexical/notes.txt: is not of this build: something else has written here",
        "records.sqlite: differs from what was built: the records are damaged",
    ]
    assert report.remedy == "casecite index build reads again what the index was built from"


def test_asking_changes_no_file(index_dir: Path) -> None:
    ask(index_dir)
    assert verify_index(index_dir).findings == ()


@pytest.mark.fault(
    part="index",
    tried="all bits are flipped in each of its files in turn before the assistant starts",
    happens="an error that names the index and the remedy, where the answer would depend on the file",
)
def test_a_question_to_a_damaged_index_is_answered_or_refused_in_words(built: Path, tmp_path: Path) -> None:
    """Whatever it is that a part raises."""
    refusals = {}
    for number, part in enumerate(read_manifest(live_build(built)).files):
        folder = shutil.copytree(built, tmp_path / str(number))
        path = live_build(folder) / part
        path.write_bytes(bytes(255 - byte for byte in path.read_bytes()))
        try:
            ask(folder)
        except NoIndexError as error:
            refusals[part] = str(error)
    assert len(refusals) > 8
    assert {part for part, words in refusals.items() if "casecite index" not in words} == set()


def test_counts_that_disagree_are_found(index_dir: Path) -> None:
    build_dir = live_build(index_dir)
    manifest = read_manifest(build_dir)
    write_manifest(build_dir, manifest.model_copy(update={"record_count": 41, "chunk_count": 70}))
    found = {str(finding) for finding in verify_index(index_dir).findings}
    assert "lexical: has 40 entries where 41 were built: keyword search is damaged" in found
    assert "records.sqlite: has 40 entries where 41 were built: the records are damaged" in found
    assert {finding.split(":")[0] for finding in found} == {
        "records.sqlite",
        "chunk_vectors.sqlite",
        "lexical",
        "vectors",
    }


def test_vectors_that_do_not_find_themselves_are_found(index_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VectorStore, "query", lambda *_: [])
    (finding,) = verify_index(index_dir).findings
    assert str(finding) == "vectors: of 40 chunks 0 find themselves: vector search is damaged"


@pytest.mark.fault(
    part="Chroma server",
    tried="a chunk, or the collection, is deleted from it",
    happens="casecite index verify says so, casecite index build makes it again without embedding",
)
def test_a_collection_that_is_gone_from_its_server_is_found_and_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "server").mkdir()
    with run_chroma_server(tmp_path / "server") as server:
        monkeypatch.setenv("CASECITE_CHROMA_URL", server.url)
        build_index([DEMO_RECORDS], tmp_path / "index")
        assert verify_index(tmp_path / "index").is_sound
        manifest = open_index(tmp_path / "index").manifest
        vectors = VectorStore.open(tmp_path, manifest.collection, server.url)
        vectors.delete([f"{ROMOSOZUMAB}#0"])
        (fewer,) = verify_index(tmp_path / "index").findings
        assert str(fewer).startswith(f"vectors: has {manifest.chunk_count - 1} entries where {manifest.chunk_count}")
        vectors.close()
        drop_collection(manifest.collection, server.url)
        report = verify_index(tmp_path / "index")
        (gone,) = report.findings
        assert f"the vectors {manifest.collection} are not in {server.url}" in gone.problem
        assert report.remedy is not None
        assert report.remedy.startswith(f"start the Chroma server at {server.url} if it does not run; else")
        assert heal_index(tmp_path / "index").embedded == 0, "the vectors are in the folder too"
        assert verify_index(tmp_path / "index").is_sound


def test_records_that_were_removed_stay_removed_also_when_their_source_is_read_again(index_dir: Path) -> None:
    remove_records(["10.21037/acr-24-163"], index_dir)
    records = read_all(index_dir)
    assert len(records) == 39
    heal_index(index_dir)
    assert read_all(index_dir) == records
    flip_bit(live_build(index_dir) / "records.sqlite")
    assert heal_index(index_dir).record_count == 39
    assert {record.record_id for record in read_all(index_dir)} == {record.record_id for record in records}
    build_index([DEMO_RECORDS], index_dir, "update")
    flip_bit(live_build(index_dir) / "records.sqlite")
    assert heal_index(index_dir).record_count == 40, "what was added again was not removed"


def test_tables_are_read_again_by_the_columns_that_were_given(tmp_path: Path) -> None:
    table = write_lines(
        tmp_path / "faelle.csv", "Titel;Kurzfassung", "Ein Fall;Ein Taucher von 29 Jahren verlor das Gehoer."
    )
    build_index([table], tmp_path / "index", columns={"title": "Titel", "abstract": "Kurzfassung"})
    records = read_all(tmp_path / "index")
    flip_bit(live_build(tmp_path / "index") / "records.sqlite")
    heal_index(tmp_path / "index")
    assert read_all(tmp_path / "index") == records != []


@pytest.mark.fault(
    part="records",
    tried="their file is damaged, and a file that they were read from is gone",
    happens="casecite index build changes nothing, and names what is gone",
)
def test_damaged_records_whose_sources_are_gone_are_not_given_up(tmp_path: Path, built: Path) -> None:
    folder = shutil.copytree(built, tmp_path / "index")
    source = write_records(tmp_path / "more.jsonl", invent(1))
    build_index([source], folder, "update")
    source.unlink()
    flip_bit(live_build(folder) / "records.sqlite")
    content = {path: path.read_bytes() for path in live_build(folder).rglob("*") if path.is_file()}
    with pytest.raises(
        NoIndexError, match=r"the records of .* are damaged, .* is gone: \S+more.jsonl \(casecite index"
    ):
        heal_index(folder)
    assert {path: path.read_bytes() for path in live_build(folder).rglob("*") if path.is_file()} == content
    remedy = verify_index(folder).remedy
    assert remedy is not None
    assert "is gone: " in remedy


@pytest.mark.fault(
    part="CURRENT",
    tried="it is removed or names nothing, and the newest build is sound or damaged",
    happens="casecite index build goes on from the newest sound build",
)
@pytest.mark.parametrize("named", ["nothing", None], ids=["wrong CURRENT", "no CURRENT"])
def test_if_nothing_says_which_build_is_live_the_newest_sound_one_becomes_it(
    index_dir: Path, tmp_path: Path, named: str | None
) -> None:
    first = ask(index_dir)
    source = write_records(tmp_path / "more.jsonl", *map(invent, range(1, 60)))
    build_index([source], index_dir, "update")
    second, live = ask(index_dir), live_build(index_dir)
    assert second != first
    current = index_dir / "CURRENT"
    current.unlink() if named is None else current.write_text(named)
    with pytest.raises(NoIndexError, match=r"casecite index build"):
        open_index(index_dir)
    kept = shutil.copytree(index_dir, tmp_path / "kept")
    heal_index(index_dir)
    assert ask(index_dir) == second
    flip_bit(kept / "builds" / live.name / "records.sqlite")
    heal_index(kept)
    assert ask(kept) == first


@pytest.mark.fault(
    part="manifest",
    tried="it and its copy are removed",
    happens="casecite index build reads the sources that the build before names",
)
def test_without_manifest_and_copy_the_sources_of_the_build_before_are_read(index_dir: Path, tmp_path: Path) -> None:
    source = write_records(tmp_path / "more.jsonl", invent(1))
    build_index([source], index_dir, "update")
    build_index([source], index_dir, "update")
    remove_records(["pmid:1"], index_dir)
    for name in ("manifest.json", "manifest.copy.json"):
        (live_build(index_dir) / name).unlink()
    assert [finding.problem for finding in verify_index(index_dir).findings] == ["is missing"] * 2
    assert heal_index(index_dir).record_count == 41


def test_a_sound_index_is_made_again_with_the_model_that_is_set(
    index_dir: Path, static_embedder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert heal_index(index_dir).embedded == 0
    monkeypatch.setenv("CASECITE_EMBEDDER", str(shutil.copytree(static_embedder, tmp_path / "other")))
    report = heal_index(index_dir)
    assert (report.unchanged, report.embedded) == (40, report.chunk_count)
    assert open_index(index_dir).manifest.embedder.name == str(tmp_path / "other")


@pytest.mark.fault(
    part="index",
    tried="it is damaged, and an update begins",
    happens="the update is refused and names the file; the index is as before",
)
def test_a_damaged_index_is_not_updated(index_dir: Path, tmp_path: Path) -> None:
    live = live_build(index_dir)
    flip_bit(live / "chunk_vectors.sqlite")
    source = write_records(tmp_path / "more.jsonl", invent(1))
    with pytest.raises(NoIndexError, match=r"chunk_vectors.sqlite: differs from .*\(casecite index build repairs it\)"):
        build_index([source], index_dir, "update")
    assert live_build(index_dir) == live


def test_gc_removes_all_but_the_live_build(index_dir: Path, tmp_path: Path) -> None:
    build_index([write_records(tmp_path / "more.jsonl", invent(1))], index_dir, "update")
    (index_dir / "builds" / "20200101T000000Z-killed").mkdir()
    assert len(list((index_dir / "builds").iterdir())) == 3
    report = clear_index(index_dir)
    assert len(report.builds) == 2
    assert report.byte_count > 100_000
    assert list((index_dir / "builds").iterdir()) == [live_build(index_dir)]
    assert verify_index(index_dir).is_sound
    assert clear_index(index_dir).builds == ()


def test_gc_removes_nothing_while_the_live_build_is_damaged_or_being_written(index_dir: Path, tmp_path: Path) -> None:
    build_index([write_records(tmp_path / "more.jsonl", invent(1))], index_dir, "update")
    with FileLock(index_dir / "write.lock"), pytest.raises(BuildRunningError):
        clear_index(index_dir)
    flip_bit(live_build(index_dir) / "records.sqlite")
    with pytest.raises(NoIndexError, match=r"records\.sqlite: differs"):
        clear_index(index_dir)
    assert len(list((index_dir / "builds").iterdir())) == 2


def test_what_is_exported_builds_the_same_index(tmp_path: Path) -> None:
    title = "Romosozumab in a woman with broken vertebrae after a pregnancy"
    text = (
        "A woman of 31 years had five broken vertebrae. Romosozumab raised her bone density by 22.1 percent in a year."
    )
    medline = (
        f"PMID- 9901\nTI  - {title}\nAB  - BACKGROUND: {text} CONCLUSION: It works.\nFAU - Maunder, Eve\nDP  - 2021\n\n"
    )
    sources = [
        write_records(
            tmp_path / "a.jsonl",
            {"doi": "10.5555/a", "id": "A-1", "title": title, "abstract": text, "year": 2020},
            {"doi": "10.5555/sup", "pmid": "11", "abstract": "A boy of 3 years had a swollen knee after a fall."},
            {
                "doi": "10.5555/sup",
                "pmid": "12",
                "abstract": "A man of 66 years had hiccups for 3 weeks, day and night.",
            },
            {
                "title": "RETRACTED: fish",
                "abstract": "5 < 6 & <b>bold</b>.",
                "publicationTypes": ["Retracted Publication"],
            },
            {"title": "Of a dog", "abstract": "A dog bit a man.", "digest": True, "isOpenAccess": False, "volume": "7"},
        ),
        write_lines(tmp_path / "b.nbib", medline),
        write_lines(
            tmp_path / "c.ris", "TY  - JOUR", "TI  - A fall", "AB  - A roofer fell\u2028twice.", "PY  - 2011", "ER  - "
        ),
        write_lines(tmp_path / "d.csv", "title,abstract,doi", "A sting,A wasp stung a judge.,10.5555/wasp"),
    ]
    assert build_index(sources, tmp_path / "index").merged == 1
    remove_records(["pmid:11"], tmp_path / "index")  # the other report under its DOI keeps its id
    assert export_records(tmp_path / "out.jsonl", tmp_path / "index") == 6
    build_index([tmp_path / "out.jsonl"], tmp_path / "again")
    records = read_all(tmp_path / "index")
    assert read_all(tmp_path / "again") == records
    merged = next(record for record in records if record.pmid == "9901")
    assert (merged.doi, [section.label for section in merged.sections]) == ("10.5555/a", ["BACKGROUND", "CONCLUSION"])
    assert len(merged.sources) == 2
    assert {record.title for record in records if record.retracted} == {"RETRACTED: fish"}
    export_records(tmp_path / "out2.jsonl", tmp_path / "again")
    assert (tmp_path / "out2.jsonl").read_bytes() == (tmp_path / "out.jsonl").read_bytes()


def test_an_export_that_fails_leaves_the_file_that_was_there(index_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    output.write_text("what was there", "utf-8")
    damage_rows(live_build(index_dir) / "records.sqlite")
    with pytest.raises(NoIndexError, match=r"is damaged: .*casecite index verify"):
        export_records(output, index_dir)
    assert output.read_text("utf-8") == "what was there"
    assert [path.name for path in tmp_path.iterdir() if "out" in path.name] == ["out.jsonl"]
    with pytest.raises(WrongUseError, match="cannot write"):
        export_records(tmp_path / "no" / "out.jsonl", index_dir)


def damage_rows(path: Path) -> None:
    """Break the JSON of every record, which SQLite does not notice."""
    path.write_bytes(path.read_bytes().replace(b'{"record_id": ', b'{"record_id"; '))


Watching = Callable[..., "list[BuildReport | CaseciteError]"]


@pytest.fixture
def watching(index_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watching]:
    """Watch folders in a thread, with short waits; its reports and errors go into the list."""
    monkeypatch.setattr(watch, "SETTLED_S", 0.3)
    monkeypatch.setattr(watch, "RETRY_S", 0.1)
    monkeypatch.setattr(watch, "LOOK_MS", 50)
    stop, threads = Event(), []

    def begin(*folders: Path) -> list[BuildReport | CaseciteError]:
        reported: list[BuildReport | CaseciteError] = []
        options = {"on_report": reported.append, "on_error": reported.append, "stop": stop}
        threads.append(Thread(target=watch_folder, args=(folders, index_dir), kwargs=options))
        threads[-1].start()
        return reported

    yield begin
    stop.set()
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()


def wait_for(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_watched_folders_are_read_at_first_and_when_files_come_or_change(
    index_dir: Path, tmp_path: Path, watching: Watching
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    (first / ".hidden").mkdir(parents=True)
    second.mkdir()
    write_records(first / "a.jsonl", invent(1))
    write_records(first / ".hidden" / "b.jsonl", invent(2))
    write_lines(first / "notes.docx", "no records")
    reported = watching(first, second)
    wait_for(lambda: len(reported) == 1)
    (second / "deep").mkdir()
    write_records(second / "deep" / "c.jsonl", invent(3), invent(4))
    wait_for(lambda: len(reported) == 2)
    write_records(first / "a.jsonl", invent(1) | {"year": 2021})
    wait_for(lambda: len(reported) == 3)
    (first / "a.jsonl").unlink()
    counts = [
        (report.added, report.changed, report.rejected_count) for report in reported if isinstance(report, BuildReport)
    ]
    assert counts == [(1, 0, 0), (2, 0, 0), (0, 1, 0)]
    assert open_index(index_dir).get_record("pmid:1").year == 2021, "records of a file that is deleted stay"


def test_a_file_that_is_still_being_written_is_waited_for(tmp_path: Path, watching: Watching) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    reported = watching(folder)
    with (folder / "slow.jsonl").open("w", encoding="utf-8") as file:
        for number in range(1, 11):
            line = json.dumps(invent(number))
            for part in (line[:20], line[20:] + "\n"):
                file.write(part)
                file.flush()
                time.sleep(0.05)
        assert reported == []
    wait_for(lambda: len(reported) == 1)
    (report,) = reported
    assert isinstance(report, BuildReport)
    assert (report.added, report.rejected_count) == (10, 0)


def test_watching_reports_errors_and_goes_on(index_dir: Path, tmp_path: Path, watching: Watching) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    reported = watching(folder)
    write_lines(folder / "broken.json", "{no json")
    wait_for(lambda: len(reported) == 1)
    with FileLock(index_dir / "write.lock"):
        write_records(folder / "good.jsonl", invent(1))
        wait_for(lambda: len(reported) > 1)
    wait_for(lambda: isinstance(reported[-1], BuildReport))
    assert isinstance(reported[0], BuildReport)
    assert (reported[0].added, reported[0].rejected_count) == (0, 1)
    assert isinstance(reported[1], BuildRunningError)
    assert open_index(index_dir).get_record("pmid:1") is not None


def test_only_folders_and_an_index_can_be_watched(index_dir: Path, tmp_path: Path) -> None:
    file = write_records(tmp_path / "a.jsonl", invent(1))
    with pytest.raises(WrongUseError, match=r"no folder at .*a\.jsonl"):
        watch_folder([file], index_dir, on_report=print)
    with pytest.raises(NoIndexError, match="no index in"):
        watch_folder([tmp_path], tmp_path / "none", on_report=print)


Run = Callable[..., "tuple[int, str, str]"]


@pytest.fixture
def run(index_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `casecite index ...` here; its exit code, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["casecite", "index", *arguments, "--index", str(index_dir)])
        with pytest.raises(SystemExit) as ending:
            main()
        return (ending.value.code or 0, *capsys.readouterr())

    return run


def test_reports_of_update_and_remove_say_what_became_of_the_input(index_dir: Path, tmp_path: Path, run: Run) -> None:
    again = invent(2) | {"year": 2001}
    source = write_records(tmp_path / "more.jsonl", invent(1), invent(2), again, invent(1), {"title": "no text"})
    code, out, err = run("update", str(source), "--wait")
    build_dir = live_build(index_dir)
    head, counts, embedded, *lists = out.splitlines()
    assert (code, head) == (0, f"42 records in 70 chunks, in {index_dir}")
    assert counts == "added 2, changed 0, unchanged 0, merged 1, repeated 1, removed 0, rejected 1"
    assert embedded.startswith("embedded 2 of the chunks, ")
    assert lists == [
        f"  rejected: {source}, line 5: abstract: no text",
        f"  all rejected input: {build_dir / 'rejected.jsonl'}",
        f"  all merged and repeated input: {build_dir / 'merged.jsonl'}",
    ]
    assert "reading records: 5 in " in err
    assert json.loads(run("remove", "1", "pmid:2", "--json")[1])["removed"] == 2


def test_info_summarises_the_index(index_dir: Path, run: Run) -> None:
    _, text, _ = run("info")
    rows = {line[:19].strip(): line[19:] for line in text.splitlines() if line[:19].strip()}
    assert rows["records"] == "40 in 68 chunks; 0 retracted, 40 digests in place of"
    assert rows["years"] == "2000s 6, 2010s 13, 2020s 2; 19 without"
    assert rows["journals"].startswith("Journal of medical case reports 10, AME Case Reports 1, ")
    assert rows["sections"].startswith("Background 13, Case description 13, Conclusions 13; 27")
    assert rows["came from"] == "records.jsonl 40"
    assert rows["last input"].startswith("1 rejected")
    assert rows["embedding model"].startswith("/")
    data = json.loads(run("info", "--json")[1])
    manifest = read_manifest(live_build(index_dir))
    assert data["files"] == manifest.files
    assert data["counts"]["years"]["2017"] > 0
    assert (data["counts"]["merged_count"], data["counts"]["digest_count"], data["builds"]) == (1, 40, 1)
    assert data["byte_count"] > sum(path.stat().st_size for path in live_build(index_dir).rglob("*.sqlite"))


def test_verify_exits_with_4_if_something_is_damaged_and_build_repairs_it(index_dir: Path, run: Run) -> None:
    code, text, _ = run("verify")
    files = len(read_manifest(live_build(index_dir)).files)
    assert (code, text) == (0, f"sound: 40 records in 68 chunks, {files} files as they were built, in {index_dir}\n")
    flip_bit(live_build(index_dir) / "records.sqlite")
    code, text, _ = run("verify")
    assert code == 4
    assert text.splitlines() == [
        "records.sqlite: differs from what was built: the records are damaged",
        f"the index in {index_dir} is damaged: casecite index build reads again what the index was built from",
    ]
    code, text, _ = run("build")
    assert (code, text.splitlines()[0]) == (0, f"40 records in 68 chunks, in {index_dir}")
    code, text, _ = run("verify", "--json")
    data = json.loads(text)
    assert (code, data["is_sound"], data["findings"], len(data["notes"])) == (0, True, [], 1)
    code, text, _ = run("gc")
    assert (code, text.startswith("removed 1 of the builds in ")) == (0, True)
    assert run("gc")[1] == f"nothing to remove in {index_dir}\n"


def test_export_writes_to_stdout_or_a_file(index_dir: Path, tmp_path: Path, run: Run) -> None:
    code, text, _ = run("export")
    assert code == 0
    assert [Record.from_dict(json.loads(line)) for line in text.splitlines()] == read_all(index_dir)
    code, _, err = run("export", "-o", str(tmp_path / "out.jsonl"))
    assert err.endswith(f"40 records in {tmp_path / 'out.jsonl'}\n")
    assert (tmp_path / "out.jsonl").read_text("utf-8") == text


def test_columns_are_given_as_field_and_column(tmp_path: Path, run: Run) -> None:
    table = write_lines(tmp_path / "faelle.csv", "Titel;Kurzfassung", "Ein Fall;Ein Taucher verlor das Gehör.")
    options = ("--columns", "title=Titel", "--columns", "abstract=Kurzfassung")
    assert json.loads(run("update", str(table), *options, "--json")[1])["added"] == 1
    code, _, err = run("update", str(table), "--columns", "Titel")
    assert (code, "--columns Titel names no column (write it as abstract=Zusammenfassung)" in err) == (2, True)


@pytest.mark.parametrize(
    "command", [["build"], ["remove", "1"], ["update", ".", "--watch"], ["verify"], ["gc"], ["export"]]
)
def test_without_an_index_maintenance_commands_say_so(index_dir: Path, run: Run, command: list[str]) -> None:
    shutil.rmtree(index_dir)
    code, _, err = run(*command)
    assert (code, err.splitlines()[-1]) == (
        4,
        f"casecite: no index in {index_dir} (casecite index build PATH (or --demo))",
    )
    assert not index_dir.exists()


def test_the_command_watches_until_it_is_stopped(index_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    write_records(tmp_path / "inbox" / "a.jsonl", invent(1))
    command = [CASECITE, "index", "update", "--watch", "inbox", "--json", "--index", str(index_dir)]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["added"] == 1
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    first, *_, last = process.stderr.read().splitlines()
    assert (first, last) == (
        "watching inbox; Ctrl-C ends it",
        "no longer watching; the index holds all that was reported",
    )
