"""Requests to a public service: in no haste, patient with its faults, without a word of what is secret."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version

import httpx
from pydantic import SecretStr
from tenacity import RetryCallState, retry, retry_if_exception_type, wait_exponential_jitter

TIMEOUT_S = 60.0  # of silence
TRIES = 6  # with pauses of about 1, 2, 4, 8 and 16 seconds
TRIES_IF_REFUSED = 3  # services say no to what they cannot do just now as they do to what they never will
LONGEST_PAUSE_S = 120.0
ERROR_CHARS = 500  # of an answer that is an error: further on the same words may be a record's

_LOG = logging.getLogger(__name__)
# How NCBI and Europe PMC say in an answer, whatever its status, that it is none.
_ERROR = re.compile(r'"(?:error|ERROR|errMsg)"\s*:\s*"([^"]{1,300})|<ERROR>([^<]{1,300})')
_back_off = wait_exponential_jitter(initial=1, max=LONGEST_PAUSE_S)


class ServiceFault(Exception):
    """A service did not answer as it should; `retry_after_s` is how long it asks to be left alone."""

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        """Take what was wrong, naming the service."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ServiceRefusal(ServiceFault):
    """A service answered that it will not do what was asked."""


class ServiceClient:
    """The HTTP client for one service.

    Redirects are not followed: a request may hold a secret.
    """

    def __init__(
        self, service: str, *, email: str | None, requests_per_s: float, secret: SecretStr | None = None
    ) -> None:
        """Take the service's name for messages, and a secret that no message may hold."""
        self._service = service
        self._secret = secret.get_secret_value() if secret else None
        contact = f" (mailto:{email})" if email else ""
        self._http = httpx.Client(
            timeout=TIMEOUT_S,
            headers={"User-Agent": f"casecite/{version('casecite')}{contact}"},
            event_hooks={"request": [_Pace(requests_per_s)]},
        )

    def get(self, url: str, parameters: Mapping[str, str | int]) -> bytes:
        """The body of the answer.

        Raises:
            ServiceFault: there is none, or it says that something is wrong.
        """
        return self._ask(lambda: self._http.get(url, params=dict(parameters)))

    def post(self, url: str, form: bytes) -> bytes:
        """The body of the answer to an encoded form, which unlike an address is logged nowhere.

        Raises:
            ServiceFault: there is none, or it says that something is wrong.
        """
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask(lambda: self._http.post(url, content=form, headers=kind))

    def fault(self, reason: str, kind: type[ServiceFault] = ServiceFault, retry_after_s: float = 0.0) -> ServiceFault:
        """An error that names the service and why, in one line."""
        line = " ".join(reason.split())
        if self._secret:
            line = line.replace(self._secret, "...")
        return kind(f"{self._service}: {line}", retry_after_s=retry_after_s)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _ask(self, request: Callable[[], httpx.Response]) -> bytes:
        try:
            response = request()
        except httpx.TimeoutException:
            raise self.fault(f"no answer within {TIMEOUT_S:.0f} s") from None
        except httpx.HTTPError as error:
            raise self.fault(f"the connection failed: {error or type(error).__name__}") from None
        found = _ERROR.search(response.text[:ERROR_CHARS])
        said = (found[1] or found[2]) if found else ""
        if response.is_success and not found:
            return response.content
        passes = response.status_code in {408, 429} or response.is_server_error
        pause_s = _retry_after_s(response.headers.get("Retry-After"))
        parts = (
            "" if response.is_success else f"HTTP {response.status_code} {response.reason_phrase}",
            said,
            f"it asks for a pause of {pause_s:.0f} s" if pause_s else "",
        )
        raise self.fault(", ".join(filter(None, parts)), ServiceFault if passes else ServiceRefusal, pause_s)


class _Pace:
    """Holds a request back until it is its turn."""

    def __init__(self, requests_per_s: float) -> None:
        self._pause_s = 1.1 / requests_per_s  # a little more than it must: on their way requests draw together
        self._next = 0.0

    def __call__(self, _: httpx.Request) -> None:
        now = time.monotonic()
        self._next = max(self._next, now) + self._pause_s
        time.sleep(self._next - self._pause_s - now)


def _retry_after_s(value: str | None) -> float:
    """The seconds of a Retry-After header, which holds a number or a date."""
    if value is None:
        return 0.0
    if value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a time zone
        return 0.0


def _fault_of(state: RetryCallState) -> ServiceFault:
    fault = state.outcome.exception() if state.outcome else None
    assert isinstance(fault, ServiceFault)  # noqa: S101 - nothing else is tried again
    return fault


def _is_enough(state: RetryCallState) -> bool:
    fault = _fault_of(state)
    tries = TRIES_IF_REFUSED if isinstance(fault, ServiceRefusal) else TRIES
    return state.attempt_number >= tries or fault.retry_after_s > LONGEST_PAUSE_S


def _pause_s(state: RetryCallState) -> float:
    return max(_fault_of(state).retry_after_s, _back_off(state))


def _tell(state: RetryCallState) -> None:
    _LOG.warning("%s; asked again in %.0f s", _fault_of(state), state.upcoming_sleep)


patiently = retry(
    retry=retry_if_exception_type(ServiceFault), stop=_is_enough, wait=_pause_s, before_sleep=_tell, reraise=True
)
"""Calls a function again after a `ServiceFault`, later and later, or when the service says; at last raises it."""
