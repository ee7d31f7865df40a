"""What watches the server: whether it answers, and its metrics in Prometheus' format."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest

from assistant.api.admission import Traffic
from assistant.api.settings import PageSettings
from assistant.assistant import Assistant
from index.errors import CaseciteError

HEALTH_SECONDS = 5.0  # a state is kept for so long, so that asking for it is no load
PROBE = "case report"


def add_monitoring(app: FastAPI, assistant: Assistant, traffic: Traffic, settings: PageSettings) -> None:
    """Add `/health` and `/metrics` to an app; call it before anything is mounted at `/`."""
    health = _Health(assistant)
    _add_index_metrics(assistant, traffic)

    @app.get("/health")
    async def tell_health() -> JSONResponse:
        status, state = await health.look()
        return JSONResponse(state, status)

    @app.get("/metrics")
    async def tell_metrics(request: Request) -> Response:
        if settings.auth and not _knows_password(request, settings.may_log_in):
            return Response(status_code=401, headers={"WWW-Authenticate": 'Basic realm="casecite metrics"'})
        content = await asyncio.to_thread(generate_latest, traffic.registry)
        return Response(content, media_type=CONTENT_TYPE_LATEST)


class _Health:
    """Whether questions can be answered, by a search now and then."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant
        self._looking = asyncio.Lock()
        self._looked = -HEALTH_SECONDS
        self._state: tuple[int, dict[str, Any]] = (503, {})

    async def look(self) -> tuple[int, dict[str, Any]]:
        """The HTTP status and what to tell, no older than HEALTH_SECONDS."""
        async with self._looking:
            if time.monotonic() - self._looked >= HEALTH_SECONDS:
                self._state = await asyncio.to_thread(_examine, self._assistant)
                self._looked = time.monotonic()
        return self._state


def _examine(assistant: Assistant) -> tuple[int, dict[str, Any]]:
    try:
        build = assistant.index.current()
        found = build.search(PROBE, 1)
    except CaseciteError as error:
        # Where the index stands on the server concerns nobody; the log and `casecite doctor` tell.
        return 503, {"status": "unavailable", "reason": type(error).__name__}
    is_whole = all(passage.stage == "hybrid" for passage in found)
    state = {"status": "ok" if is_whole else "degraded", "index_id": build.manifest.build_id}
    return 200, state | {"record_count": build.manifest.record_count}


def _add_index_metrics(assistant: Assistant, traffic: Traffic) -> None:
    def gauge(name: str, meaning: str, read: Callable[[], float]) -> None:
        def read_or_none() -> float:
            try:
                return read()
            except CaseciteError:
                return float("nan")

        Gauge(name, meaning, registry=traffic.registry).set_function(read_or_none)

    gauge("casecite_index_records", "Records of the index.", lambda: assistant.index.manifest.record_count)
    gauge(
        "casecite_index_built_timestamp_seconds",
        "When the index was built.",
        lambda: _seconds(assistant.index.manifest.created_at),
    )


def _seconds(moment: datetime) -> float:
    return moment.timestamp()


def _knows_password(request: Request, may_log_in: Callable[[str, str], bool]) -> bool:
    """Whether a request brings a name and password of the page's (HTTP Basic, as Prometheus sends them)."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return False
    return kind.lower() == "basic" and may_log_in(name, password)
