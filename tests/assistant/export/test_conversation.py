import re
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO

import pytest
from docx import Document
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from assistant import Answer, Assistant, Citation
from assistant.answers import NOT_ADVICE
from assistant.export.conversation import conversation_to_docx, conversation_to_markdown
from assistant.references.text import DIGEST_NOTE
from index.errors import WrongUseError
from index.types import Record, Section

QUESTIONS = (
    "What was the BMD change under romosozumab?",
    "What was the plasma lithium level of the woman with kidney failure?",
    "Who won the football match?",
    "How long was romosozumab given?",
)

COUGH = Record(
    record_id="doi:10.1002/(sici)1<2::a>3",
    abstract="He coughed [1]. He fell. He slept.",
    content_hash="0",
    title="A cough",
    sections=(Section("Case", 0, 24),),
    authors=("Ann Smith",),
    doi="10.1002/(sici)1<2::a>3",
    pmid="77",
    url="https://doi.org/10.1002/(sici)1<2::a>3",
)
FEVER = Record(record_id="sha256:1", abstract="She was hot.", content_hash="1", title="A fever")


def cite(number: int, record: Record, quote: str) -> Citation:
    start = record.abstract.index(quote)
    return Citation(
        number=number,
        record=record,
        field="abstract",
        start=start,
        end=start + len(quote),
        quote=quote,
        url=record.url,
    )


def make_answer(text: str, citations: tuple[Citation, ...] = (), **changes: object) -> Answer:
    values = {
        "question": "What happened?",
        "kind": "fact",
        "query": "What happened?",
        "text": text,
        "claims": (),
        "citations": citations,
        "evidence": (),
        "status": "answered" if citations else "insufficient_evidence",
        "confidence": 0.9,
        "mode": "extractive",
        "model": None,
        "index_id": "20260131T120000Z-000001",
        "settings_id": "s",
    }
    return Answer(**(values | changes))


FIRST = make_answer(
    "“He fell.” [1]\n“He coughed [1].” [2] [3]\n[3] reports “She was hot.”",
    (cite(1, COUGH, "He fell."), cite(2, COUGH, "He coughed [1]."), cite(3, FEVER, "She was hot.")),
)
SECOND = make_answer(
    "She was hot. [1]\nHe slept. [2]",
    (cite(1, FEVER, "She was hot."), cite(2, COUGH, "He slept.")),
    query="What happened to the woman?",
    mode="generative",
    model="ollama:tiny",
    status="partial",
    warnings=("1 statement was left out.",),
)


@pytest.fixture(scope="module")
def conversation(demo_assistant: Assistant) -> list[Answer]:
    return [demo_assistant.ask(question) for question in QUESTIONS]


def read_docx(data: bytes):
    return Document(BytesIO(data))


def docx_lines(answers: list[Answer]) -> list[str]:
    return [paragraph.text for paragraph in read_docx(conversation_to_docx(answers)).paragraphs]


def shown(markdown: str) -> tuple[str, list[str]]:
    """The text that a reader of Markdown sees, and the addresses of its links and images."""
    texts, addresses = [], []
    for block in MarkdownIt("commonmark").parse(markdown):
        for token in block.children or ():
            texts.append(token.content if token.type == "text" else "")
            addresses += [str(token.attrs[name]) for name in ("href", "src") if name in token.attrs]
        texts.append("\n" if block.type == "inline" else "")
    return "".join(texts), addresses


class TestNumbers:
    """In both formats, since they are made of one outline."""

    def test_sentences_become_records_in_the_order_of_first_use(self):
        lines = docx_lines([FIRST, SECOND])
        assert lines[4:7] == ["“He fell.” [1]", "“He coughed [1].” [1] [2]", "[2] reports “She was hot.”"]
        assert "She was hot. [2]" in lines
        assert "He slept. [1]" in lines
        assert lines[-2].startswith("1.\tSmith A. A cough.")
        assert lines[-1].startswith("2.\tA fever.")

    def test_evidence_names_its_section_and_reference(self):
        lines = docx_lines([FIRST, SECOND])
        assert "[1] Case: “He fell.”" in lines
        assert "[1] “He slept.”" in lines  # which is in no section
        assert "[2] “She was hot.”" in lines

        citation = Citation(number=1, record=FEVER, field="title", start=0, end=7, quote="A fever", url=None)
        assert "[1] Title: “A fever”" in docx_lines([make_answer("“A fever” [1]", (citation,))])

    def test_a_number_that_is_no_citation_is_unchanged(self):
        assert "As in [9]" in docx_lines([make_answer("As in [9]"), FIRST])

    def test_both_formats_say_the_same(self, conversation):
        text, _ = shown(conversation_to_markdown(conversation))
        words = [re.sub(r"^\d+\.\t", "", line) for line in docx_lines(conversation)]
        assert [" ".join(line.split()) for line in text.splitlines() if line.strip()] == [
            " ".join(line.split()) for line in words
        ]


class TestRealConversation:
    def test_every_statement_is_there_with_a_reference_that_exists(self, conversation):
        lines = docx_lines(conversation)
        references = [line for line in lines if re.match(r"\d+\.\t", line)]
        records = list(dict.fromkeys(c.record.record_id for answer in conversation for c in answer.citations))
        assert len(references) == len(records) >= 2
        for answer in conversation:
            assert answer.question in lines
            for citation in answer.citations:
                number = records.index(citation.record.record_id) + 1
                assert f"“{citation.quote}” [{number}]" in lines
        assert all(DIGEST_NOTE in line for line in references)

    def test_a_refusal_has_no_evidence(self, conversation):
        lines = docx_lines(conversation)
        start = lines.index(QUESTIONS[2])
        assert lines[start + 1] == conversation[2].text
        assert lines[start + 2].startswith("No statement was found that could be cited")
        assert lines[start + 3] == QUESTIONS[3]

        assert lines[start + 4].endswith(" [1]"), "a record that is cited again keeps its number"


class TestRemarks:
    def test_what_was_searched_how_it_was_made_and_warnings(self):
        lines = docx_lines([FIRST, SECOND])
        assert "Made of sentences of the reports; the reports answer the question with a probability of 90%." in lines
        assert "Searched for: What happened to the woman?" in lines
        assert (
            "Written by ollama:tiny, each statement checked against the sentences it cites, what is not supported is "
            "left out; the reports answer the question with a probability of 90%."
        ) in lines
        assert "Note: 1 statement was left out." in lines

    def test_the_indexes_and_their_days(self):
        lines = docx_lines([FIRST, SECOND, replace(SECOND, index_id="mine")])
        assert lines[1:4] == [
            "Answered from the index 20260131T120000Z-000001, built on 31 January 2026.",
            "Answered from the index mine.",
            NOT_ADVICE,
        ]

    def test_refusals_alone_have_no_references(self):
        assert "References" not in docx_lines([make_answer("These reports don't say.")])
        assert "References" not in conversation_to_markdown([make_answer("These reports don't say.")])

    @pytest.mark.parametrize("export", [conversation_to_markdown, conversation_to_docx])
    def test_nothing_to_export(self, export):
        with pytest.raises(WrongUseError, match="ask a question first"):
            export([])


class TestLinks:
    ADDRESSES = ("https://doi.org/10.1002/(sici)1%3C2::a%3E3", "https://pubmed.ncbi.nlm.nih.gov/77/")

    def test_word(self):
        document = read_docx(conversation_to_docx([FIRST]))
        links = [link for paragraph in document.paragraphs for link in paragraph.hyperlinks]
        assert tuple(link.address for link in links) == self.ADDRESSES
        assert [link.text for link in links] == [f"doi:{COUGH.doi}", "PMID 77"]

    def test_markdown(self):
        text, addresses = shown(conversation_to_markdown([FIRST]))
        assert tuple(addresses) == self.ADDRESSES
        assert f"doi:{COUGH.doi} PMID 77" in text

    def test_an_address_without_doi_or_pubmed_number_is_escaped(self):
        record = replace(FEVER, url="https://example.org/a?b=c>)![x](http://evil.example/p.png)")
        answer = make_answer("Hot. [1]", (cite(1, record, "She was hot."),))
        for markdown in (conversation_to_markdown([answer]), answer.to_markdown()):
            (address,) = shown(markdown)[1]
            assert address.startswith("https://example.org/a?b=c%3E)!")

    def test_no_other_kind_of_address_is_linked(self):
        record = replace(FEVER, url="javascript:alert(1)")
        answer = make_answer("Hot. [1]", (cite(1, record, "She was hot."),))
        assert shown(conversation_to_markdown([answer]))[1] == []
        assert not any(p.hyperlinks for p in read_docx(conversation_to_docx([answer])).paragraphs)


class TestWord:
    def test_headings_and_lists_are_styles(self, conversation):
        document = read_docx(conversation_to_docx(conversation))
        styled = {(paragraph.style.name, paragraph.text) for paragraph in document.paragraphs}
        assert ("Title", "Answers from case reports") in styled
        assert {("Heading 1", question) for question in QUESTIONS} <= styled
        assert {("Heading 1", "References"), ("Heading 2", "Evidence")} <= styled
        assert any(name == "List Bullet" and text.startswith("[1] ") for name, text in styled)

    def test_properties_name_no_author(self):
        properties = read_docx(conversation_to_docx([FIRST])).core_properties
        assert properties.title == "Answers from case reports"
        assert (properties.author, properties.last_modified_by, properties.comments) == ("", "", "")
        assert abs((datetime.now(UTC) - properties.created).total_seconds()) < 60


hostile = st.text(
    alphabet=st.one_of(
        st.sampled_from("\x00\x08\x0b\x0c\x1f\x85\u2028\u202e\ufffe\uffff\n\t<>&[]()!*_`#|~$@:/1. "), st.characters()
    )
).map(lambda text: f"x{text}![p](http://e.example/p.png)<img src=x>")


class TestHostileText:
    @given(hostile, hostile, hostile)
    @settings(max_examples=50, deadline=None)
    def test_neither_format_breaks_or_shows_markup(self, title, sentence, question):
        record = replace(FEVER, title=title, abstract=sentence, sections=(Section(title, 0, len(sentence)),))
        citation = Citation(
            number=1, record=record, field="abstract", start=0, end=len(sentence), quote=sentence, url=None
        )
        one_line = " ".join(sentence.split())
        answer = make_answer(
            f"“{one_line}” [1]", (citation,), question=question, query=title, index_id=title, warnings=(title,)
        )
        markdown = conversation_to_markdown([answer])
        tokens = MarkdownIt("commonmark").parse(markdown)
        inline = {token.type for block in tokens for token in block.children or ()}
        assert inline <= {"text", "text_special", "em_open", "em_close", "softbreak"}
        assert [token.tag for token in tokens if token.type == "heading_open"] == ["h1", "h2", "h3", "h2"]
        document = read_docx(conversation_to_docx([answer]))
        assert sum(paragraph.style.name.startswith("Heading") for paragraph in document.paragraphs) == 3
