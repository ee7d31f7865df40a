"""Invariants of records, their chunks, and rejections."""

from __future__ import annotations

import json
import re
from itertools import pairwise

from index.ingest.chunking import chunk_record
from index.ingest.formats.raw_record import MAX_RAW_CHARS, RawRecord
from index.ingest.identifiers import name_content, name_record
from index.ingest.records import parse_record
from index.text.cleaning import clean_text
from index.types import Record, Rejection

MAX_CHUNK_CHARS = 2_000  # more than a window of 600 and a sentence of 900


def check_item(item: Record | Rejection) -> None:
    """The invariants of a record or a rejection."""
    if isinstance(item, Record):
        check_record(item)
        return
    assert item.reason
    assert len(item.raw) <= MAX_RAW_CHARS
    assert item.line is None or item.line >= 1
    json.dumps(item.to_dict(), ensure_ascii=False).encode()


def check_record(record: Record) -> None:
    """The rules of docs/datamodel.md, and that an exported record reads back as itself."""
    written = json.dumps(record.to_dict(), ensure_ascii=False)
    assert "\\u0000" not in written
    written.encode()
    assert Record.from_dict(json.loads(written)) == record
    for name, value in record.to_dict().items():
        for text in value if isinstance(value, tuple) else [value]:
            assert not isinstance(text, str) or (text.strip() and text == clean_text(text)), (name, text)
    check_id(record)
    check_sections(record)
    check_chunks(record)
    again = parse_record(RawRecord(file="other.jsonl", line=1, data=json.loads(written)))
    assert again == record, "it reads back as another record"


def check_id(record: Record) -> None:
    """The id is the DOI in lower case, otherwise the PMID, otherwise a hash of the text."""
    expected = name_record(record.doi, record.pmid) or name_content(record.title, record.abstract)
    assert record.record_id == expected or record.record_id.startswith(("pmid:", "sha256:"))
    assert record.doi is None or re.fullmatch(r"10\.\S+/\S+", record.doi)
    assert record.doi is None or record.doi == record.doi.lower()
    assert record.pmid is None or re.fullmatch(r"[1-9]\d*", record.pmid, re.ASCII)
    assert record.pmcid is None or re.fullmatch(r"PMC[1-9]\d*", record.pmcid, re.ASCII)


def check_sections(record: Record) -> None:
    """Sections are labelled, ordered spans of the abstract without overlap."""
    edges = [edge for _, start, end in record.sections for edge in (start, end)]
    assert all(before <= after for before, after in pairwise([0, *edges, len(record.abstract)]))
    assert all(label.strip() and record.abstract[start:end].strip() for label, start, end in record.sections)


def check_chunks(record: Record) -> None:
    """Chunks cover the abstract in order without overlap, and are deterministic."""
    chunks = chunk_record(record)
    assert chunks == chunk_record(record)
    assert "".join(chunk.text for chunk in chunks) == record.abstract
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    assert [chunk.start for chunk in chunks[1:]] == [chunk.end for chunk in chunks[:-1]]
    for chunk in chunks:
        assert record.abstract[chunk.start : chunk.end] == chunk.text
        assert chunk.text.strip() or len(chunks) == 1
        assert len(chunk.text) <= MAX_CHUNK_CHARS
