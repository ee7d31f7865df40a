"""The web chat, in Gradio. It shows what the assistant answers and decides nothing itself."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

# Gradio reads these when it is imported; nothing is to be sent anywhere.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr

from assistant.assistant import Assistant
from assistant.condense import MAX_QUESTION_CHARS
from assistant.rendering import NOT_ADVICE, escape_markdown, render_body, render_markdown
from assistant.types import Turn
from index.errors import CaseciteError, WrongUseError

CONCURRENT_QUESTIONS = 8
DEMO_QUESTIONS = (
    "What was the BMD change under romosozumab?",
    "What was the plasma lithium level of the woman with kidney failure?",
    "How much weight did the woman with schizophrenia gain after fluoxetine was stopped?",
    "How was dupilumab conjunctivitis treated?",
)
TITLE = "casecite"
DESCRIPTION = (
    "Ask published case reports. Every statement comes with the sentence that says it; "
    "where there is none, the answer is that the reports do not say."
)
THEME = gr.themes.Soft(primary_hue="teal", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])


def build_page(assistant: Assistant) -> gr.Blocks:
    """The page on an assistant, ready to launch."""
    page = gr.Blocks(title=TITLE, analytics_enabled=False, fill_height=True)
    with page:
        gr.Markdown(f"# {TITLE}\n{DESCRIPTION}\n\n{_describe_library(assistant)}")
        gr.ChatInterface(
            _make_responder(assistant),
            chatbot=gr.Chatbot(
                label="Answers",
                show_label=False,
                scale=1,
                min_height=240,
                latex_delimiters=[],
                allow_tags=False,
                buttons=["copy"],
                placeholder="Ask about a case: a dose, an outcome, a value, a duration.",
            ),
            textbox=gr.Textbox(
                label="Question",
                placeholder="What was the BMD change under romosozumab?",
                max_length=MAX_QUESTION_CHARS,
                submit_btn=True,
                stop_btn=True,
            ),
            examples=[[question] for question in _example_questions(assistant)],
            cache_examples=False,
            concurrency_limit=CONCURRENT_QUESTIONS,
            api_name="ask",
            analytics_enabled=False,
        )
        gr.Markdown(NOT_ADVICE)
    return page


def serve_page(assistant: Assistant, host: str = "127.0.0.1", port: int = 7860) -> None:
    """Serve the page until it is stopped.

    Raises:
        WrongUseError: the port is taken or cannot be used.
    """
    # Loads the models, so that the first question need not wait for them.
    assistant.search(TITLE)
    try:
        build_page(assistant).queue(max_size=64).launch(
            server_name=host, server_port=port, theme=THEME, footer_links=["api"], quiet=False, show_error=True
        )
    except OSError as error:
        raise WrongUseError(f"cannot serve on {host}:{port}: {error}", remedy="choose another --port") from error


def _make_responder(assistant: Assistant) -> Any:
    async def ask(message: str, history: Sequence[Mapping[str, Any]]) -> AsyncIterator[str]:
        """Answer a question from the case reports, with numbered references."""
        try:
            async for event in assistant.astream(message, _as_turns(history)):
                if event.answer is not None:
                    yield render_markdown(event.answer)
                else:
                    yield render_body(event.text) if event.text else f"*{escape_markdown(event.step)} …*"
        except CaseciteError as error:
            yield f"**{escape_markdown(str(error))}**"

    return ask


def _as_turns(history: Sequence[Mapping[str, Any]]) -> list[Turn]:
    """Gradio's messages, whose content is a list of blocks, as turns."""
    turns = []
    for message in history:
        content = message["content"]
        blocks = [content] if isinstance(content, str) else content
        text = "\n".join(block if isinstance(block, str) else str(block.get("text", "")) for block in blocks)
        turns.append(Turn(role=message["role"], content=text))
    return turns


def _describe_library(assistant: Assistant) -> str:
    manifest = assistant.index.manifest
    writer = f"written by {escape_markdown(assistant.settings.llm)}" if assistant.settings.llm else "made of quotes"
    text = f"{manifest.record_count:,} case reports, index of {manifest.created_at:%-d %B %Y}; answers are {writer}."
    if manifest.digest_count:
        which = "All" if manifest.digest_count == manifest.record_count else f"{manifest.digest_count:,} of them"
        text += f" {which} are digests in our own words, in place of the published abstracts."
    return text


def _example_questions(assistant: Assistant) -> Sequence[str]:
    """Questions to click: the demo's own, or one on each of the first reports with a title."""
    if assistant.index.manifest.digest_count:
        return DEMO_QUESTIONS
    titles = assistant.index.first_titles(len(DEMO_QUESTIONS))
    return [f"What was the outcome in “{title.rstrip('.')}”?" for title in titles]
