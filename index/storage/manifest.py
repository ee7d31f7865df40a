"""What a build says of itself, in `manifest.json`."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from index.embedding.embedder import EmbedderIdentity
from index.errors import IndexMismatchError, NoIndexError
from index.storage.read_errors import name_fault

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
        """Days since the build; 0 where the clock was set back since."""
        return max(0.0, (datetime.now(self.created_at.tzinfo) - self.created_at).total_seconds() / 86_400)

    def to_text(self) -> str:
        """The text of the file: JSON that holds the digest of all the rest of it."""
        text = self.model_copy(update={"digest": ""}).model_dump_json(indent=2)
        return text.replace('"digest": ""', f'"digest": "{_digest(text.encode())}"', 1)


class _Header(BaseModel):
    """What the manifests of all formats have."""

    format: int
    digest: str = ""


class OlderOrigin(BaseModel):
    """What a build of an older format says of where its records are from, see `Manifest`."""

    model_config = ConfigDict(frozen=True)

    record_count: int
    sources: tuple[str, ...]
    columns: dict[str, dict[str, str]] = {}
    removed: tuple[str, ...] = ()
    files: dict[str, str] = {}


def read_manifest(build_dir: Path, name: str = FILE_NAME) -> Manifest:
    """The manifest of a finished build, or its copy.

    Raises:
        NoIndexError: there is none, or it is damaged.
        IndexMismatchError: it is of another format.
    """
    path = build_dir / name
    text = _read_text(path)
    try:
        _check_format(path, text)
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise _damaged(path) from error


def read_older_origin(build_dir: Path) -> OlderOrigin | None:
    """What a build of an older format was made from, or None where that is not known for sure."""
    for name in (FILE_NAME, COPY_NAME):
        with suppress(NoIndexError, ValidationError):
            text = _read_text(build_dir / name)
            if _read_header(build_dir / name, text).format < FORMAT:
                return OlderOrigin.model_validate_json(text)
    return None


def _read_text(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NoIndexError(f"no finished build in {path.parent}", remedy=_REMEDY) from error
    except OSError as error:
        raise name_fault(path, error) from error


def _read_header(path: Path, text: bytes) -> _Header:
    """What every format has. The first formats had no digest."""
    header = _Header.model_validate_json(text)
    is_whole = header.digest == _digest(text.replace(header.digest.encode(), b"", 1))
    if not is_whole and (header.digest or header.format == FORMAT):
        raise _damaged(path)
    return header


def _check_format(path: Path, text: bytes) -> None:
    found = _read_header(path, text).format
    if found > FORMAT:
        remedy = "use the casecite that built it, or a newer one; or casecite index build PATH, with its records"
    elif found < FORMAT:
        remedy = "casecite index build makes it again, from the same records"
    else:
        return
    raise IndexMismatchError(f"{path.parent} has format {found}, this version reads {FORMAT}", remedy=remedy)


def _damaged(path: Path) -> NoIndexError:
    return NoIndexError(f"{path} is damaged: it differs from what was built", remedy=_REMEDY)


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
