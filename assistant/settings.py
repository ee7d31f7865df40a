"""Settings of the assistant; each can be set in the environment as CASECITE_<NAME>."""

from __future__ import annotations

import hashlib
from pathlib import Path

from platformdirs import user_data_path
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class AssistantSettings(BaseSettings):
    """How questions are answered."""

    model_config = SettingsConfigDict(env_prefix="CASECITE_", frozen=True, extra="forbid")

    llm: str | None = Field(
        default=None,
        description="Chat model that writes answers, as provider:model; without one, answers are made of quotes.",
    )
    llm_base_url: str | None = Field(
        default=None, description="Address of the chat model's server, such as an OpenAI-compatible one of your own."
    )
    llm_window: int | None = Field(
        default=None,
        ge=1_024,
        description="Tokens that the chat model can take, prompt and answer together; by default what is known of it.",
    )
    top_k: int = Field(default=8, ge=1, le=100, description="How many records are read for an answer.")
    reranker: str | None = Field(
        default=None,
        description="Cross-encoder (a name on the hub or a folder) that ranks the records in the reader's place.",
    )

    feedback_path: Path = Field(
        default_factory=lambda: user_data_path("casecite", appauthor=False) / "feedback.sqlite",
        description="File in which the page keeps what users say of answers.",
    )

    @property
    def settings_id(self) -> str:
        """The same for settings that answer alike."""
        return hashlib.sha256(self.model_dump_json(exclude={"feedback_path"}).encode()).hexdigest()[:12]
