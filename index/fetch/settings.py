"""Settings of fetching; each can be set in the environment as CASECITE_<NAME>."""

from __future__ import annotations

import re

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from index.errors import WrongUseError

_EMAIL = re.compile(r"[!-?A-~]+@[!-?A-~]+")  # of ASCII, as it stands in a header


class FetchSettings(BaseSettings):
    """Who asks PubMed and Europe PMC, and where they are."""

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
    """The settings of the environment, with another e-mail address if one is given.

    Raises:
        WrongUseError: the address is none.
    """
    settings = FetchSettings(email=email) if email else FetchSettings()
    if settings.email and not _EMAIL.fullmatch(settings.email):
        raise WrongUseError(f"no e-mail address: {settings.email!r}", remedy="mend --email or CASECITE_EMAIL")
    return settings
