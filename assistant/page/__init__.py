"""The web chat, in Gradio. It shows what the assistant answers and decides nothing itself."""

from assistant.page.layout import build_page, serve_page

__all__ = ["build_page", "serve_page"]
