"""What `fetching.md` is made of that can be made: the figures by which a fetch goes."""

from __future__ import annotations

from index.fetch import europe_pmc, pubmed, service
from index.fetch.settings import FetchSettings


def figures_table() -> str:
    """How much is asked for at once, how often, and how long an answer is waited for."""
    rows = [
        ("records a page", f"{pubmed.PAGE_RECORDS}"),
        ("requests a second to PubMed, at most", f"{pubmed.REQUESTS_PER_S}"),
        ("the same with an API key", f"{pubmed.REQUESTS_PER_S_WITH_KEY}"),
        ("requests a second to Europe PMC, at most", f"{europe_pmc.REQUESTS_PER_S}"),
        ("silence after which an answer is given up, s", f"{service.TIMEOUT_S:.0f}"),
        ("times a request is sent that fails", f"{service.TRIES}"),
        ("times a request is sent that is refused", f"{service.TRIES_IF_REFUSED}"),
        ("longest pause that a service may ask for, s", f"{service.LONGEST_PAUSE_S:.0f}"),
        ("records of a search that PubMed lists", f"{pubmed.MAX_LISTED:,}"),
    ]
    return "\n".join(["| what | figure |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in rows)])


def settings_table() -> str:
    """The settings of a fetch."""
    rows = [
        f"| `CASECITE_{name.upper()}` | {field.description} |" for name, field in FetchSettings.model_fields.items()
    ]
    return "\n".join(["| variable | what it sets |", "|---|---|", *rows])
