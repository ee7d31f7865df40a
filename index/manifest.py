"""What a build says of itself, in `manifest.json`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from index.embedding import EmbedderIdentity
from index.errors import NoIndexError

FORMAT = 4
FILE_NAME = "manifest.json"


class Manifest(BaseModel):
    """Written last: a build without a manifest was never finished.

    `dead_chunks` counts those that were deleted since the graph of neighbours was made. `files` holds the SHA-256 of
    each file of the build, by its path in it. `collection` names the Chroma collection, which is on the server at
    `chroma_url` or, without one, in the build. `window_chars` is the chunking; vectors are carried over only between
    builds that agree on it and on the embedder.
    """

    model_config = ConfigDict(frozen=True)

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
    versions: dict[str, str]
    files: dict[str, str] = {}

    @property
    def age_days(self) -> float:
        """Days since the build."""
        return (datetime.now(self.created_at.tzinfo) - self.created_at).total_seconds() / 86_400


def read_manifest(build_dir: Path) -> Manifest:
    """The manifest of a finished build.

    Raises:
        NoIndexError: there is none, it is damaged, or it is of another format.
    """
    remedy = "build the index again: casecite index build PATH"
    try:
        manifest = Manifest.model_validate_json((build_dir / FILE_NAME).read_bytes())
    except OSError as error:
        raise NoIndexError(f"no finished build in {build_dir}", remedy=remedy) from error
    except ValidationError as error:
        raise NoIndexError(f"{build_dir / FILE_NAME} is damaged or of another version", remedy=remedy) from error
    if manifest.format != FORMAT:
        raise NoIndexError(f"{build_dir} has format {manifest.format}, this version reads {FORMAT}", remedy=remedy)
    return manifest
