"""Files, folders and standard input are read to raw records; broken content is rejected with its place."""

from __future__ import annotations

import gzip
import io
import json
import random
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from index.errors import WrongUseError
from index.ingest.formats import json_text
from index.ingest.formats.raw_record import RawRecord
from index.ingest.readers import read_sources
from index.types import Rejection
from tests.support.record_files import write

TOM = {"id": "tom", "abstract": "<p>Tom, a cat of 9, ate a &beta;-blocker.</p><p><b>Outcome: </b>He slept.</p>"}
KIT = {"id": "kit", "abstract": "Kit, a kitten, ate nothing."}


def read(*paths: str | Path) -> tuple[list[Any], list[Rejection]]:
    """The ids that were read, and the rejections."""
    items = list(read_sources(paths))
    ids = [item.data.get("id") for item in items if isinstance(item, RawRecord)]
    return ids, [item for item in items if isinstance(item, Rejection)]


def lines(*values: object) -> str:
    return "".join((value if isinstance(value, str) else json.dumps(value)) + "\n" for value in values)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.json", json.dumps([TOM, KIT]), id="list"),
        pytest.param("a.json", json.dumps([TOM, KIT], indent=2), id="pretty-list"),
        pytest.param("a.json", f"[{json.dumps(TOM)},\n{json.dumps(KIT)}]\n", id="list-entry-a-line"),
        pytest.param("a.json", json.dumps({"records": [TOM, KIT]}, indent=1), id="wrapped-list"),
        pytest.param("a.json", json.dumps({"n": 2, "records": [TOM, KIT], "next": None}), id="wrapped-on-one-line"),
        pytest.param("a.json", json.dumps({"resultList": {"n": 2, "result": [TOM, KIT]}, "x": 1}), id="wrapped-twice"),
        pytest.param("a.json", f"{json.dumps(TOM, indent=1)}\n{json.dumps(KIT, indent=1)}", id="pretty-one-by-one"),
        pytest.param("a.json", f"\n{json.dumps(TOM, indent=1)}\n{lines(KIT)}", id="pretty-then-a-line"),
        pytest.param("a.jsonl", lines(TOM, KIT), id="jsonl"),
        pytest.param("a.jsonl", lines(TOM, "", "  ", KIT), id="blank-lines"),
        pytest.param("a.ndjson", "\ufeff" + lines(TOM, KIT).replace("\n", "\r\n"), id="bom-and-crlf"),
        pytest.param("a.JSONL", lines(TOM, KIT), id="capital-suffix"),
        pytest.param("a.txt", lines(TOM, KIT), id="txt"),
    ],
)
@pytest.mark.parametrize("compressed", [False, True], ids=["", "gz"])
def test_records_are_read_in_order_from(tmp_path: Path, name: str, content: str, compressed: bool) -> None:
    path = tmp_path / (f"{name}.gz" if compressed else name)
    write(path, gzip.compress(content.encode()) if compressed else content)
    assert read(path) == (["tom", "kit"], [])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(json.dumps(TOM), id="one-line"),
        pytest.param(json.dumps(TOM, indent=2), id="pretty"),
        pytest.param('{"more":\n{"id": "x"}\n, "id": "tom"}', id="object-on-its-second-line"),
        pytest.param('{"id": "one", "id": "tom"}', id="last-of-two-equal-keys"),
    ],
)
def test_a_file_of_one_record(tmp_path: Path, content: str) -> None:
    assert read(write(tmp_path / "a.json", content)) == (["tom"], [])


def test_several_paths_and_a_folder_with_all_below_it(tmp_path: Path) -> None:
    write(tmp_path / "in" / "b.jsonl", lines(TOM))
    write(tmp_path / "in" / "a" / "z.json", json.dumps(KIT))
    write(tmp_path / "in" / ".hidden" / "x.json", json.dumps(TOM))
    single = write(tmp_path / "c.json", json.dumps(TOM))
    assert read(single, tmp_path / "in") == (["tom", "kit", "tom"], [])


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO(lines(TOM, "oops", KIT).encode())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
    ids, [rejection] = read("-")
    assert (ids, stream.closed) == (["tom", "kit"], False)
    assert (rejection.file, rejection.line) == ("<stdin>", 2)


def test_a_path_that_does_not_exist_is_wrong_use_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(WrongUseError):
        next(read_sources([write(tmp_path / "a.json", json.dumps(TOM)), tmp_path / "none.json"]))


@pytest.mark.parametrize(
    "echo",
    [
        pytest.param("Cited: 0\nAbstract\nTom, a cat of 9, ate a β-blocker.\nOutcome: He slept.", id="as-exported"),
        pytest.param("tom, a cat of 9,  ate a β-blocker. he slept.", id="one-line-other-case"),
    ],
)
def test_an_abstract_repeated_as_text_after_its_record_is_ignored(tmp_path: Path, echo: str) -> None:
    assert read(write(tmp_path / "a.txt", lines(TOM, echo, KIT))) == (["tom", "kit"], [])


def test_other_text_after_a_record_is_rejected(tmp_path: Path) -> None:
    ids, rejected = read(write(tmp_path / "a.txt", lines(TOM, "Tom, a cat of 9, ate something else.", KIT)))
    assert ids == ["tom", "kit"]
    assert [(item.line, item.raw[:3]) for item in rejected] == [(2, "Tom")]


BROKEN = '{"id": "bad", "abstract": "no end'


@pytest.mark.parametrize(
    ("content", "ids", "place", "reason"),
    [
        pytest.param(lines(BROKEN, TOM, KIT), ["tom", "kit"], 1, "not JSON", id="first-line"),
        pytest.param(lines(BROKEN + '"}x', "", TOM), ["tom"], 1, "not JSON", id="first-line-then-blank"),
        pytest.param(lines(TOM, BROKEN, KIT), ["tom", "kit"], 2, "not JSON", id="middle"),
        pytest.param(lines(TOM, KIT) + BROKEN, ["tom", "kit"], 3, "not JSON", id="truncated"),
        pytest.param(lines(TOM, "[1, 2]", KIT), ["tom", "kit"], 2, "list", id="list-line"),
        pytest.param(lines(TOM, "null", KIT), ["tom", "kit"], 2, "NoneType", id="null-line"),
        pytest.param(lines(TOM, "1" * 5000, KIT), ["tom", "kit"], 2, "digits", id="huge-number"),
        pytest.param(lines(TOM, "[" * 100_000, KIT), ["tom", "kit"], 2, "deep", id="deeply-nested"),
        pytest.param(lines(TOM, '{"a":' * 100_000 + "1" + "}" * 100_000), ["tom"], 2, "deep", id="deep-objects"),
        pytest.param(
            b'{"id": "lat", "abstract": "caf\xe9"}\n' + lines(KIT).encode(), ["kit"], 1, "UTF-8", id="latin-1"
        ),
        pytest.param('\n\n{\n\n"id": oops}', [], 5, "not JSON", id="line-of-pretty-json-after-blank-lines"),
        pytest.param('{"id": "a"', [], 1, "not JSON", id="one-broken-record"),
        pytest.param("", [], None, "empty", id="empty-file"),
        pytest.param("\ufeff \r\n", [], None, "empty", id="blank-file"),
        pytest.param("[]", [], 1, "empty", id="empty-list"),
        pytest.param(json.dumps([TOM, 7, KIT]), ["tom", "kit"], None, "entry 2: not a JSON object", id="bad-entry"),
        pytest.param(
            f"[\n{json.dumps(TOM)},\n{BROKEN},\n{json.dumps(KIT)}\n]", ["tom", "kit"], 3, "entry 2", id="entry-broken"
        ),
        pytest.param(json.dumps([TOM, KIT], indent=2)[:-20], ["tom"], 6, "entry 2", id="list-truncated"),
        pytest.param(lines([TOM], KIT), ["tom"], 2, "after a list", id="text-after-a-list"),
        pytest.param(
            f'{{"records": [\n{json.dumps(TOM)},\n{BROKEN},\n{json.dumps(KIT)}\n]}}',
            ["tom", "kit"],
            3,
            "entry 2",
            id="entry-of-a-wrapped-list-broken",
        ),
        pytest.param(
            f"[{json.dumps(TOM)}, {{oops}}, {json.dumps(KIT)}]",
            ["tom"],
            1,
            "not read from here on",
            id="no-way-to-go-on",
        ),
        pytest.param(f'{{\n"id" "x"\n}}\n{lines(TOM)}', ["tom"], 2, "not JSON", id="broken-pretty-then-a-line"),
        pytest.param(
            f'[{{"id": "lat", "abstract": "caf\udce9"}}, {json.dumps(KIT)}]'.encode("utf-8", "surrogateescape"),
            ["kit"],
            1,
            "entry 1: not UTF-8",
            id="latin-1-in-a-list",
        ),
    ],
)
def test_broken_content_is_rejected_with_its_line_and_the_rest_is_read(
    tmp_path: Path, content: str | bytes, ids: list[str], place: int | None, reason: str
) -> None:
    path = write(tmp_path / "a.jsonl", content)
    found, rejected = read(path)
    assert found == ids
    assert [(item.file, item.line) for item in rejected] == [(str(path), place)]
    assert reason in rejected[0].reason


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(random.Random(1).randbytes(300_000), id="noise"),
        pytest.param(b"\x00\x01\n" * 100_000, id="nul-lines"),
    ],
)
def test_a_binary_file_named_json_gives_few_rejections(tmp_path: Path, content: bytes) -> None:
    ids, rejected = read(write(tmp_path / "a.json", content), write(tmp_path / "b.json", json.dumps(TOM)))
    assert ids == ["tom"]
    assert 1 <= len(rejected) <= 101
    json.dumps([item.to_dict() for item in rejected], ensure_ascii=False).encode()


def test_values_across_the_end_of_the_buffer_are_read_completely(tmp_path: Path) -> None:
    """Numbers, escapes and words may be cut by the end of the buffer."""
    values = [
        {"id": str(n), "n": -12345678.25, "t": [True, None, "\u00e9\ud83d\ude00" * (n % 7)]} for n in range(4_000)
    ]
    for content in (json.dumps(values), json.dumps({"records": values}, indent=1)):
        ids, rejected = read(write(tmp_path / "a.json", content))
        assert (ids, rejected) == ([value["id"] for value in values], [])
    (first, *_) = read_sources([tmp_path / "a.json"])
    assert isinstance(first, RawRecord)
    assert first.data | {"authors": None} == values[0] | {"authors": None}


@pytest.mark.parametrize("size", [1, 7, 90])
@pytest.mark.parametrize("indent", [None, 2])
def test_the_buffer_size_does_not_change_what_is_read_and_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, indent: int | None
) -> None:
    whole = json.dumps({"n": 1e-7, "records": [TOM, KIT, TOM]}, indent=indent)
    contents = [
        whole,
        whole.replace("kitten", 'kit"ten'),
        whole.replace("true", "tru"),
        whole[:-40],
        whole + "}\n" + whole,
    ]
    paths = [write(tmp_path / f"{number}.json", content) for number, content in enumerate(contents)]
    expected = list(read_sources(paths))
    monkeypatch.setattr(json_text, "READ_CHARS", size)
    assert list(read_sources(paths)) == expected


def test_an_empty_folder_gives_nothing(tmp_path: Path) -> None:
    assert read(tmp_path) == ([], [])


def test_a_rejection_of_any_data_can_be_written_as_utf_8() -> None:
    nested: Any = "end"
    for _ in range(900):
        nested = [nested]
    for data in ({"abstract": "\ud800" * 5_000}, {"deep": nested}, {"n": 10**4000}, {"x": float("nan")}):
        rejection = RawRecord(file="f", line=1, data=data).reject("abstract", "bad")
        assert len(json.dumps(rejection.to_dict(), ensure_ascii=False).encode()) < 20_000


def test_a_long_jsonl_is_read_lazily(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", lines(*[TOM] * 3) + lines({"id": "x", "abstract": "y" * 1_000}) * 20_000)
    started = time.thread_time()
    assert isinstance(next(iter(read_sources([path]))), RawRecord)
    assert time.thread_time() - started < 0.1
