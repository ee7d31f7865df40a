"""A conversation as one document: questions, answers, the cited sentences, one list of references."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assistant.answers import NOT_ADVICE, Answer
from assistant.export.outline import DOCUMENT_TITLE, AnsweredQuestion, Reference, outline_conversation
from assistant.export.word import write_docx
from assistant.references.text import escape_markdown, markdown_link


def conversation_to_markdown(answers: Sequence[Answer]) -> str:
    """The answers of a conversation, in order, as Markdown.

    Raises:
        WrongUseError: there are no answers.
    """
    outline = outline_conversation(answers)
    parts = [f"# {DOCUMENT_TITLE}", *map(_emphasise, outline.origins), NOT_ADVICE]
    for question in outline.questions:
        parts += _write_question(question)
    if outline.references:
        parts += ["## References", "\n".join(_write_reference(reference) for reference in outline.references)]
    return "\n\n".join(parts) + "\n"


def conversation_to_docx(answers: Sequence[Answer]) -> bytes:
    """The answers of a conversation, in order, as a Word document.

    Raises:
        WrongUseError: there are no answers.
    """
    return write_docx(outline_conversation(answers))


def _write_question(item: AnsweredQuestion) -> Iterator[str]:
    yield f"## {escape_markdown(item.question)}"
    yield from map(escape_markdown, item.lines)
    yield from map(_emphasise, item.remarks)
    yield from map(_emphasise, item.notes)
    if item.quotes:
        yield "### Evidence"
        yield "\n".join(f"- {escape_markdown(f'{quote.label} “{quote.text}”')}" for quote in item.quotes)


def _write_reference(reference: Reference) -> str:
    links = "".join(f" {markdown_link(text, address)}" for text, address in reference.links)
    return f"{reference.number}. {escape_markdown(reference.text)}{links}"


def _emphasise(text: str) -> str:
    return f"*{escape_markdown(text)}*"
