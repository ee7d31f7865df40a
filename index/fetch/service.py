"""Rate-limited HTTP client with retries for public services; its messages never contain the API key."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version

import httpx
from pydantic import SecretStr
from tenacity import RetryCallState, retry, retry_if_exception_type, wait_exponential_jitter

from index.fetch.errors import ServiceFault, ServiceRefusal

REQUEST_TIMEOUT_S = 60.0
TRIES = 6  # with pauses of about 1, 2, 4, 8 and 16 seconds
TRIES_IF_REFUSED = 3  # more than one, because services also refuse requests for temporary reasons
LONGEST_PAUSE_S = 120.0
ERROR_CHARS = 500  # an answer is searched so far for an error; later matches may be from a record

_LOG = logging.getLogger(__name__)
# How NCBI and Europe PMC report errors, even with status 200.
_ERROR = re.compile(r'"(?:error|ERROR|errMsg)"\s*:\s*"([^"]{1,300})|<ERROR>([^<]{1,300})')
_back_off = wait_exponential_jitter(initial=1, max=LONGEST_PAUSE_S)


class ServiceClient:
    """The HTTP client for one service, whose name is used in messages.

    Redirects are not followed, as a request may contain the secret (an API key), which no message contains.
    """

    def __init__(
        self, service: str, *, email: str | None, requests_per_s: float, secret: SecretStr | None = None
    ) -> None:
        self._service = service
        self._secret = secret.get_secret_value() if secret else None
        contact = f" (mailto:{email})" if email else ""
        self._http = httpx.Client(
            timeout=REQUEST_TIMEOUT_S,
            headers={"User-Agent": f"casecite/{version('casecite')}{contact}"},
            event_hooks={"request": [_RateLimit(requests_per_s)]},
        )

    def get(self, url: str, parameters: Mapping[str, str | int]) -> bytes:
        """The body of the answer to a GET request. Raises ServiceFault if it fails."""
        return self._send(self._http.build_request("GET", url, params=dict(parameters)))

    def post(self, url: str, form: Mapping[str, str | int]) -> bytes:
        """The body of the answer to a form, which is not logged like a URL. Raises ServiceFault if it fails."""
        return self._send(self._http.build_request("POST", url, data=dict(form)))

    def fault(self, reason: str, kind: type[ServiceFault] = ServiceFault, retry_after_s: float = 0.0) -> ServiceFault:
        """An error with the name of the service and a reason on one line, without the secret."""
        line = " ".join(reason.split())
        if self._secret:
            line = line.replace(self._secret, "...")
        return kind(f"{self._service}: {line}", retry_after_s=retry_after_s)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send(self, request: httpx.Request) -> bytes:
        try:
            response = self._http.send(request)
        except httpx.TimeoutException:
            raise self.fault(f"no answer within {REQUEST_TIMEOUT_S:.0f} s") from None
        except httpx.HTTPError as error:
            raise self.fault(f"connection failed: {error or type(error).__name__}") from None
        found = _ERROR.search(response.text[:ERROR_CHARS])
        if response.is_success and not found:
            return response.content
        is_temporary = response.status_code in {408, 429} or response.is_server_error
        pause_s = _retry_after_s(response.headers.get("Retry-After"))
        parts = (
            "" if response.is_success else f"HTTP {response.status_code} {response.reason_phrase}",
            (found[1] or found[2]) if found else "",
            f"it asks for a pause of {pause_s:.0f} s" if pause_s else "",
        )
        raise self.fault(", ".join(filter(None, parts)), ServiceFault if is_temporary else ServiceRefusal, pause_s)


class _RateLimit:
    """Delays each request so that no second has more than are allowed."""

    def __init__(self, requests_per_s: float) -> None:
        self._pause_s = 1.1 / requests_per_s  # 10 % longer than required, because transmission times vary
        self._next = 0.0

    def __call__(self, _: httpx.Request) -> None:
        now = time.monotonic()
        self._next = max(self._next, now) + self._pause_s
        time.sleep(self._next - self._pause_s - now)


def _retry_after_s(value: str | None) -> float:
    """The seconds of a Retry-After header, which is a number or a date."""
    if value is None:
        return 0.0
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # not a date, or one without a time zone
        return 0.0


def _fault_of(state: RetryCallState) -> ServiceFault:
    fault = state.outcome.exception() if state.outcome else None
    assert isinstance(fault, ServiceFault)  # noqa: S101 - only these are retried
    return fault


def _should_stop(state: RetryCallState) -> bool:
    fault = _fault_of(state)
    tries = TRIES_IF_REFUSED if isinstance(fault, ServiceRefusal) else TRIES
    return state.attempt_number >= tries or fault.retry_after_s > LONGEST_PAUSE_S


with_retries = retry(
    retry=retry_if_exception_type(ServiceFault),
    stop=_should_stop,
    wait=lambda state: max(_fault_of(state).retry_after_s, _back_off(state)),
    before_sleep=lambda state: _LOG.warning("%s; retry in %.0f s", _fault_of(state), state.upcoming_sleep),
    reraise=True,
)
"""Decorator that retries after a `ServiceFault`, with growing pauses or those that the service asks for."""
