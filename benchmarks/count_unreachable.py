"""Count vector stores of near duplicates in which a chunk does not find itself."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from index import DEMO_RECORDS, Record, read_records
from index.building.run import SAME_VECTOR
from index.embedding.embedder import Vectors, load_embedder
from index.ingest.chunking import chunk_record, embedding_text
from index.storage.vector_store import VectorStore
from index.types import Chunk

NEAR_DUPLICATES = 300
TEXT = "Patient {number} drank {number} litres of tea. "

Row = tuple[Record, Chunk]


def main() -> None:
    """Fill the stores, and print in how many a chunk was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stores", type=int, help="how many, about half a second each")
    count = parser.parse_args().stores
    rows = make_rows()
    vectors = load_embedder().embed_documents([embedding_text(record, chunk) for record, chunk in rows])
    missed = [count_missed(rows, vectors) for _ in range(count)]
    print(f"{sum(missed)} of {count * len(rows)} chunks are missed, in {sum(map(bool, missed))} of {count} stores")


def make_rows() -> list[Row]:
    """The demo's chunks, then those of records that differ in a number."""
    records = [item for item in read_records([DEMO_RECORDS]) if isinstance(item, Record)]
    for number in range(NEAR_DUPLICATES):
        text = TEXT.format(number=number) * 20
        records.append(replace(records[0], record_id=f"pmid:{number}", abstract=text, sections=()))
    return [(record, chunk) for record in records for chunk in chunk_record(record)]


def count_missed(rows: Sequence[Row], vectors: Vectors) -> int:
    """How many of the chunks do not find themselves in a new store."""
    with tempfile.TemporaryDirectory() as folder:
        store = VectorStore.create(Path(folder), "vectors")
        store.add([record for record, _ in rows], [chunk for _, chunk in rows], vectors)
        found = sum(similarity >= SAME_VECTOR for row in vectors for _, similarity in store.query(row, 1))
        store.close()
    return len(rows) - found


if __name__ == "__main__":
    main()
