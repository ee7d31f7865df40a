"""Middleware that sets a request's id and user, logs it, and adds security headers to the reply.

Plain ASGI, so that streams are not copied by another task.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.api.admission import Caller, caller

# Gradio's page needs inline scripts and styles, and `eval`. Nothing may be loaded from or sent to another server,
# whatever a record or a model writes.
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
"""The login name of the user who sent a request, or None."""


class RequestLog:
    """Sets the current caller for each request, and logs POST requests and failures."""

    def __init__(self, app: ASGIApp, find_user: FindUser) -> None:
        self._app, self._find_user = app, find_user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started = time.perf_counter()
        headers = MutableHeaders(scope=scope)
        given = headers.get("x-request-id", "")  # from a proxy
        headers["x-request-id"] = request_id = given if _ID.fullmatch(given) else uuid4().hex[:16]
        request = Request(scope)
        set_caller(request, self._find_user(request))

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update({**SECURITY_HEADERS, "X-Request-ID": request_id})
                _log(request, message["status"], time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, reply)


def address_of(request: Request) -> str:
    """The client's address, as given by a trusted proxy where there is one (uvicorn sets it)."""
    return request.client.host if request.client else "unknown"


def set_caller(request: Any, user: str | None) -> None:
    """Set `caller` from a request of Starlette or Gradio; Gradio runs an event outside of its request's context."""
    caller.set(Caller(user or address_of(request), request.headers.get("x-request-id", "-")))


def _log(request: Request, status: int, seconds: float) -> None:
    if request.method == "POST" or status >= 400:
        logged = {"method": request.method, "path": request.url.path, "status": status, "ms": round(seconds * 1_000)}
        _LOG.log(logging.INFO if status < 400 else logging.WARNING, "request", extra=logged)
