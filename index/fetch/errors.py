"""The error that ends a fetch."""

from __future__ import annotations

from index.errors import CaseciteError


class FetchFailedError(CaseciteError):
    """A fetch could not be finished; what its file holds is whole, and the same call goes on there."""
