"""Settings of the assistant; each can be set in the environment as CASECITE_<NAME>."""

from __future__ import annotations

import hashlib
from pathlib import Path

from platformdirs import user_data_path
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class AssistantSettings(BaseSettings):
    """Settings for answering questions."""

    model_config = SettingsConfigDict(env_prefix="CASECITE_", frozen=True, extra="forbid")

    llm: str | None = Field(
        default=None,
        description="Chat model that writes answers, as provider:model; without one, answers consist of quotes.",
    )
    llm_base_url: str | None = Field(
        default=None, description="Address of the chat model's server, such as an OpenAI-compatible one of your own."
    )
    llm_window: int | None = Field(
        default=None,
        ge=1_024,
        description="Context window of the chat model, in tokens; by default its known window.",
    )
    top_k: int = Field(default=8, ge=1, le=100, description="How many records are read for an answer.")
    reranker: str | None = Field(
        default=None,
        description="Cross-encoder (a name on the hub or a folder) that ranks the records instead of the reader.",
    )

    feedback_path: Path = Field(
        default_factory=lambda: user_data_path("casecite", appauthor=False) / "feedback.sqlite",
        description="File in which the page stores users' verdicts on answers.",
    )

    @property
    def settings_id(self) -> str:
        """An id of the settings that affect answers."""
        return hashlib.sha256(self.model_dump_json(exclude={"feedback_path"}).encode()).hexdigest()[:12]
