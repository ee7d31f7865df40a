"""Middleware that checks each request: its host name and origin, path, size and rate.

Plain ASGI, so that streams are not copied by another task.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from fastapi.responses import JSONResponse
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.api.admission import caller
from assistant.api.request_log import FindUser, address_of
from assistant.api.settings import PageSettings

API = "/gradio_api"
# Every path that the page and its clients need. Gradio serves more: proxies, recordings, code editing, histories.
_OPEN_PATHS = re.compile(
    r"/(?:|health|metrics|mcp|login/?|logout|config/?|favicon\.ico|manifest\.json|robots\.txt|theme\.css"
    r"|(?:static|assets|svelte)/.*)"
    rf"|{API}/(?:queue/(?:join|data)|heartbeat/[\w-]+|call/.+|run/\w+/?|api/\w+/?|cancel|reset/?|info/?|openapi\.json"
    r"|login_check/?|user/?|token/?|app_id/?|startup-events|theme\.css)"
)
_EDITORS_PATHS = re.compile(rf"{API}/(?:upload(?:_progress)?|file=.*)")
MAX_BODY_BYTES = 1_000_000
CALLS_PER_MINUTE = 300
WRONG_LOGINS_PER_MINUTE = 10
_CALLS = RateLimitItemPerMinute(CALLS_PER_MINUTE)
_WRONG_LOGINS = RateLimitItemPerMinute(WRONG_LOGINS_PER_MINUTE)
# Paths that take a password, with the status for a wrong one.
_WRONG_LOGIN_STATUS = {"/login": 400, "/login/": 400, "/metrics": 401}
_HOST = re.compile(r"\[[^\]]*\]|[^:]*")
_TOO_MUCH = 413


class Guard:
    """Passes valid requests on to `app` and refuses all others; `host` is the address that the server listens on."""

    def __init__(self, app: ASGIApp, settings: PageSettings, host: str, find_user: FindUser) -> None:
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
        refusal = self._check_origin(request) or self._check_path(request) or self._check_amount(request)
        body = _Body(receive, self._max_bytes(request))

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                if body.is_too_long:
                    message["status"] = _TOO_MUCH
                self._note_wrong_login(request, message["status"])
            await send(message)

        await (refusal or self._app)(scope, body.receive, reply)

    def _check_origin(self, request: Request) -> ASGIApp | None:
        """The refusal of a request to a wrong host name, or from a page of another server."""
        if self._hosts is not None and _host_name(request.headers.get("host", "")) not in self._hosts:
            return _refuse(421, "unknown host name; CASECITE_ALLOWED_HOSTS lists the names of this server")
        if request.method == "POST" and not self._is_own_page(request):
            return _refuse(
                403,
                "pages of other servers may not send requests; CASECITE_ALLOWED_HOSTS lists the names of this server",
            )
        return None

    def _check_path(self, request: Request) -> ASGIApp | None:
        path = request.url.path
        if _EDITORS_PATHS.fullmatch(path):
            may_edit = self._settings.may_edit(self._find_user(request))
            return None if may_edit else _refuse(403, "only editors may send files")
        return None if _OPEN_PATHS.fullmatch(path) else _refuse(404, "not found")

    def _check_amount(self, request: Request) -> ASGIApp | None:
        if int(request.headers.get("content-length", "0")) > self._max_bytes(request):
            return _refuse(_TOO_MUCH, "the request is too large")
        if request.url.path in _WRONG_LOGIN_STATUS:
            may_call = self._limiter.test(_WRONG_LOGINS, address_of(request))
        else:
            may_call = request.method != "POST" or self._limiter.hit(_CALLS, caller.get().user)
        return None if may_call else _refuse(429, "too many requests; try again in a minute")

    def _note_wrong_login(self, request: Request, status: int) -> None:
        """Count failed logins only: many users behind one address may log in within a minute."""
        has_password = request.method == "POST" or "authorization" in request.headers
        if has_password and _WRONG_LOGIN_STATUS.get(request.url.path) == status:
            self._limiter.hit(_WRONG_LOGINS, address_of(request))

    def _is_own_page(self, request: Request) -> bool:
        """Whether a request comes from a page of this server, or from no page."""
        origin = request.headers.get("origin")
        if origin is None:
            return True
        name = _host_name(origin.rpartition("//")[2])
        return name in (self._hosts or ()) or name == _host_name(request.headers.get("host", ""))

    def _max_bytes(self, request: Request) -> int:
        is_upload = _EDITORS_PATHS.fullmatch(request.url.path)
        return self._settings.max_upload_mb * 1_000_000 + MAX_BODY_BYTES if is_upload else MAX_BODY_BYTES


class _Body:
    """The body of a request, read no further than `max_bytes`."""

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


def is_loopback(host: str) -> bool:
    """Whether an address is reachable from this computer only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _list_hosts(host: str, settings: PageSettings) -> frozenset[str] | None:
    """The host names that requests may use; None for any.

    Prevents DNS rebinding: a web page cannot reach a server on loopback through a visitor's browser.
    """
    own = {"127.0.0.1", "localhost", "::1", host}
    if not is_loopback(host) and not settings.allowed_hosts:
        return None
    return frozenset(name.casefold() for name in (*own, *settings.allowed_hosts))


def _host_name(address: str) -> str:
    """The name in an address, without the port."""
    return _HOST.match(address)[0].strip("[]").casefold()  # type: ignore[index] # it matches any


def _refuse(status: int, why: str) -> ASGIApp:
    return JSONResponse({"detail": why}, status_code=status)
