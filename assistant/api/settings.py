"""Settings of the server; each is read from the environment variable CASECITE_<NAME>."""

from __future__ import annotations

from hmac import compare_digest

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from assistant.api.logs import LogFormat
from index.errors import WrongUseError


class PageSettings(BaseSettings):
    """Logins, editors, limits and the log of the server."""

    model_config = SettingsConfigDict(env_prefix="CASECITE_", frozen=True, extra="forbid")

    auth: dict[str, SecretStr] = Field(
        default_factory=dict,
        description='Who may log in, as JSON: {"name": "password"}. Empty: the page asks for no login.',
    )
    editors: tuple[str, ...] = Field(
        default=(), description='Which of them may add records from the page, as JSON: ["name"]. Empty: nobody.'
    )
    allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description='Host names of the server, as JSON: ["reports.example.org"]. A server on loopback (127.0.0.1) '
        "accepts these and loopback names only; any other server accepts all names if none are listed.",
    )
    max_questions: int = Field(
        default=64, ge=1, description="Most questions in progress at a time; more get the error “busy” at once."
    )
    questions_per_minute: int = Field(
        default=30, ge=1, description="Most questions of one user (by login, or else by address) in a minute."
    )
    max_upload_mb: int = Field(default=200, ge=1, description="Largest file that editors may upload, in megabytes.")
    log_format: LogFormat = Field(
        default="text", description="Format of the log on stderr: `text`, or `json` with one object a line."
    )

    def may_log_in(self, name: str, password: str) -> bool:
        """Whether name and password are those of a login."""
        known = self.auth.get(name)
        return known is not None and compare_digest(known.get_secret_value().encode(), password.encode())

    def may_edit(self, name: str | None) -> bool:
        """Whether the user with this login may add records; False without a login."""
        return name is not None and name in self.auth and name in self.editors


def page_settings() -> PageSettings:
    """The settings from the environment.

    Raises:
        WrongUseError: one of them is invalid; the error names it but not its value, which can be a password.
    """
    try:
        return PageSettings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        name, problem = str(first["loc"][0]), str(first["msg"])
    except SettingsError as error:
        name, problem = str(error).split('"')[1], "it is not JSON"
    raise WrongUseError(f"CASECITE_{name.upper()}: {problem}", remedy="docs/page.md lists the settings")
