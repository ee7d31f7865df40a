"""The error that ends a fetch, and the errors of a service that lead to it."""

from __future__ import annotations

from index.errors import CaseciteError


class FetchFailedError(CaseciteError):
    """A fetch could not be finished. Its file has only complete records, and the same call continues it."""


class ServiceFault(Exception):
    """A service gave no valid answer; `retry_after_s` is the pause that it asks for."""

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ServiceRefusal(ServiceFault):
    """A service answered that it rejects the request."""
