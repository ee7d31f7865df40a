"""The server of the page, and beside it of the endpoints for programs."""

from __future__ import annotations

import socket

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from assistant.assistant import Assistant
from assistant.mcp_server import mount_mcp
from assistant.page.layout import TITLE, build_page
from assistant.page.settings import PageSettings
from assistant.page.theme import THEME, read_head
from index.errors import WrongUseError

MAX_UPLOAD = "200mb"
MAX_WAITING = 64
UPLOAD_PATH = "/gradio_api/upload"


def serve_page(assistant: Assistant, host: str = "127.0.0.1", port: int = 7860, *, mcp: bool = False) -> None:
    """Serve the page until it is stopped; with `mcp` the tools for language models too, at `/mcp`.

    Raises:
        WrongUseError: the port is taken or cannot be used, or tools without a login are wanted beside a page with one.
    """
    settings = PageSettings()
    if mcp and settings.auth:
        raise WrongUseError(
            "the tools at /mcp ask for no login, and CASECITE_AUTH says that the page does",
            remedy="serve one of them by a process of its own",
        )
    with _bind(host, port) as listener:
        # Loads the models, so that the first question need not wait for them.
        assistant.search(TITLE)
        app = build_app(assistant, settings, host, listener.getsockname()[1], mcp=mcp)
        config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=3)
        print(f"casecite is at http://{host}:{listener.getsockname()[1]} (Ctrl-C ends it)", flush=True)  # noqa: T201
        uvicorn.Server(config).run(sockets=[listener])


def build_app(assistant: Assistant, settings: PageSettings, host: str, port: int, *, mcp: bool = False) -> FastAPI:
    """The application that serves the page, and with `mcp` the tools for language models."""
    app = FastAPI(openapi_url=None)
    if mcp:
        mount_mcp(app, assistant, host)
    page = build_page(assistant, settings).queue(max_size=MAX_WAITING)
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        page,
        path="/",
        server_name=host,
        server_port=port,
        auth=settings.may_log_in if settings.auth else None,
        footer_links=["api"],
        max_file_size=MAX_UPLOAD,
        show_error=True,
        theme=THEME,
        head=read_head(),
        ssr_mode=False,
        pwa=False,
    )
    mounted.add_middleware(_UploadGuard, settings=settings, page=mounted.routes[-1].app)  # type: ignore[attr-defined]
    return mounted


class _UploadGuard:
    """Gradio takes files from anybody who may open the page, asked for or not; only editors are to send any.

    Plain ASGI: what passes through it, streams above all, is not copied by a task in between.
    """

    def __init__(self, app: ASGIApp, settings: PageSettings, page: gr.routes.App) -> None:
        self._app, self._settings, self._page = app, settings, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(UPLOAD_PATH):
            user = _find_user(Request(scope), self._page)
            if not self._settings.may_edit(user):
                refusal = JSONResponse({"detail": "no files are taken from you"}, status_code=403)
                return await refusal(scope, receive, send)
        await self._app(scope, receive, send)


def _find_user(request: Request, page: gr.routes.App) -> str | None:
    """Who has logged in, by the token that Gradio has given them."""
    names = (f"access-token-{page.cookie_id}", f"access-token-unsecure-{page.cookie_id}")
    return next((page.tokens.get(request.cookies[name]) for name in names if name in request.cookies), None)


def _bind(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise WrongUseError(f"cannot serve on {host}:{port}: {error}", remedy="choose another --port") from error
