"""Settings of the page; each can be set in the environment as CASECITE_<NAME>."""

from __future__ import annotations

from hmac import compare_digest

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from assistant.api.logs import LogFormat
from index.errors import WrongUseError


class PageSettings(BaseSettings):
    """Who may use the page and how much, who may change the index from it, and what is logged."""

    model_config = SettingsConfigDict(env_prefix="CASECITE_", frozen=True, extra="forbid")

    auth: dict[str, SecretStr] = Field(
        default_factory=dict,
        description='Who may log in, as JSON: {"name": "password"}. Empty: the page asks for no login.',
    )
    editors: tuple[str, ...] = Field(
        default=(), description='Who of them may add records from the page, as JSON: ["name"]. Empty: nobody.'
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description='Names that the page may be called by, as JSON: ["reports.example.org"]. A page for this computer '
        "alone (127.0.0.1) answers to no others but its own; a page for others answers to any if none are named.",
    )
    max_questions: int = Field(
        default=64, ge=1, description="How many questions may be in work; to any more the answer is “busy”, at once."
    )
    questions_per_minute: int = Field(
        default=30, ge=1, description="How many questions one user (by login, or else by address) may ask in a minute."
    )
    max_upload_mb: int = Field(default=200, ge=1, description="How large the files that editors send may be.")
    log_format: LogFormat = Field(
        default="text", description="What the server writes to stderr: `text`, or `json` with an object a line."
    )

    def may_log_in(self, name: str, password: str) -> bool:
        """Whether this is somebody's name and password."""
        known = self.auth.get(name)
        return known is not None and compare_digest(known.get_secret_value().encode(), password.encode())

    def may_edit(self, name: str | None) -> bool:
        """Whether whoever has logged in by this name may add records. Nobody may without a login."""
        return name is not None and name in self.auth and name in self.editors


def page_settings() -> PageSettings:
    """The settings of the environment.

    Raises:
        WrongUseError: one of them cannot be read; the error names it and never holds its value, a password perhaps.
    """
    try:
        return PageSettings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name, problem = str(first["loc"][0]), str(first["msg"])
    except SettingsError as error:
        name, problem = str(error).split('"')[1], "it is no JSON"
    raise WrongUseError(f"CASECITE_{name.upper()}: {problem}", remedy="docs/page.md lists the settings")
