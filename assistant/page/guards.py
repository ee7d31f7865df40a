"""What every request to the page passes: who calls, what may be called, how much may be sent, what browsers may do.

Plain ASGI throughout: what passes through it, streams above all, is not copied by a task in between.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from ipaddress import ip_address
from uuid import uuid4

from fastapi.responses import JSONResponse
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.page.settings import PageSettings
from assistant.traffic import Caller, caller

API = "/gradio_api"
# All that the page, its clients and programs need. Gradio serves more: proxies, recordings, code editing, histories.
_OPEN_PATHS = re.compile(
    r"/(?:|health|metrics|mcp|login/?|logout|config/?|favicon\.ico|manifest\.json|robots\.txt|theme\.css"
    r"|(?:static|assets|svelte)/.*)"
    rf"|{API}/(?:queue/(?:join|data)|heartbeat/[\w-]+|call/.+|run/\w+/?|api/\w+/?|cancel|reset/?|info/?|openapi\.json"
    r"|login_check/?|user/?|token/?|app_id/?|startup-events|theme\.css)"
)
_EDITORS_PATHS = re.compile(rf"{API}/(?:upload(?:_progress)?|file=.*)")
MAX_BODY_BYTES = 1_000_000
CALLS_PER_MINUTE = 300
LOGINS_PER_MINUTE = 10
_HOST = re.compile(r"\[[^\]]*\]|[^:]*")
_REQUEST_ID = re.compile(r"[\w-]{8,64}")
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
_LOG = logging.getLogger(__name__)

FindUser = Callable[[Request], str | None]
"""Who has logged in, by a request of theirs."""


class Guard:
    """Lets through what may pass, knows each request by an id, and logs those that change something or fail."""

    def __init__(self, app: ASGIApp, settings: PageSettings, host: str, find_user: FindUser) -> None:
        """Take the application behind it, and the address that it listens on."""
        self._app, self._settings, self._find_user = app, settings, find_user
        self._hosts = _list_hosts(host, settings)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        request = Request(scope)
        user = self._find_user(request)
        address = request.client.host if request.client else "unknown"
        who = Caller(user or address, _choose_id(request))
        caller.set(who)
        # What the page does later in a request's name knows it by these.
        MutableHeaders(scope=scope)["x-request-id"] = who.request_id
        refusal = (
            self._refuse_name(request)
            or self._refuse_path(request.url.path, user)
            or self._refuse_amount(request, who, address)
        )
        body = _Body(receive, self._max_bytes(request))
        await (refusal or self._app)(scope, body.receive, _Answer(send, request, who, body).send)

    def _refuse_name(self, request: Request) -> ASGIApp | None:
        """What a request is answered that calls the server by a wrong name, or for a page of another one."""
        if self._hosts is not None and _host_name(request.headers.get("host", "")) not in self._hosts:
            return _refuse(421, "the page is not called by this name; CASECITE_ALLOWED_HOSTS lists those it is")
        if request.method == "POST" and not self._is_own_page(request):
            return _refuse(403, "pages of other servers may ask nothing here; CASECITE_ALLOWED_HOSTS lists own names")
        return None

    def _refuse_path(self, path: str, user: str | None) -> ASGIApp | None:
        if _EDITORS_PATHS.fullmatch(path):
            return None if self._settings.may_edit(user) else _refuse(403, "no files are taken from you")
        return None if _OPEN_PATHS.fullmatch(path) else _refuse(404, "there is nothing here")

    def _refuse_amount(self, request: Request, who: Caller, address: str) -> ASGIApp | None:
        if int(request.headers.get("content-length", "0")) > self._max_bytes(request):
            return _refuse(413, "this is more than may be sent")
        if request.method == "POST" and not self._may_call(request.url.path, who, address):
            return _refuse(429, "too many requests; try again in a minute")
        return None

    def _is_own_page(self, request: Request) -> bool:
        """Whether a request that a browser sends for a page is for one of this server's own."""
        origin = request.headers.get("origin")
        if origin is None:
            return True
        name = _host_name(origin.rpartition("//")[2])
        return name in (self._hosts or ()) or name == _host_name(request.headers.get("host", ""))

    def _may_call(self, path: str, who: Caller, address: str) -> bool:
        if path.startswith("/login"):
            return self._limiter.hit(RateLimitItemPerMinute(LOGINS_PER_MINUTE), "login", address)
        return self._limiter.hit(RateLimitItemPerMinute(CALLS_PER_MINUTE), "call", who.user)

    def _max_bytes(self, request: Request) -> int:
        is_upload = _EDITORS_PATHS.fullmatch(request.url.path)
        return self._settings.max_upload_mb * 1_000_000 + MAX_BODY_BYTES if is_upload else MAX_BODY_BYTES


class _Body:
    """What a client sends, as far as it may: where it is more, the rest is not read."""

    def __init__(self, receive: Receive, max_bytes: int) -> None:
        self._receive, self._left = receive, max_bytes

    @property
    def is_too_long(self) -> bool:
        return self._left < 0

    async def receive(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self.is_too_long:
            return {"type": "http.request", "body": b"", "more_body": False}
        return message


class _Answer:
    """An answer on its way: it gets the headers, and a line in the log if it changes something or fails."""

    def __init__(self, send: Send, request: Request, who: Caller, body: _Body) -> None:
        self._send, self._request, self._who, self._body = send, request, who, body
        self._started = time.perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self._body.is_too_long:
                message["status"] = 413
            headers = MutableHeaders(scope=message)
            headers.update({**SECURITY_HEADERS, "X-Request-ID": self._who.request_id})
            if self._request.method == "POST" or message["status"] >= 400:
                self._tell(message["status"])
        await self._send(message)

    def _tell(self, status: int) -> None:
        ms = round((time.perf_counter() - self._started) * 1_000)
        told = {"method": self._request.method, "path": self._request.url.path, "status": status, "ms": ms}
        _LOG.log(logging.INFO if status < 400 else logging.WARNING, "request", extra=told)


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this computer alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _list_hosts(host: str, settings: PageSettings) -> frozenset[str] | None:
    """The names that requests may call the server by; None for any.

    Or else a web page could reach a server of this computer through a visitor's browser, by a name of its own.
    """
    own = {"127.0.0.1", "localhost", "::1", host}
    if not is_loopback(host) and not settings.allowed_hosts:
        return None
    return frozenset(name.casefold() for name in (*own, *settings.allowed_hosts))


def _host_name(address: str) -> str:
    """The name in an address, without the port."""
    return _HOST.match(address)[0].strip("[]").casefold()  # type: ignore[index] # it matches any


def _choose_id(request: Request) -> str:
    """The id that a proxy has given a request, or a new one."""
    given = Headers(scope=request.scope).get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex[:16]


def _refuse(status: int, why: str) -> ASGIApp:
    return JSONResponse({"detail": why}, status_code=status)
