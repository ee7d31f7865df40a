"""The web page, in Gradio: it shows the assistant's answers."""

import os

# Read by Gradio when it is imported: no telemetry.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from assistant.page.layout import build_page
from assistant.page.server import build_app, serve_page

__all__ = ["build_app", "build_page", "serve_page"]
