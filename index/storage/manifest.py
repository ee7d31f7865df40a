"""The manifest of a build: its metadata, in `manifest.json`."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from index.embedding.embedder import EmbedderIdentity
from index.errors import IndexMismatchError, NoIndexError
from index.storage.read_errors import explain_read_error

FORMAT = 1
FILE_NAME = "manifest.json"
COPY_NAME = "manifest.copy.json"  # a second copy: without a manifest nothing says what a build should be
_REMEDY = "casecite index verify says what is damaged, casecite index build repairs it"


class Manifest(BaseModel):
    """The metadata of a build. It is written last: a build without a manifest was never finished.

    `digest` is the SHA-256 of the manifest's own text with an empty `digest`. `dead_chunks` counts the chunks deleted
    since the nearest-neighbour graph was built. `files` is the SHA-256 of each other file, by its path in the build.
    `collection` names the Chroma collection, which is on the server at `chroma_url` or, without one, in the build.
    `window_chars` is the chunk size; vectors are reused only between builds with the same one and the same embedder.
    `sources`, read with `columns` (the column map of each that has one) and without `removed` (the names of removed
    records), give the same records again.
    """

    model_config = ConfigDict(frozen=True)

    digest: str = ""
    format: int = FORMAT
    build_id: str
    created_at: AwareDatetime
    record_count: int
    chunk_count: int
    rejected_count: int
    digest_count: int
    dead_chunks: int
    embedder: EmbedderIdentity
    window_chars: int
    collection: str
    chroma_url: str | None
    sources: tuple[str, ...]
    columns: dict[str, dict[str, str]] = {}
    removed: tuple[str, ...] = ()
    versions: dict[str, str]
    files: dict[str, str] = {}

    @property
    def age_days(self) -> float:
        """Days since the build; 0 if the clock was set back since."""
        return max(0.0, (datetime.now(self.created_at.tzinfo) - self.created_at).total_seconds() / 86_400)

    def to_text(self) -> str:
        """The text of the file: JSON with the digest of all the rest of it."""
        text = self.model_copy(update={"digest": ""}).model_dump_json(indent=2)
        return text.replace('"digest": ""', f'"digest": "{_digest(text.encode())}"', 1)


class _Header(BaseModel):
    """What the manifests of all formats have."""

    format: int
    digest: str


def read_manifest(build_dir: Path, name: str = FILE_NAME) -> Manifest:
    """The manifest of a finished build, or its copy.

    Raises:
        NoIndexError: there is none, or it is damaged.
        IndexMismatchError: it is of another format.
    """
    path = build_dir / name
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NoIndexError(f"no finished build in {build_dir}", remedy=_REMEDY) from error
    except OSError as error:
        raise explain_read_error(path, error) from error
    try:
        header = _Header.model_validate_json(text)
        if header.digest != _digest(text.replace(header.digest.encode(), b"", 1)):
            raise _damaged(path)
        if header.format != FORMAT:
            raise IndexMismatchError(
                f"{build_dir} has index format {header.format}, this version reads {FORMAT}",
                remedy="build the index again from its records: casecite index build PATH",
            )
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> NoIndexError:
    return NoIndexError(f"{path} is damaged: it differs from what was built", remedy=_REMEDY)


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
