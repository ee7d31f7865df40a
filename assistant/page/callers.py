"""Who is behind an event of the page."""

from __future__ import annotations

import gradio as gr

from assistant.api.admission import Caller, caller


def know_caller(request: gr.Request) -> None:
    """Know who caused what an event does from here on: Gradio runs it apart from the request that sent it."""
    address = request.client.host if request.client else "unknown"
    caller.set(Caller(request.username or address, request.headers.get("x-request-id", "-")))
