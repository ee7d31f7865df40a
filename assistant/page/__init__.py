"""The web chat, in Gradio. It shows what the assistant answers and decides nothing itself."""

import os

# Gradio reads these when it is imported; nothing is to be sent anywhere.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from assistant.page.layout import build_page
from assistant.page.server import build_app, serve_page

__all__ = ["build_app", "build_page", "serve_page"]
