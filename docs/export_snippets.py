"""Samples of what can be exported, made from the demo. `make docs` writes them into the docs."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from functools import lru_cache

from assistant import Answer, Assistant
from assistant.export.conversation import conversation_to_markdown
from assistant.references import format_references
from index import DEMO_RECORDS, build_index

# A time of the build would make the docs stale each day.
DEMO_INDEX_ID = "demo"
QUESTIONS = ("What was the BMD change under romosozumab?", "Who won the football match?")


def conversation() -> str:
    """A short conversation as Markdown, as its source."""
    return f"```markdown\n{conversation_to_markdown(_ask_demo())}```"


def references() -> str:
    """The references of the first answer in every format."""
    answer = _ask_demo()[0]
    (record,) = {citation.record.record_id: citation.record for citation in answer.citations}.values()
    parts = [
        ("AMA", "text", format_references([record], "ama")[0]),
        ("Vancouver", "text", format_references([record], "vancouver")[0]),
        ("BibTeX", "bibtex", answer.to_bibtex()),
        ("RIS", "text", answer.to_ris()),
        ("CSL-JSON", "json", json.dumps(answer.to_csl_json(), ensure_ascii=False, indent=2)),
    ]
    return "\n\n".join(f"{name}:\n\n```{language}\n{_strip(text)}\n```" for name, language, text in parts)


def _strip(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@lru_cache(maxsize=1)
def _ask_demo() -> list[Answer]:
    with tempfile.TemporaryDirectory() as folder:
        build_index([DEMO_RECORDS], folder)
        with Assistant.open(folder) as assistant:
            return [replace(assistant.ask(question), index_id=DEMO_INDEX_ID) for question in QUESTIONS]
