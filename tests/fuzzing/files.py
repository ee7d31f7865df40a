"""Checks of file formats: any bytes are read or rejected, and nothing is lost."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

from index.ingest.formats.bibtex import read_bibtex
from index.ingest.formats.json_records import read_json
from index.ingest.formats.json_text import BLANK
from index.ingest.formats.medline import read_medline
from index.ingest.formats.pubmed_xml import read_pubmed_xml
from index.ingest.formats.raw_record import RawRecord
from index.ingest.formats.ris import read_ris
from index.ingest.formats.table import read_table
from index.ingest.records import parse_record, read_records
from index.types import Record, Rejection

from .records import check_item

Item = RawRecord | Rejection
Read = Callable[[io.BufferedReader, str], Iterator[Item]]

VALID = {
    "medline": "\n\nPMID- 777\nTI  - Sound\nAB  - A cook sneezed.\nSO  - X\n",
    "ris": "\nTY  - JOUR\nDB  - PubMed\nAN  - 777\nAB  - A cook sneezed.\nER  - \n",
    "bibtex": "\n@article{sound, pmid = {777}, abstract = {A cook sneezed.}}\n",
    "json": '{"pmid": "777", "abstract": "A cook sneezed."}\n',
    "xml": "<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>777</PMID><Article><Abstract><AbstractText>A cook "
    "sneezed.</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle></PubmedArticleSet>\n",
    "table": "pmid,abstract,title\n777,A cook sneezed.,\n",
}
"""A valid record in each format, which must be read whatever else its file contains."""


def check_entries(data: bytes, read: Read, valid: str, mark: str) -> None:
    """Formats whose entries start with a mark: each gives an item, and a valid entry after any content is read."""
    items = read_twice(data, read)
    lines = universal_lines(data)
    assert len(items) >= sum(bool(re.match(mark, line)) for line in lines)
    if not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        assert_valid(list(read(stream_of(data + valid.encode()), "a.txt"))[-1])


def check_tagged(data: bytes) -> None:
    """MEDLINE and RIS, on the same bytes: no line with text is ignored."""
    has_text = any(line.strip() for line in universal_lines(data))
    assert not has_text or (any(read_medline(stream_of(data), "")) and any(read_ris(stream_of(data), "")))
    check_entries(data, read_medline, VALID["medline"], "PMID-")
    check_entries(data, read_ris, VALID["ris"], "TY  -")


def check_bibtex(data: bytes) -> None:
    """BibTeX: each block except comments, preambles and strings gives an item."""
    mark = r"(?i)[ \t]*@[ \t]*(?!(?:comment|preamble|string)[ \t]*[{(])\w+[ \t]*[{(]"
    check_entries(data, read_bibtex, VALID["bibtex"], mark)


def check_json(data: bytes) -> None:
    """JSON: after a record on a line, every line that is an object gives a record."""
    read_twice(data, read_json)
    items = read_twice(VALID["json"].encode() + data, read_json)
    assert_valid(items[0])
    objects = sum(map(is_object, universal_lines(data)))
    assert sum(isinstance(item, RawRecord) for item in items) == objects + 1


def is_object(line: str) -> bool:
    """Whether a line is a JSON object."""
    try:
        return isinstance(json.loads(line.strip(BLANK)), dict) and not re.search("[\udc80-\udcff]", line)
    except (ValueError, RecursionError):
        return False


def check_xml(data: bytes) -> None:
    """XML: a document is read whatever follows; every element of a well-formed one gives an item."""
    items = read_twice(data, read_pubmed_xml)
    assert_valid(next(read_pubmed_xml(stream_of(VALID["xml"].encode() + data), "a.xml")))
    if b"<!" in data:
        return
    with suppress(ElementTree.ParseError, ValueError, LookupError):
        root = ElementTree.fromstring(data)
        assert len(items) == max(1, len(root)) or root.tag != "PubmedArticleSet"


def check_table(data: bytes) -> None:
    """Tables: each line with a cell gives an item, unless quotation marks join lines."""
    read_twice(data, read_table)
    items = read_twice(VALID["table"].encode() + data, read_table)
    assert_valid(items[0])
    lines = universal_lines(VALID["table"].encode() + data)[1:]
    if b'"' not in data and max(map(len, lines)) < csv.field_size_limit():
        assert len(items) == sum(any(line.rstrip("\n").split(",")) for line in lines)


def check_files(data: bytes) -> None:
    """A file with any name, packed or not: the first line is, for example, "gzip a.ris.gz", the rest is the content."""
    head, _, content = data.partition(b"\n")
    packing, _, name = head.decode("utf-8", "replace").partition(" ")
    if packing == "gzip":
        content = gzip.compress(content, 1, mtime=0)
    elif packing == "zip":
        content = pack(content)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, re.sub(r"[^\w.]", "", name).strip(".")[:40] or "a.txt")
        path.write_bytes(content)
        found = list(read_records([path]))
        assert found == list(read_records([path]))
        for item in found:
            check_item(item)
        assert [other.name for other in Path(folder).iterdir()] == [path.name]
    assert found, "a file is ignored"


def pack(content: bytes) -> bytes:
    """A zip of two files with this content."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a.txt", "b/c.ris"):
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def read_twice(data: bytes, read: Read) -> list[Item]:
    """The items of a file, after a check: they are the same each time, and become records or rejections."""
    items = list(read(stream_of(data), "a.txt"))
    assert repr(items) == repr(list(read(stream_of(data), "a.txt"))), "the second reading differs"
    for item in items:
        check_item(parse_record(item) if isinstance(item, RawRecord) else item)
    return items


def stream_of(data: bytes) -> io.BufferedReader:
    """A file with this content."""
    return io.BufferedReader(io.BytesIO(data))  # type: ignore[arg-type] # it has the methods that are used


def universal_lines(data: bytes) -> list[str]:
    """The lines of a file with universal newlines."""
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return list(io.TextIOWrapper(io.BytesIO(data), encoding=encoding, errors="surrogateescape"))
    except UnicodeError:
        return []


def assert_valid(item: Item) -> None:
    """The item is the valid record."""
    assert isinstance(item, RawRecord), item
    record = parse_record(item)
    assert isinstance(record, Record), record
    assert (record.pmid, record.abstract) == ("777", "A cook sneezed.")
