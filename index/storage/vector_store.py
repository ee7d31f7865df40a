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

# With Chroma's default of 16 neighbours, 1 of 40 in 186,000 chunks is not found by its own vector even with `ef_search`
# 400; with these settings 3 of 1,000, at little cost (docs/experiments/storage.md, "Chunks that are not found").
# `sync_threshold`: changes after which Chroma writes its graph to the files. With its default, each process that reads
# would build the rest of the graph at its first query, and write it into the build.
HNSW: Any = {"hnsw": {"space": "cosine", "max_neighbors": 32, "ef_search": 800, "sync_threshold": 1}}
_DATABASE = "chroma.sqlite3"
_SEAL = "keep_as_built"
_PORT, _SECURE_PORT = 8000, 443  # defaults of an address without a port
BUILD_TIMEOUT_S = 60
QUESTION_TIMEOUT_S = 10  # a user waits for it, and keyword search has its results


def collection_name(build_id: str) -> str:
    """The name of a build's collection."""
    return f"casecite-{build_id}"


class VectorStore:
    """One Chroma collection: the vectors of a build's chunks with the metadata that filters need.

    Every method raises NoIndexError if the server does not answer; they work again when it does. `folder` is a
    temporary copy of files that this user may not write.
    """

    def __init__(
        self, client: Client, collection: Collection, url: str | None, folder: TemporaryDirectory[str] | None = None
    ) -> None:
        self._client = client
        self._collection = collection
        self._url = url
        self._folder = folder

    @classmethod
    def create(cls, path: Path, name: str, url: str | None = None, copy_of: Path | None = None) -> VectorStore:
        """A new collection in the folder `path` or on the server at `url`, empty or (in a folder) a copy of another."""
        if copy_of:
            shutil.copytree(copy_of, path)
            _run_sql(path, f"DROP TRIGGER IF EXISTS {_SEAL}")
        client = _open_client(path, url, BUILD_TIMEOUT_S)
        with _explaining_server_errors(url):
            if not copy_of:
                return cls(client, client.create_collection(name, configuration=HNSW, embedding_function=None), url)
            (collection,) = client.list_collections()
            collection.modify(name=name)
            return cls(client, client.get_collection(name, embedding_function=None), url)

    @classmethod
    def open(cls, path: Path, name: str, url: str | None = None) -> VectorStore:
        """An existing collection.

        Raises:
            NoIndexError: the server does not answer, there is no such collection, or it is damaged.
        """
        try:
            folder = None
            if url is None:
                (path / _DATABASE).stat()  # without it, Chroma would create an empty database
                if not all(os.access(file, os.W_OK) for file in (path, path / _DATABASE)):
                    folder = _copy_database(path)
            client = _open_client(Path(folder.name) if folder else path, url, QUESTION_TIMEOUT_S)
            try:
                return cls(client, client.get_collection(name, embedding_function=None), url, folder)
            except BaseException:
                _close_client(client)
                raise
        except NoIndexError:
            raise
        except Exception as error:  # Chroma raises many kinds of errors if a collection is missing or damaged
            raise NoIndexError(
                f"the vectors {name} are not in {url or path}: {error}",
                remedy="casecite index verify says what is damaged, casecite index build repairs it",
            ) from error

    def add(self, records: Sequence[Record], chunks: Sequence[Chunk], vectors: Vectors) -> None:
        """Add chunks, each with its record and its vector (shape (len(chunks), dimension), unit length)."""
        rows = list(zip(records, chunks, vectors, strict=True))
        with _explaining_server_errors(self._url):
            for batch in _batches(rows, self._client.get_max_batch_size()):
                self._collection.add(
                    ids=[chunk.chunk_id for _, chunk, _ in batch],
                    embeddings=np.stack([vector for _, _, vector in batch]),
                    metadatas=[_metadata(record) for record, _, _ in batch],
                )

    def delete(self, chunk_ids: Sequence[str]) -> None:
        """Remove chunks, if they are here."""
        with _explaining_server_errors(self._url):
            for batch in _batches(list(chunk_ids), self._client.get_max_batch_size()):
                self._collection.delete(ids=list(batch))

    def query(self, vector: Vectors, top_k: int, filters: Filters | None = None) -> list[tuple[str, float]]:
        """The `top_k` nearest chunks as (chunk id, cosine similarity), best first, ties by id."""
        with _explaining_server_errors(self._url):
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
        with _explaining_server_errors(self._url):
            for batch in _batches(list(chunk_ids), self._client.get_max_batch_size()):
                part = self._collection.get(ids=list(batch), include=["embeddings"])
                embeddings = np.asarray(part["embeddings"], dtype=np.float32)
                found.update(zip(part["ids"], embeddings, strict=True))
        return found

    def __len__(self) -> int:
        with _explaining_server_errors(self._url):
            return int(self._collection.count())

    def close(self) -> None:
        """Close the files or the connection."""
        _close_client(self._client)
        if self._folder:
            self._folder.cleanup()


def check_server(url: str) -> None:
    """Check that a Chroma server answers.

    Raises:
        NoIndexError: it does not.
    """
    _close_client(_open_client(Path(), url, QUESTION_TIMEOUT_S))


def drop_collection(name: str, url: str) -> bool:
    """Remove a collection from a server, if it is there; False if the server does not answer."""
    from chromadb.errors import NotFoundError

    with suppress(NoIndexError):
        client = _open_client(Path(), url, BUILD_TIMEOUT_S)
        try:
            with _explaining_server_errors(url), suppress(NotFoundError):
                client.delete_collection(name)
            return True
        finally:
            _close_client(client)
    return False


def seal_vectors(path: Path) -> None:
    """Keep the files of a closed collection unchanged when they are opened.

    Each time Chroma opens a database, it writes a row to a table that it uses as a lock, which would change the digest.
    """
    _run_sql(path, f"CREATE TRIGGER {_SEAL} BEFORE INSERT ON acquire_write BEGIN SELECT RAISE(IGNORE); END")


def _run_sql(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path / _DATABASE)) as connection, connection:
        connection.execute(statement)


def _copy_database(path: Path) -> TemporaryDirectory[str]:
    """A folder with a copy of the database and links to the graph: Chroma writes to its database even to read it."""
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
    host, port = address.hostname or "localhost", address.port or (_SECURE_PORT if is_secure else _PORT)
    try:
        # Chroma itself has no timeout for a server that accepts connections and does not answer.
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
    """The HTTP sessions of a client of a server, to which Chroma sets no timeout and which it does not close."""
    parts: tuple[Any, ...] = (client, client._admin_client)
    for part in parts:
        if session := getattr(part._server, "_session", None):
            yield session


@contextmanager
def _explaining_server_errors(url: str | None) -> Iterator[None]:
    """Raise errors of the server at `url` as NoIndexError; errors of an embedded Chroma stay as they are."""
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
    except Exception as error:  # Chroma's client raises any kind of error for an invalid answer
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
    """The metadata for filters, and the id: Chroma refuses empty metadata, None and empty lists."""
    values = {
        "record_id": record.record_id,
        "year": record.year,
        "journal": fold_text(record.journal) if record.journal else None,
        "publication_types": [fold_text(name) for name in record.publication_types],
        "open_access": record.is_open_access,
    }
    return {name: value for name, value in values.items() if value not in (None, [])}


def _where(filters: Filters | None) -> Any:
    """The filters in Chroma's query language, or None without filters."""
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
