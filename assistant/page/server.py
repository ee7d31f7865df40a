"""The web server: the page, the endpoints for programs, monitoring, and optionally MCP tools."""

from __future__ import annotations

import logging
import socket
from functools import partial

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request

from assistant.api.admission import AdmissionControl
from assistant.api.guard import Guard, is_loopback
from assistant.api.logs import configure_logging
from assistant.api.mcp_server import mount_mcp
from assistant.api.monitoring import add_monitoring
from assistant.api.request_log import RequestLog
from assistant.api.settings import PageSettings, page_settings
from assistant.assistant import Assistant
from assistant.page.layout import TITLE, build_page
from assistant.page.theme import THEME, read_head
from index.errors import WrongUseError

MAX_WAITING = 512
CONCURRENT_EVENTS = 8  # of each kind other than questions
SPARE_EVENTS = 64  # threads for these and for questions that are refused
_LOG = logging.getLogger(__name__)


def serve_page(assistant: Assistant, host: str = "127.0.0.1", port: int = 7860, *, mcp: bool = False) -> None:
    """Serve the page until interrupted; with `mcp` also the tools for language models, at `/mcp`.

    Raises:
        WrongUseError: the port cannot be used, a setting is invalid, or `mcp` is combined with a login, which the
            tools do not ask for.
    """
    settings = page_settings()
    if mcp and settings.auth:
        raise WrongUseError(
            "the tools at /mcp have no login, but CASECITE_AUTH requires one for the page",
            remedy="serve them in separate processes",
        )
    configure_logging(settings.log_format)
    with _bind(host, port) as listener:
        # Loads the models before the first question.
        assistant.search(TITLE)
        app = build_app(assistant, settings, host, listener.getsockname()[1], mcp=mcp)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=3
        )
        print(f"casecite is at http://{host}:{listener.getsockname()[1]} (Ctrl-C ends it)", flush=True)  # noqa: T201
        if not is_loopback(host) and not settings.auth:
            _LOG.warning("anyone who can reach %s may ask questions: there is no login (CASECITE_AUTH sets one)", host)
        uvicorn.Server(config).run(sockets=[listener])


def build_app(assistant: Assistant, settings: PageSettings, host: str, port: int, *, mcp: bool = False) -> FastAPI:
    """The FastAPI application with the page, and with `mcp` the tools for language models."""
    app = FastAPI(openapi_url=None)
    admission = AdmissionControl(settings.max_questions, settings.questions_per_minute)
    add_monitoring(app, assistant, admission, settings)
    if mcp:
        mount_mcp(app, assistant, admission, host)
    page = build_page(assistant, admission, settings)
    # Enough threads that Gradio does not queue questions before admission control sees them.
    page.max_threads = settings.max_questions + SPARE_EVENTS
    page.queue(max_size=MAX_WAITING, default_concurrency_limit=CONCURRENT_EVENTS)
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        page,
        path="/",
        server_name=host,
        server_port=port,
        auth=settings.may_log_in if settings.auth else None,
        footer_links=["api"],
        max_file_size=f"{settings.max_upload_mb}mb",
        show_error=False,  # only errors that are raised as gr.Error
        run_history=False,  # otherwise browsers store the questions
        theme=THEME,
        head=read_head(),
        ssr_mode=False,
        pwa=False,
    )
    gradio_app = mounted.routes[-1].app  # type: ignore[attr-defined]
    find_user = partial(_find_user, page=gradio_app)
    # The last one added is the outermost: refused requests are logged too.
    mounted.add_middleware(Guard, settings=settings, host=host, find_user=find_user)
    mounted.add_middleware(RequestLog, find_user=find_user)
    return mounted


def _find_user(request: Request, page: gr.routes.App) -> str | None:
    """The login name of the session token in Gradio's cookie, or None."""
    names = (f"access-token-{page.cookie_id}", f"access-token-unsecure-{page.cookie_id}")
    return next((page.tokens.get(request.cookies[name]) for name in names if name in request.cookies), None)


def _bind(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise WrongUseError(f"cannot serve on {host}:{port}: {error}", remedy="choose another --port") from error
