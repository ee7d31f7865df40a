"""What a build says of itself, in `manifest.json`."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from index.embedding import EmbedderIdentity
from index.errors import IndexMismatchError, NoIndexError

FORMAT = 5
FILE_NAME = "manifest.json"
COPY_NAME = "manifest.copy.json"  # the same again: without a manifest nothing tells what a build should be
_REMEDY = "casecite index verify says what is damaged, casecite index build heals it"


class Manifest(BaseModel):
    """Written last: a build without a manifest was never finished.

    `digest` is the SHA-256 of the manifest's own text, taken with an empty `digest`. `dead_chunks` counts those that
    were deleted since the graph of neighbours was made. `files` holds the SHA-256 of each other file of the build, by
    its path in it. `collection` names the Chroma collection, which is on the server at `chroma_url` or, without one,
    in the build. `window_chars` is the chunking; vectors are carried over only between builds that agree on it and on
    the embedder. From `sources`, read with `columns` (the user's column map of each that has one) and without
    `removed` (the names of records that were asked to go), the same records can be made again.
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
        """Days since the build."""
        return (datetime.now(self.created_at.tzinfo) - self.created_at).total_seconds() / 86_400

    def to_text(self) -> str:
        """The text of the file: JSON that holds the digest of all the rest of it."""
        text = self.model_copy(update={"digest": ""}).model_dump_json(indent=2)
        return text.replace('"digest": ""', f'"digest": "{_digest(text.encode())}"', 1)


def read_manifest(build_dir: Path, name: str = FILE_NAME) -> Manifest:
    """The manifest of a finished build, or its copy.

    Raises:
        NoIndexError: there is none, or it is damaged.
        IndexMismatchError: it is of another format.
    """
    path = build_dir / name
    try:
        text = path.read_bytes()
        manifest = Manifest.model_validate_json(text)
    except OSError as error:
        raise NoIndexError(f"no finished build in {build_dir}", remedy=_REMEDY) from error
    except ValidationError as error:
        raise NoIndexError(f"{path} is damaged or of another version", remedy=_REMEDY) from error
    is_whole = _digest(text.replace(manifest.digest.encode(), b"", 1)) == manifest.digest
    if manifest.format != FORMAT and (is_whole or not manifest.digest):
        message = f"{build_dir} has format {manifest.format}, this version reads {FORMAT}"
        raise IndexMismatchError(message, remedy="build the index again: casecite index build PATH")
    if not is_whole:
        raise NoIndexError(f"{path} is damaged: it differs from what was built", remedy=_REMEDY)
    return manifest


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
