"""Settings of the index; each can be set in the environment as CASECITE_<NAME>."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_data_path
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PACKAGED_EMBEDDER = "all-MiniLM-L6-v2"


class IndexSettings(BaseSettings):
    """Where the index is and how its vectors are made."""

    model_config = SettingsConfigDict(env_prefix="CASECITE_", frozen=True, extra="forbid")

    index_dir: Path = Field(
        default_factory=lambda: user_data_path("casecite", appauthor=False) / "index",
        description="Folder of the index.",
    )
    embedder: str = Field(
        default=PACKAGED_EMBEDDER,
        description="Embedding model: the packaged one, a folder, or a name on the Hugging Face hub.",
    )
    chroma_url: str | None = Field(
        default=None,
        description="Address of a Chroma server that holds the vectors, instead of files in the index folder.",
    )
    ray_address: str | None = Field(
        default=None,
        description="Ray cluster that embeds the records of a build: `HOST:PORT`, `auto` for the one that this machine "
        "belongs to, or `local` for one of this machine's processors; none for the building process itself.",
    )


def index_settings(index_dir: str | Path | None = None) -> IndexSettings:
    """The settings of the environment, with another folder if one is given."""
    return IndexSettings(index_dir=Path(index_dir)) if index_dir else IndexSettings()
