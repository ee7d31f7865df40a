"""The caller of a Gradio event."""

from __future__ import annotations

import gradio as gr

from assistant.api.admission import Caller, caller


def set_caller(request: gr.Request) -> None:
    """Set the current caller from the request of an event, since Gradio runs the event outside of its request."""
    address = request.client.host if request.client else "unknown"
    caller.set(Caller(request.username or address, request.headers.get("x-request-id", "-")))
