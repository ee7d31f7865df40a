"""Health check and Prometheus metrics of the server."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest

from assistant.api.admission import AdmissionControl
from assistant.api.settings import PageSettings
from assistant.assistant import Assistant
from index.errors import CaseciteError

HEALTH_SECONDS = 5.0  # how long a result is cached
PROBE = "case report"


def add_monitoring(app: FastAPI, assistant: Assistant, admission: AdmissionControl, settings: PageSettings) -> None:
    """Add `/health` and `/metrics` to an app; call it before anything is mounted at `/`."""
    health = _Health(assistant)
    _add_index_metrics(assistant, admission)

    @app.get("/health")
    async def health_check() -> JSONResponse:
        status, state = await health.check()
        return JSONResponse(state, status)

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        if settings.auth and not _is_authenticated(request, settings.may_log_in):
            return Response(status_code=401, headers={"WWW-Authenticate": 'Basic realm="casecite metrics"'})
        content = await asyncio.to_thread(generate_latest, admission.registry)
        return Response(content, media_type=CONTENT_TYPE_LATEST)


class _Health:
    """Whether questions can be answered: the result of a search, cached for HEALTH_SECONDS."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._lock = asyncio.Lock()
        self._checked_at = -HEALTH_SECONDS
        self._state: tuple[int, dict[str, Any]] = (503, {})

    async def check(self) -> tuple[int, dict[str, Any]]:
        """The HTTP status and the state as JSON types."""
        async with self._lock:
            if time.monotonic() - self._checked_at >= HEALTH_SECONDS:
                self._state = await asyncio.to_thread(_search_index, self._assistant)
                self._checked_at = time.monotonic()
        return self._state


def _search_index(assistant: Assistant) -> tuple[int, dict[str, Any]]:
    try:
        build = assistant.index.current()
        found = build.search(PROBE, 1)
    except CaseciteError as error:
        # Without the message, which can hold paths of the server; `casecite doctor` shows it.
        return 503, {"status": "unavailable", "reason": type(error).__name__}
    is_whole = all(passage.stage == "hybrid" for passage in found)
    state = {"status": "ok" if is_whole else "degraded", "index_id": build.manifest.build_id}
    return 200, state | {"record_count": build.manifest.record_count}


def _add_index_metrics(assistant: Assistant, admission: AdmissionControl) -> None:
    def gauge(name: str, meaning: str, read: Callable[[], float]) -> None:
        def read_or_none() -> float:
            try:
                return read()
            except CaseciteError:
                return float("nan")

        Gauge(name, meaning, registry=admission.registry).set_function(read_or_none)

    gauge("casecite_index_records", "Records of the index.", lambda: assistant.index.manifest.record_count)

    def built_at() -> float:
        return assistant.index.manifest.created_at.timestamp()

    gauge("casecite_index_built_timestamp_seconds", "When the index was built.", built_at)


def _is_authenticated(request: Request, may_log_in: Callable[[str, str], bool]) -> bool:
    """Whether a request has a valid login of the page, by HTTP Basic authentication as Prometheus sends it."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return False
    return kind.lower() == "basic" and may_log_in(name, password)
