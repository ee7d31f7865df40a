"""Settings of fetching; each can be set in the environment as CASECITE_<NAME>."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from index.errors import WrongUseError

_EMAIL = re.compile(r"[!-?A-~]+@[!-?A-~]+")  # ASCII only, because it is sent in a header


class FetchSettings(BaseSettings):
    """The identity of the client, and the addresses of PubMed and Europe PMC."""

    model_config = SettingsConfigDict(env_prefix="CASECITE_", frozen=True, extra="forbid")

    email: str | None = Field(
        default=None, description="Your e-mail address, which NCBI asks of all who fetch from PubMed."
    )
    ncbi_api_key: SecretStr | None = Field(
        default=None, description="API key of your NCBI account: ten requests a second to PubMed instead of three."
    )
    eutils_url: str = Field(
        default="https://eutils.ncbi.nlm.nih.gov/entrez/eutils", description="Address of NCBI's E-utilities."
    )
    europepmc_url: str = Field(
        default="https://www.ebi.ac.uk/europepmc/webservices/rest", description="Address of Europe PMC's web service."
    )


def fetch_settings(email: str | None = None) -> FetchSettings:
    """The settings from the environment; `email` overrides the address.

    Raises:
        WrongUseError: the address is invalid.
    """
    settings = FetchSettings(email=email) if email else FetchSettings()
    if settings.email and not _EMAIL.fullmatch(settings.email):
        raise WrongUseError(f"no e-mail address: {settings.email!r}", remedy="correct --email or CASECITE_EMAIL")
    return settings
