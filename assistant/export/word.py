"""The document of a conversation as a Word file."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING

from assistant.answers import NOT_ADVICE
from assistant.export.outline import DOCUMENT_TITLE, AnsweredQuestion, Outline, Reference

if TYPE_CHECKING:
    from docx.document import Document
    from docx.text.paragraph import Paragraph

_LINK_BLUE = (0x05, 0x63, 0xC1)
_INDENT_CM = 0.9


def write_docx(outline: Outline) -> bytes:
    """The document with Word's own styles for title, headings and lists, and with working links.

    Its properties are the title and the time, without an author and those of the template.
    """
    from docx import Document

    document = Document()
    properties = document.core_properties
    properties.title = DOCUMENT_TITLE
    properties.author = properties.last_modified_by = properties.comments = ""
    properties.created = properties.modified = datetime.now(UTC)
    document.add_heading(DOCUMENT_TITLE, level=0)
    for origin in outline.origins:
        _add_remark(document, origin)
    document.add_paragraph(NOT_ADVICE)
    for question in outline.questions:
        _add_question(document, question)
    if outline.references:
        document.add_heading("References", level=1)
        for reference in outline.references:
            _add_reference(document, reference)
    file = BytesIO()
    document.save(file)
    return file.getvalue()


def _add_question(document: Document, item: AnsweredQuestion) -> None:
    document.add_heading(item.question, level=1)
    for line in item.lines:
        document.add_paragraph(line)
    for remark in (*item.remarks, *item.notes):
        _add_remark(document, remark)
    if item.quotes:
        document.add_heading("Evidence", level=2)
        for quote in item.quotes:
            document.add_paragraph(f"{quote.label} “{quote.text}”", style="List Bullet")


def _add_remark(document: Document, text: str) -> None:
    document.add_paragraph().add_run(text).italic = True


def _add_reference(document: Document, reference: Reference) -> None:
    from docx.shared import Cm

    paragraph = document.add_paragraph(f"{reference.number}.\t{reference.text}")
    paragraph.paragraph_format.left_indent = Cm(_INDENT_CM)
    paragraph.paragraph_format.first_line_indent = -Cm(_INDENT_CM)
    for text, address in reference.links:
        paragraph.add_run(" ")
        _add_link(paragraph, text, address)


def _add_link(paragraph: Paragraph, text: str, address: str) -> None:
    """Add a link, for which python-docx has no function: a `w:hyperlink` element around a run."""
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import RGBColor

    run = paragraph.add_run(text)
    run.font.underline = True
    run.font.color.rgb = RGBColor(*_LINK_BLUE)
    link = OxmlElement("w:hyperlink")
    link.set(qn("r:id"), paragraph.part.relate_to(address, RELATIONSHIP_TYPE.HYPERLINK, is_external=True))
    paragraph._p.append(link)
    link.append(run._r)
