"""What surrounds every request to the page: its id and its user, a line in the log, headers for the browser.

Plain ASGI: what passes through it, streams above all, is not copied by a task in between.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.api.admission import Caller, caller

# Gradio's page has scripts and styles of its own in its text, and makes functions of text; nothing may come from, or go
# to, anywhere else, whatever a record or a model writes.
_CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_ID = re.compile(r"[\w-]{8,64}")
_LOG = logging.getLogger(__name__)

FindUser = Callable[[Request], str | None]
"""Who has logged in, by a request of theirs."""


class RequestLog:
    """Sets who calls for all that is done in a request's name, and logs what changes something or fails."""

    def __init__(self, app: ASGIApp, find_user: FindUser) -> None:
        """Take the application within."""
        self._app, self._find_user = app, find_user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its reply back."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request, started = Request(scope), time.perf_counter()
        who = Caller(self._find_user(request) or address_of(request), _choose_id(request))
        caller.set(who)
        # Gradio runs events apart from the request that sends them; there they find the id again.
        MutableHeaders(scope=scope)["x-request-id"] = who.request_id

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update({**SECURITY_HEADERS, "X-Request-ID": who.request_id})
                _tell(request, message["status"], time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, reply)


def address_of(request: Request) -> str:
    """The address that a request comes from, or that a proxy on this computer says it does."""
    return request.client.host if request.client else "unknown"


def _tell(request: Request, status: int, seconds: float) -> None:
    if request.method == "POST" or status >= 400:
        told = {"method": request.method, "path": request.url.path, "status": status, "ms": round(seconds * 1_000)}
        _LOG.log(logging.INFO if status < 400 else logging.WARNING, "request", extra=told)


def _choose_id(request: Request) -> str:
    """The id that a proxy has given a request, or a new one."""
    given = request.headers.get("x-request-id", "")
    return given if _ID.fullmatch(given) else uuid4().hex[:16]
