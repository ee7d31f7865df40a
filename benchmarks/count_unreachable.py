"""Count collections of near duplicates in which a vector does not find itself."""

from __future__ import annotations

import argparse
import tempfile

import chromadb
import numpy as np
from chromadb.config import Settings

from index import DEMO_RECORDS, Record, read_records
from index.build import SAME_VECTOR
from index.chunking import chunk_record, embedding_text
from index.embedding import Vectors, load_embedder
from index.store import HNSW

NEAR_DUPLICATES = 300
TEXT = "Patient {number} drank {number} litres of tea. "


def main() -> None:
    """Build the collections, and print in how many a vector was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("collections", type=int, help="how many, about half a second each")
    count = parser.parse_args().collections
    vectors = embed_texts()
    missing = sum(count_missed(vectors) > 0 for _ in range(count))
    print(f"a vector is missed in {missing} of {count} collections of {len(vectors)}")


def embed_texts() -> Vectors:
    """The vectors of the demo's chunks, then those of texts that differ in a number."""
    demo = [record for record in read_records([DEMO_RECORDS]) if isinstance(record, Record)]
    texts = [embedding_text(record, chunk) for record in demo for chunk in chunk_record(record)]
    texts += [TEXT.format(number=number) * 20 for number in range(NEAR_DUPLICATES)]
    return load_embedder().embed_documents(texts)


def count_missed(vectors: Vectors) -> int:
    """How many of the vectors do not find themselves in a new collection."""
    with tempfile.TemporaryDirectory() as folder:
        client = chromadb.PersistentClient(folder, Settings(anonymized_telemetry=False))
        collection = client.create_collection("vectors", configuration=HNSW, embedding_function=None)
        collection.add(ids=[str(number) for number in range(len(vectors))], embeddings=vectors)
        nearest = [collection.query(query_embeddings=row[None], n_results=1)["distances"] for row in vectors]
        client.close()
    return int(np.sum([1 - found[0][0] < SAME_VECTOR for found in nearest if found]))


if __name__ == "__main__":
    main()
