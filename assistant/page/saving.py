"""Downloads of conversations and references, made on request and never stored on the server."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from assistant.answers import Answer
from assistant.export.conversation import conversation_to_docx, conversation_to_markdown
from assistant.page.conversation import Conversation, answers_of
from assistant.references import format_references, to_bibtex, to_csl_json, to_ris
from index.types import Record

SAVE_SCRIPT = "(file) => window.casecite.save(file)"


@dataclass(frozen=True, slots=True)
class _Format:
    """A file format of conversations or of cited reports."""

    label: str
    name: str
    media_type: str
    write: Callable[[list[Answer]], str | bytes]


def _cited_records(answers: list[Answer]) -> list[Record]:
    """The records that the answers cite, in the order of first citation."""
    records = {record.record_id: record for answer in answers for record in answer.cited_records}
    return list(records.values())


CONVERSATION_FORMATS = (
    _Format("Markdown", "conversation.md", "text/markdown", conversation_to_markdown),
    _Format(
        "Word",
        "conversation.docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        conversation_to_docx,
    ),
)
REFERENCE_FORMATS = (
    _Format("BibTeX", "references.bib", "application/x-bibtex", lambda answers: to_bibtex(_cited_records(answers))),
    _Format(
        "RIS", "references.ris", "application/x-research-info-systems", lambda answers: to_ris(_cited_records(answers))
    ),
    _Format(
        "CSL-JSON",
        "references.json",
        "application/vnd.citationstyles.csl+json",
        lambda answers: json.dumps(to_csl_json(_cited_records(answers)), ensure_ascii=False, indent=2),
    ),
    _Format("AMA", "references-ama.txt", "text/plain", lambda answers: _list_references(answers, "ama")),
    _Format(
        "Vancouver", "references-vancouver.txt", "text/plain", lambda answers: _list_references(answers, "vancouver")
    ),
)


def add_save_buttons(conversation: gr.State) -> None:
    """Add a button for each format of conversations and references."""
    with gr.Accordion("Save and cite", open=False, elem_id="save"):
        for heading, formats in (("Conversation", CONVERSATION_FORMATS), ("References", REFERENCE_FORMATS)):
            gr.Markdown(f"**{heading}**")
            with gr.Row():
                for file_format in formats:
                    button = gr.Button(file_format.label, size="sm", min_width=90)
                    offer_file(button, partial(_write_file, file_format), [conversation])


def offer_file(button: gr.Button, make: Callable[..., dict[str, str]], inputs: list[Any]) -> None:
    """Make a button download the file that `make` returns for the inputs."""
    file = gr.JSON(visible=False)
    made = button.click(make, inputs, file, api_visibility="private", show_progress="hidden")
    made.success(None, file, js=SAVE_SCRIPT, api_visibility="private")


def as_file(name: str, media_type: str, content: str | bytes) -> dict[str, str]:
    """A file as the page's script `save` expects it."""
    data = content.encode() if isinstance(content, str) else content
    return {"name": name, "type": media_type, "base64": b64encode(data).decode("ascii")}


def _write_file(file_format: _Format, conversation: Conversation) -> dict[str, str]:
    answers = answers_of(conversation)
    if not answers:
        raise gr.Error("There is nothing to save yet. Ask a question first.", print_exception=False)
    return as_file(f"casecite-{file_format.name}", file_format.media_type, file_format.write(answers))


def _list_references(answers: list[Answer], style: Any) -> str:
    references = format_references(_cited_records(answers), style)
    return "".join(f"{number}. {reference}\n" for number, reference in enumerate(references, 1))
