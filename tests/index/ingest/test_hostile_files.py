"""Huge, endless, bomb-like and special files are read in bounded memory and time, or rejected."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index.errors import WrongUseError
from index.ingest import archives
from index.ingest.formats import pubmed_xml
from index.ingest.formats.raw_record import RawRecord
from index.ingest.formats.text import MAX_ENTRY_CHARS
from index.ingest.readers import read_sources
from tests.support.record_files import MANY, RIS, SAMPLES, article, bibtex, medline, pmids, read, ris, write, xml

BOMB_BYTES = 25_000_000
ENDLESS = "x" * (MAX_ENTRY_CHARS + 4_000_000)


def peak_bytes(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", MANY)
def test_memory_does_not_grow_with_the_file(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a.txt.gz", gzip.compress(MANY[kind](1_000, f"{'word ' * 300}.").encode()))
    next(iter(read_sources([path])))  # imports
    count = 0

    def read_all() -> None:
        nonlocal count
        count = sum(isinstance(item, RawRecord) for item in read_sources([path]))

    assert peak_bytes(read_all) < 900_000, "the texts alone take 1,500,000 bytes"
    assert count == 1_000


# The peak memory of this process; `getrusage` may give that of the parent.
READ = """
import re, sys
from pathlib import Path
from index.ingest.readers import read_sources
small, large = sys.argv[1].split("|"), sys.argv[2].split("|")
def peak_kb(paths):
    count = sum(1 for _ in read_sources(paths))
    return count, re.search("VmHWM:\\\\s+(\\\\d+)", Path("/proc/self/status").read_text())[1]
print(*peak_kb(small), *peak_kb(large))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_peak_memory_of_a_process_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """30 MB as one JSON list, 4 MB in each other format: the limit would be exceeded if they were held."""
    small, large = [], []
    for kind, make in MANY.items():
        for paths, count in ((small, 50), (large, 20_000 if kind == "json" else 2_700)):
            content = make(count, "word " * 300).encode()
            paths.append(str(write(tmp_path / f"{kind}-{count}.txt.gz", gzip.compress(content, 1))))
    command = [sys.executable, "-c", READ, "|".join(small), "|".join(large)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    few_count, few_kb, many_count, many_kb = map(int, run.stdout.split())
    assert (few_count, many_count) == (50 * len(MANY), 20_000 + 2_700 * (len(MANY) - 1))
    assert many_kb - few_kb < 2_000


LONG = {
    "json": lambda: json.dumps([{"pmid": 1, "abstract": ENDLESS}, {"pmid": 2, "abstract": "Fine."}], indent=1),
    "jsonl": lambda: f'{{"pmid": 1, "abstract": "{ENDLESS}"}}\n{{"pmid": 2, "abstract": "Fine."}}\n',
    "nbib": lambda: f"{medline(1, ENDLESS)}\n{medline(2)}",
    "ris": lambda: ris(1, ENDLESS) + ris(2),
    "ris-of-many-lines": lambda: ris(1, "a\n" * 100_000) + ris(2),
    "ris-without-end": lambda: f"TY  - JOUR\n{'AB  - a weaver' * 9}\n" * 1 + "\n" * 100_000 + ris(2),
    "bib": lambda: bibtex(1, ENDLESS) + bibtex(2),
    "csv": lambda: f"pmid,abstract\n1,{ENDLESS}\n2,Fine.\n",
    "csv-of-many-cells": lambda: f"pmid,abstract\n1,{',' * 2_000_000}x\n2,Fine.\n",
    "xml": lambda: xml(article(1, ENDLESS)) + xml(article(2)),
    "xml-of-many-elements": lambda: xml(article(1, "<b/>" * 5_000)) + xml(article(2)),
}


@pytest.mark.parametrize("kind", LONG)
def test_an_endless_entry_is_rejected_alone_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(pubmed_xml, "MAX_ELEMENTS", 4_000)
    path = write(tmp_path / "a.txt.gz", gzip.compress(LONG[kind]().encode(), 1))
    found: list[Any] = []
    assert peak_bytes(lambda: found.extend(read(path))) < 8 * MAX_ENTRY_CHARS
    records, (rejection,) = found
    assert pmids(records) == ["2"]
    assert any(words in rejection.reason for words in ("longer than", "too many elements", "field limit"))


def packed(members: dict[str, str | bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_a_zip_gives_the_records_of_the_files_in_it_and_writes_none(tmp_path: Path) -> None:
    members = {
        "export/a.txt": SAMPLES["ris"],
        "../../escape.json": SAMPLES["semantic-scholar"],
        "/abs\nolute.bib": SAMPLES["bib"],
        "__MACOSX/a.txt": "x",
        "export/.DS_Store": "x",
        "photo.png": b"\x89PNG\r\n\0",
        "inner.zip": packed({"a.ris": RIS}),
        "inner.ris.gz": gzip.compress(RIS.encode()),
    }
    folder = tmp_path / "in" / "deep"
    folder.mkdir(parents=True)
    records, rejected = read(write(folder / "all.zip", packed(members)))
    assert pmids(records) == ["9900001"] * 3
    names = [Path(item.file).name for item in rejected]
    assert (names, {"\n" in name for name in names}) == (["photo.png", "inner.zip", "inner.ris.gz"], {False})
    assert "binary" in rejected[0].reason
    assert all("unpack it first" in item.reason for item in rejected[1:])
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["all.zip"]


def test_encrypted_damaged_and_truncated_zips_are_rejected_with_a_reason(tmp_path: Path) -> None:
    content = packed({"a.ris": RIS, "b.ris": RIS})
    encrypted = bytearray(content)
    for sign, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[encrypted.index(sign) + flags] |= 1
    damaged = bytearray(content)
    damaged[60] ^= 0xFF
    for name, changed, count in (("e", encrypted, 1), ("d", damaged, 1), ("c", content[:-30], 0)):
        records, rejected = read(write(tmp_path / f"{name}.zip", bytes(changed)))
        assert len(records) == count, name
        assert rejected[-1].reason.startswith("cannot be read: "), name
    assert "encrypted" in read(tmp_path / "e.zip")[1][0].reason


@pytest.mark.parametrize("kind", ["gz", "zip", "zip-of-many"])
def test_a_decompression_bomb_is_read_up_to_the_limit_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(archives, "FREE_BYTES", 20_000_000)
    if kind == "gz":
        path = write(tmp_path / "a.json.gz", gzip.compress(b"[" + b" " * BOMB_BYTES))
    else:
        files = 1 if kind == "zip" else 8
        path = write(
            tmp_path / "a.zip", packed({f"{n}.json": b"[" + b" " * (BOMB_BYTES // files) for n in range(files)})
        )
    records, rejected = read(path)
    assert records == []
    assert "200 times its size" in rejected[-1].reason


def test_links_are_followed_only_to_files_within_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "secret.ris", RIS)
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere" / "b.ris", RIS)
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder / "a.ris", ris(1))
    (folder / "out.ris").symlink_to(tmp_path / "secret.ris")
    (folder / "around").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "circle").symlink_to(folder, target_is_directory=True)
    (folder / "itself").symlink_to(folder / "itself")
    (folder / "within.ris").symlink_to(folder / "a.ris")
    records, rejected = read(folder)
    assert pmids(records) == ["1", "1"], "the file, and the link to it"
    assert {Path(item.file).name: "out of the folder" in item.reason for item in rejected} == {
        "around": True,
        "circle": False,
        "itself": False,
        "out.ris": True,
    }
    assert pmids(read(folder / "out.ris")[0]) == ["9900001"], "a link given as the path is followed"


def test_pipes_and_devices_are_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    os.mkfifo(folder / "pipe.ris")
    (folder / "zero.ris").symlink_to("/dev/zero")
    write(folder / "a.ris", ris(1))
    records, rejected = read(folder)
    assert pmids(records) == ["1"]
    assert [Path(item.file).name for item in rejected] == ["pipe.ris", "zero.ris"]
    for path in (folder / "pipe.ris", Path("/dev/zero")):
        with pytest.raises(WrongUseError, match="neither a file nor a folder"):
            read(path)


def test_control_characters_in_file_names_are_escaped(tmp_path: Path) -> None:
    write(tmp_path / "a\n\x1b[2Jb\u202e.ris", "TY  - JOUR\n")
    _, (rejection,) = read(tmp_path)
    assert Path(rejection.file).name == "a\\n\\x1b[2Jb\\u202e.ris"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("README.md", "[![ci](x)](y)\n\nAs RIS:\n\nTY  - JOUR\nAB  - x\nER  - \n", id="markdown"),
        pytest.param("notes.pdf", b"%PDF-1.7\n\0\0", id="pdf"),
        pytest.param("x.pyc", b"\xa7\r\r\n\0\0\0", id="pyc"),
        pytest.param("sheet.xlsx", packed({"[Content_Types].xml": "<Types/>"}), id="xlsx"),
        pytest.param("picture.json", b"\x89PNG\r\n\0\0", id="png-named-json"),
        pytest.param("page.html", "<!DOCTYPE html><html><body>x</body></html>", id="html"),
        pytest.param("empty.dat", "", id="empty"),
        pytest.param("records", "x", id="no-suffix"),
        pytest.param("a.jsonl.bak", "x", id="backup"),
        pytest.param(b"caf\xe9.docx", "x", id="name-not-utf-8"),
    ],
)
def test_files_of_other_kinds_are_rejected_once(tmp_path: Path, name: str | bytes, content: str | bytes) -> None:
    records, (rejection,) = read(write(tmp_path / os.fsdecode(name), content))
    assert (records, "not read" in rejection.reason) == ([], True)
    rejection.file.encode()
