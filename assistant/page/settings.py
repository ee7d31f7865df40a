"""Settings of the page; each can be set in the environment as CASECITE_<NAME>."""

from __future__ import annotations

from hmac import compare_digest

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class PageSettings(BaseSettings):
    """Who may use the page, and who may change the index from it."""

    model_config = SettingsConfigDict(env_prefix="CASECITE_", frozen=True, extra="forbid")

    auth: dict[str, SecretStr] = Field(
        default_factory=dict,
        description='Who may log in, as JSON: {"name": "password"}. Empty: the page asks for no login.',
    )
    editors: tuple[str, ...] = Field(
        default=(), description='Who of them may add records from the page, as JSON: ["name"]. Empty: nobody.'
    )

    def may_log_in(self, name: str, password: str) -> bool:
        """Whether this is somebody's name and password."""
        known = self.auth.get(name)
        return known is not None and compare_digest(known.get_secret_value().encode(), password.encode())

    def may_edit(self, name: str | None) -> bool:
        """Whether whoever has logged in by this name may add records. Nobody may without a login."""
        return name is not None and name in self.auth and name in self.editors
