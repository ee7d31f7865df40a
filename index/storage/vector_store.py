"""Vectors of chunks in Chroma: files of a build, or a collection of a Chroma server."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import numpy as np

from index.embedding.embedder import Vectors
from index.errors import CaseciteError, NoIndexError, first_line
from index.text.normalisation import fold_text
from index.types import Chunk, Filters, Record

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

# With Chroma's 16 neighbours one chunk in forty of 186,000 is not found even where 400 are looked at; with these three
# in a thousand, for little more time (docs/experiments/storage.md, "Chunks that are not found").
# Chroma writes the graph out only after so many changes. What is not in the files each process that reads makes anew
# at its first question, and if no change is, it writes into the build.
HNSW: Any = {"hnsw": {"space": "cosine", "max_neighbors": 32, "ef_search": 800, "sync_threshold": 1}}
_DATABASE = "chroma.sqlite3"
_SEAL = "keep_as_built"
PORT, SECURE_PORT = 8000, 443  # where an address names none
BUILD_TIMEOUT_S = 60
QUESTION_TIMEOUT_S = 10  # a reader waits for it; what the words found is there already


def collection_name(build_id: str) -> str:
    """The name of a build's collection."""
    return f"casecite-{build_id}"


class VectorStore:
    """One Chroma collection: the vectors of a build's chunks, with what is needed to filter them."""

    def __init__(
        self, client: Client, collection: Collection, url: str | None, folder: TemporaryDirectory[str] | None = None
    ) -> None:
        """Take an open client, its collection, the server's address and the folder that goes with the client.

        `create` and `open` make them. Where the server stops answering, every method raises NoIndexError; they work
        again as soon as it is back.
        """
        self._client = client
        self._collection = collection
        self._url = url
        self._folder = folder

    @classmethod
    def create(cls, path: Path, name: str, url: str | None = None, copy_of: Path | None = None) -> VectorStore:
        """A new collection in the folder `path` or on the server at `url`, empty or (in a folder) a copy of another."""
        if copy_of:
            shutil.copytree(copy_of, path)
            _unseal(path)
            return cls._rename_only(path, name)
        client = _open_client(path, url, BUILD_TIMEOUT_S)
        with _asking(url):
            return cls(client, client.create_collection(name, configuration=HNSW, embedding_function=None), url)

    @classmethod
    def open(cls, path: Path, name: str, url: str | None = None) -> VectorStore:
        """An existing collection.

        Raises:
            NoIndexError: the server does not answer, there is no such collection, or it is damaged.
        """
        try:
            folder = None
            if url is None:
                (path / _DATABASE).stat()  # Chroma makes an empty one where there is none
                folder = None if _may_write(path) else _copy_database(path)
            client = _open_client(Path(folder.name) if folder else path, url, QUESTION_TIMEOUT_S)
            return cls._find(client, name, url, folder)
        except NoIndexError:
            raise
        except Exception as error:  # Chroma has a class of its own for each way of not being there
            raise NoIndexError(
                f"the vectors {name} are not in {url or path}: {error}",
                remedy="casecite index verify says what is damaged, casecite index build repairs it",
            ) from error

    @classmethod
    def _find(
        cls, client: Client, name: str, url: str | None, folder: TemporaryDirectory[str] | None = None
    ) -> VectorStore:
        try:
            return cls(client, client.get_collection(name, embedding_function=None), url, folder)
        except BaseException:
            _close_client(client)
            raise

    @classmethod
    def _rename_only(cls, path: Path, name: str) -> VectorStore:
        """The one collection of a copied folder, under its new name."""
        client = _open_client(path, None, BUILD_TIMEOUT_S)
        (collection,) = client.list_collections()
        collection.modify(name=name)
        return cls._find(client, name, None)

    def add(self, records: Sequence[Record], chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Add chunks, each with its record and its vector (shape (len(chunks), dimension), unit length)."""
        rows = list(zip(records, chunks, vectors, strict=True))
        with _asking(self._url):
            for batch in _batches(rows, self._client.get_max_batch_size()):
                self._collection.add(
                    ids=[chunk.chunk_id for _, chunk, _ in batch],
                    embeddings=np.stack([vector for _, _, vector in batch]),
                    metadatas=[_metadata(record) for record, _, _ in batch],
                )

    def delete(self, chunk_ids: Sequence[str]) -> None:
        """Remove those chunks that are here."""
        with _asking(self._url):
            for batch in _batches(list(chunk_ids), self._client.get_max_batch_size()):
                self._collection.delete(ids=list(batch))

    def query(self, vector: Vectors, top_k: int, filters: Filters | None = None) -> list[tuple[str, float]]:
        """The `top_k` nearest chunks as (chunk id, cosine similarity), best first, ties by id."""
        with _asking(self._url):
            found = self._collection.query(
                query_embeddings=vector[None], n_results=top_k, where=_where(filters), include=["distances"]
            )
            distances = (found["distances"] or [[]])[0]
            pairs = zip(found["ids"][0], distances, strict=True)
            scores = [(str(chunk_id), 1.0 - float(distance)) for chunk_id, distance in pairs]
        return sorted(scores, key=lambda pair: (-pair[1], pair[0]))

    def vectors(self, chunk_ids: Sequence[str]) -> dict[str, Vectors]:
        """The vectors of those chunks that are here, by id."""
        found: dict[str, Vectors] = {}
        with _asking(self._url):
            for batch in _batches(list(chunk_ids), self._client.get_max_batch_size()):
                part = self._collection.get(ids=list(batch), include=["embeddings"])
                embeddings = np.asarray(part["embeddings"], dtype=np.float32)
                found.update(zip(part["ids"], embeddings, strict=True))
        return found

    def __len__(self) -> int:
        with _asking(self._url):
            return int(self._collection.count())

    def close(self) -> None:
        """Release the files or the connection."""
        _close_client(self._client)
        if self._folder:
            self._folder.cleanup()


def check_server(url: str) -> None:
    """Ask a Chroma server whether it is there.

    Raises:
        NoIndexError: it does not answer.
    """
    _close_client(_open_client(Path(), url, QUESTION_TIMEOUT_S))


def drop_collection(name: str, url: str) -> bool:
    """Remove a collection from a server; whether it is gone, or was never there (not: the server does not answer)."""
    from chromadb.errors import NotFoundError

    with suppress(NoIndexError):
        client = _open_client(Path(), url, BUILD_TIMEOUT_S)
        try:
            with _asking(url), suppress(NotFoundError):
                client.delete_collection(name)
            return True
        finally:
            _close_client(client)
    return False


def seal_vectors(path: Path) -> None:
    """Make the files of a closed collection stay as they are when they are opened.

    Chroma writes a row each time it opens a database, in a table that it uses as a lock; then no digest would hold.
    """
    _run_sql(path, f"CREATE TRIGGER {_SEAL} BEFORE INSERT ON acquire_write BEGIN SELECT RAISE(IGNORE); END")


def _unseal(path: Path) -> None:
    _run_sql(path, f"DROP TRIGGER IF EXISTS {_SEAL}")


def _run_sql(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path / _DATABASE)) as connection, connection:
        connection.execute(statement)


def _may_write(path: Path) -> bool:
    return all(os.access(name, os.W_OK) for name in (path, path / _DATABASE))


def _copy_database(path: Path) -> TemporaryDirectory[str]:
    """A folder in which Chroma can open what it may not write: it writes to its database also where it only reads."""
    folder = TemporaryDirectory(prefix="casecite-")
    for entry in path.iterdir():
        if entry.is_dir():
            (Path(folder.name) / entry.name).symlink_to(entry.resolve())
    shutil.copyfile(path / _DATABASE, Path(folder.name) / _DATABASE)
    return folder


def _open_client(path: Path, url: str | None, timeout_s: float) -> Client:
    import chromadb
    import httpx
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False)
    if url is None:
        return cast("Client", chromadb.PersistentClient(path=str(path), settings=settings))
    address = urlsplit(url)
    is_secure = address.scheme == "https"
    host, port = address.hostname or "localhost", address.port or (SECURE_PORT if is_secure else PORT)
    try:
        # Chroma waits without end for a server that takes connections and then says nothing.
        httpx.get(f"{address.scheme}://{host}:{port}/api/v2/heartbeat", timeout=timeout_s).raise_for_status()
        client = cast("Client", chromadb.HttpClient(host=host, port=port, ssl=is_secure, settings=settings))
    except (ValueError, httpx.HTTPError, httpx.InvalidURL) as error:
        raise _no_answer(url) from error
    for session in _sessions(client):
        session.timeout = timeout_s
    return client


def _close_client(client: Client) -> None:
    with suppress(ValueError):  # it was closed before
        client.close()
    for session in _sessions(client):
        session.close()


def _sessions(client: Client) -> Iterator[Any]:
    """The HTTP sessions of a client of a server, which Chroma lets wait without end, and does not close."""
    parts: tuple[Any, ...] = (client, client._admin_client)
    for part in parts:
        if session := getattr(part._server, "_session", None):
            yield session


@contextmanager
def _asking(url: str | None) -> Iterator[None]:
    """Say in words that the server at `url` does not answer, or not as it should, or has lost the collection."""
    from chromadb.errors import NotFoundError
    from httpx import TransportError

    try:
        yield
    except TransportError as error:
        raise _no_answer(url) from error
    except NotFoundError as error:
        raise NoIndexError(
            f"the vectors are no longer in {url}", remedy="ask again, or build the index again"
        ) from error
    except CaseciteError:
        raise
    except Exception as error:  # what is no answer of Chroma's it meets with whatever error that leads to
        if url is None:
            raise
        message = f"the Chroma server at {url} does not answer as it should: {first_line(error)}"
        raise NoIndexError(message, remedy="see its log, or start it again") from error


def _no_answer(url: str | None) -> NoIndexError:
    remedy = "start it (chroma run --path DIR --port N) or unset CASECITE_CHROMA_URL"
    return NoIndexError(f"no Chroma server answers at {url}", remedy=remedy)


def _batches(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _metadata(record: Record) -> Mapping[str, Any]:
    """What the filters ask for, and the id: Chroma refuses a row of nothing, as it does None and empty lists."""
    values = {
        "record_id": record.record_id,
        "year": record.year,
        "journal": fold_text(record.journal) if record.journal else None,
        "publication_types": [fold_text(name) for name in record.publication_types],
        "open_access": record.is_open_access,
    }
    return {name: value for name, value in values.items() if value not in (None, [])}


def _where(filters: Filters | None) -> Any:
    """The filters in Chroma's query language, or None for no filter."""
    if not filters:
        return None
    clauses: list[dict[str, Any]] = []
    if filters.year_from is not None:
        clauses.append({"year": {"$gte": filters.year_from}})
    if filters.year_to is not None:
        clauses.append({"year": {"$lte": filters.year_to}})
    if filters.journals:
        clauses.append({"journal": {"$in": [fold_text(name) for name in filters.journals]}})
    if filters.publication_types:
        kinds = [{"publication_types": {"$contains": fold_text(name)}} for name in filters.publication_types]
        clauses.append({"$or": kinds} if len(kinds) > 1 else kinds[0])
    if filters.open_access is not None:
        clauses.append({"open_access": filters.open_access})
    return {"$and": clauses} if len(clauses) > 1 else clauses[0]
