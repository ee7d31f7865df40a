"""Hostile text of records, questions, files and chat models is text everywhere: read, exported, served and shown."""

from __future__ import annotations

import asyncio
import csv
import json
import re
from collections.abc import Iterator
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import bibtexparser
import pytest
import rispy
from bibtexparser.middlewares import LatexDecodingMiddleware
from docx import Document
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.language_models import FakeListChatModel
from markdown_it import MarkdownIt
from mcp import Client
from openpyxl import load_workbook
from playwright.sync_api import Browser, Locator, Page, expect
from pydantic import SecretStr

from assistant import Answer, Assistant, Citation
from assistant.api.admission import AdmissionControl
from assistant.api.mcp_server import build_mcp
from assistant.api.settings import PageSettings
from assistant.cases import COLUMNS, CaseRow, CaseTable
from assistant.cases.model_cells import parse_cells
from assistant.cases.types import Cell
from assistant.cli.main import main
from assistant.export.conversation import conversation_to_docx, conversation_to_markdown
from assistant.generation.chat_models import as_chat_model
from assistant.page.case_table import render_table
from assistant.reading.sentences import Sentence, as_evidence
from assistant.references import format_references, to_bibtex, to_csl_json, to_ris
from assistant.references.text import link_address, record_links
from index import build_index, read_records
from index.ingest.chunking import chunk_record
from index.overview import describe_library
from index.text.cleaning import MAX_ACCENTS, clean_line, clean_text
from index.types import Record, Rejection, Section
from tests.support.faulty_chat_server import FaultyChatServer, refuses, says
from tests.support.hostile_text import CELLS, CHARACTERS, ELEMENTS, LONG_LINE, LONG_WORD, PAYLOADS
from tests.support.page_server import (
    ANSWER_MS,
    OpenPage,
    ServePage,
    answers,
    ask,
    log_in,
    open_part,
    open_tab,
    wait_for_answer,
)

ODD = "a9\u200c\u200d\ufe0f\u0301\u20e3\u1ab0\u0645\u0928\u2764\u202e\n\u845b\ud800\ufdd0\u2029\U000e0100\U0001f600"
# What the parsers of the formats may find in an export, whatever the data.
HARMLESS_TAGS = {"p", "em", "strong", "h1", "h2", "h3", "ul", "ol", "li", "a", "br", ""}
FORMULA_SIGNS = tuple("=+-@\t\r\n|%\uff1d\uff0b\uff0d\uff20")


def escape_deeply(text: str) -> str:
    """Markup escaped once more than the eight times that the parser unescapes."""
    return text.replace("<", "&" + "amp;" * 7 + "lt;")


def source_record(number: int, payload: str) -> dict[str, Any]:
    """A case with a payload in every field that can hold text; in two of three it has an identifier too."""
    word, markup = "".join(payload.split()), escape_deeply(payload)
    return {
        "source_id": f"{payload} {number}",
        "title": f"Selenium rash {number} {markup}",
        "abstract": (
            f"<h3>{payload[:60]}</h3><p>A woman of {20 + number} had a rash after selenium {number} mg {markup}.</p>"
            f"<h3>OUTCOME</h3><p>She recovered within {number} days.</p>"
        ),
        "authors": [f"{markup} Eve", payload, f"Ann {markup} Smith"],
        "journal": f"Notes {markup}",
        "year": 2001 + number % 20,
        "volume": payload,
        "pages": f"{payload} 1-{number}",
        "publication_types": [f"Case Reports {markup}"],
        "source": f"Base {payload}",
        "sources": [payload, f"File {payload}"],
        "other_ids": [payload],
        "url": f"https://reports.example/{number}?q={word}",
        **({"doi": f"10.5555/{number}{word}"} if number % 3 == 1 else {}),
        **({"pmid": str(770_000 + number)} if number % 3 == 2 else {}),
    }


def write_records(path: Path, payloads: dict[str, str]) -> Path:
    path.write_text(json.dumps([source_record(*item) for item in enumerate(payloads.values(), 1)]), "utf-8")
    return path


def strings_of(value: Any) -> list[str]:
    """Every string in a JSON value, field names included."""
    if isinstance(value, dict):
        return [text for item in value.items() for text in strings_of(list(item))]
    if isinstance(value, list | tuple):
        return [text for item in value for text in strings_of(item)]
    return [value] if isinstance(value, str) else []


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Record]:
    """The record of each payload, as it is read."""
    path = write_records(tmp_path_factory.mktemp("hostile") / "records.json", PAYLOADS)
    read = list(read_records([path]))
    assert not [item for item in read if isinstance(item, Rejection)]
    return dict(zip(PAYLOADS, read, strict=True))


def raw_record(name: str) -> Record:
    """A record that a program made without cleaning its text."""
    payload = PAYLOADS[name]
    return Record(
        record_id=f"sha256:{name}",
        abstract=f"A man took 5 mg {payload} daily. {payload}",
        content_hash="0",
        title=payload,
        sections=(Section(payload, 0, 12),),
        authors=(payload, f"Ann {payload}", "Eve Smith"),
        journal=payload,
        year=2020,
        volume=payload,
        pages=payload,
        doi=f"10.5555/{payload}",
        pmid=payload,
        pmcid=payload,
        url=f"https://reports.example/{payload}",
        publication_types=(payload,),
        sources=(payload,),
    )


class TestCharacters:
    @given(st.text(st.one_of(st.sampled_from(ODD), st.characters()), max_size=12))
    @settings(deadline=None)
    def test_clean_text_is_text_that_can_be_stored_and_seen(self, text: str) -> None:
        cleaned = clean_text(text)
        assert clean_text(cleaned) == cleaned
        assert cleaned.encode().decode() == cleaned
        assert not re.search(
            r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]", cleaned
        )
        assert all(clean_text(text[:end]) == cleaned[: len(clean_text(text[:end]))] for end in range(len(text)))

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", id="persian"),
            pytest.param("\u0915\u094d\u200d\u0937", id="devanagari"),
            pytest.param("\U0001f469\U0001f3fd\u200d\u2695\ufe0f \u2764\ufe0f\u200d\U0001f525", id="emoji"),
            pytest.param("\u845b\U000e0100\u98fe\u533a", id="ideographic variant"),
            pytest.param("Vie\u0323\u0302t Nam, e\u0301", id="accents"),
            pytest.param("5\xa0mg, 3\u2009cm, \u2265 2\u2011fold", id="spaces and hyphens"),
            pytest.param("one\n\ttwo", id="tab and line feed"),
        ],
    )
    def test_characters_that_a_script_needs_are_kept(self, text: str) -> None:
        assert clean_text(text) == text

    @pytest.mark.parametrize(
        ("name", "seen"),
        [
            ("bidi-override", "dose gm 999 and 5"),
            ("zero-width", "romosozumab"),
            ("soft-hyphen", "romosozumab"),
            ("tags", "case"),
            ("variation", "50 mg a"),
            ("nul", "dose"),
            ("carriage-return", "the dose was 5 mg the dose was 9 mg"),
            ("ansi", "[31mred[0m ]0;title [2J[1A 31m"),
            ("tower", "d" + ("\u0301\u0302\u0303\u0308" * 60)[:MAX_ACCENTS] + "ose"),
        ],
    )
    def test_deceptive_characters_are_removed_from_a_record(
        self, records: dict[str, Record], name: str, seen: str
    ) -> None:
        assert records[name].title == f"Selenium rash {list(PAYLOADS).index(name) + 1} {seen}"

    def test_every_field_of_a_record_is_clean(self, records: dict[str, Record]) -> None:
        for record in records.values():
            json.dumps(record.to_dict(), ensure_ascii=False).encode()
            for text in strings_of(record.to_dict()):
                assert clean_text(text) == text
                assert text == record.abstract or "\n" not in text

    def test_offsets_hold_after_cleaning(self, records: dict[str, Record]) -> None:
        for record in records.values():
            assert len(record.sections) >= 1
            assert all(record.abstract[start:end].strip() for _, start, end in record.sections)
            for chunk in chunk_record(record):
                assert record.abstract[chunk.start : chunk.end] == chunk.text

    def test_a_written_record_is_read_back_unchanged(self, records: dict[str, Record], tmp_path: Path) -> None:
        kept = [records[name] for name in (*CHARACTERS, *CELLS)]  # deeply escaped markup is unescaped once more
        path = tmp_path / "again.json"
        path.write_text(json.dumps([record.to_dict() for record in kept]), "utf-8")
        assert list(read_records([path])) == kept


@pytest.fixture(scope="module", params=["as read", "as made"])
def all_records(request: pytest.FixtureRequest, records: dict[str, Record]) -> list[Record]:
    """The records as they are read, and records that were never cleaned."""
    return list(records.values()) if request.param == "as read" else [raw_record(name) for name in PAYLOADS]


class TestReferences:
    def test_bibtex_reads_back(self, all_records: list[Record]) -> None:
        text = to_bibtex(all_records)
        assert clean_text(text) == text
        assert text.count("{") == text.count("}")
        library = bibtexparser.parse_string(text, append_middleware=[LatexDecodingMiddleware()])
        assert not library.failed_blocks
        assert not library.strings
        assert not library.preambles
        assert not library.comments
        keys = {"author", "title", "year", "journal", "volume", "pages", "pmid", "pmcid", "doi", "url"}
        for entry, record in zip(library.entries, all_records, strict=True):
            fields = {field.key: field.value for field in entry.fields}
            assert fields.keys() <= keys
            # The decoder knows the command for "^" as an accent only.
            assert fields["title"].replace("\u02c6", "^") == clean_line(record.title or "")
            assert fields["journal"].replace("\u02c6", "^") == clean_line(record.journal or "")

    def test_ris_reads_back(self, all_records: list[Record]) -> None:
        text = to_ris(all_records)
        assert clean_text(text) == text
        for entry, record in zip(rispy.loads(text), all_records, strict=True):
            assert "unknown_tag" not in entry
            assert entry["title"] == clean_line(record.title or "")
            assert entry["secondary_title"] == clean_line(record.journal or "")
            assert entry["notes_abstract"] == clean_line(record.abstract)
            assert len(entry["authors"]) <= len(record.authors)

    def test_csl_json_and_styles_hold_text_alone(self, all_records: list[Record]) -> None:
        items = json.loads(json.dumps(to_csl_json(all_records)))
        assert all(clean_text(text) == text for text in strings_of(items))
        assert [item["title"] for item in items] == [clean_line(record.title or "") for record in all_records]
        for style in ("ama", "vancouver"):
            for reference, record in zip(format_references(all_records, style), all_records, strict=True):
                assert clean_line(reference) == reference
                assert clean_line(record.title or "").removesuffix(".") in reference


def make_answer(records: list[Record]) -> Answer:
    """An answer that quotes the first sentence of each record, and says the payloads wherever it says anything."""
    citations = tuple(
        Citation(
            number=number,
            record=record,
            field="abstract",
            start=0,
            end=len(record.abstract),
            quote=record.abstract,
            url=record.url,
        )
        for number, record in enumerate(records, 1)
    )
    lines = [f"“{' '.join(item.quote.split())}” [{item.number}]" for item in citations]
    said = " ".join(PAYLOADS.values())
    return Answer(
        question=said,
        kind="fact",
        query=f"{said} again",
        text="\n".join(lines),
        claims=(),
        citations=citations,
        evidence=(),
        status="answered",
        confidence=0.9,
        mode="generative",
        model=said,
        index_id=said,
        settings_id="s",
        warnings=tuple(PAYLOADS.values()),
    )


class TestDocuments:
    def check_markdown(self, markdown: str, records: list[Record]) -> None:
        """Markdown that shows no element and no link but our own, HTML, tables and all allowed."""
        tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(markdown)
        flat = [*tokens, *(child for token in tokens for child in token.children or ())]
        assert not [token for token in flat if token.type.startswith(("html", "image", "code", "fence", "hr"))]
        assert {token.tag for token in flat} <= HARMLESS_TAGS
        assert [token.map for token in tokens if token.type == "heading_open" and token.markup in "=-"] == []
        own = {address for record in records for _, address in record_links(record)}
        own |= {link_address(record.url) for record in records if record.url}
        links = {str(token.attrs["href"]) for token in flat if token.type == "link_open"}
        assert links
        assert links <= {MarkdownIt().normalizeLink(address) for address in own}

    def test_markdown_shows_no_element_of_the_data(self, all_records: list[Record]) -> None:
        answer = make_answer(all_records)
        self.check_markdown(conversation_to_markdown([answer]), all_records)
        self.check_markdown(answer.to_markdown(), all_records)

    def test_word_opens_and_links_to_the_records_alone(self, all_records: list[Record]) -> None:
        document = Document(BytesIO(conversation_to_docx([make_answer(all_records)])))
        own = {address for record in all_records for _, address in record_links(record)}
        external = [item for item in document.part.rels.values() if item.is_external]
        assert {item.target_ref for item in external} == own
        assert all(item.reltype.endswith("/hyperlink") for item in external)
        body = document.element.body.xml
        assert not re.search(r"<w:(?:fldSimple|instrText|altChunk|object|pict|drawing)\b", body)
        text = "\n".join(paragraph.text for paragraph in document.paragraphs)
        assert clean_text(text) == text
        assert all(clean_line(record.abstract) in text for record in all_records)


def make_table(records: list[Record]) -> CaseTable:
    """A table whose every cell is a payload."""
    rows = []
    for record in records:
        sentence = Sentence("abstract", 0, len(record.abstract), record.abstract)
        cell = Cell(text=record.title or "", sources=(as_evidence(record, sentence, "e1", 0.0),))
        rows.append(CaseRow(record=record, cells={column.name: cell for column in COLUMNS}))
    return CaseTable(rows=tuple(rows))


def read_csv(text: str) -> list[list[str]]:
    return list(csv.reader(StringIO(text.removeprefix("\ufeff"), newline="")))


def assert_no_formula(written: list[list[str]], read: list[list[str]]) -> None:
    """Each value came back as it was written, behind an apostrophe where it would begin a formula."""
    assert len(read) == len(written)
    for wanted, found in zip(written, read, strict=True):
        assert [value.removeprefix("'") for value in found] == [value.removeprefix("'") for value in wanted]
        assert not [value for value in found if value.lstrip(" \xa0").startswith(FORMULA_SIGNS)]


class TestSheets:
    def test_csv_reads_back_and_holds_no_formula(self, all_records: list[Record]) -> None:
        table = make_table(all_records)
        text = table.to_csv()
        assert text.encode().decode() == text
        assert clean_text(text.removeprefix("\ufeff").replace("\r\n", "\n")) == text[1:].replace("\r\n", "\n")
        assert_no_formula([table.headers, *table.to_rows()], read_csv(text))

    def test_a_workbook_reads_back_and_holds_no_formula(self, all_records: list[Record]) -> None:
        table = make_table(all_records)
        workbook = load_workbook(BytesIO(table.to_xlsx()))
        sheet = workbook["Cases"]
        cells = [cell for row in sheet.iter_rows() for cell in row]
        assert {cell.data_type for cell in cells} <= {"s", "n"}
        assert not [cell for cell in cells if cell.data_type == "n" and cell.value is not None]
        assert not [cell for cell in cells if cell.hyperlink]
        found = [[cell.value or "" for cell in row] for row in sheet.iter_rows()]
        # The file holds escapes, which openpyxl leaves as they are.
        assert [[value.replace("_x005F_", "_") for value in row] for row in found] == [
            table.headers,
            *table.to_rows(),
        ]

    @given(st.lists(st.one_of(st.text(), st.sampled_from(list(CELLS.values()))).map(str), min_size=1, max_size=4))
    @settings(deadline=None)
    def test_no_text_is_a_formula_or_leaves_its_cell(self, texts: list[str]) -> None:
        table = make_table([Record(record_id="x", abstract=f"x{text}", content_hash="0", title=text) for text in texts])
        assert_no_formula([table.headers, *table.to_rows()], read_csv(table.to_csv()))


GROUPS = 20  # as many records as a list has
ONE = "How much selenium did the woman of 25 take before her rash?"
LIST = "Which reports describe a selenium rash?"
UNTYPABLE = {"surrogates", "nul"}  # no keyboard can type them


def pack(payloads: dict[str, str], count: int) -> dict[str, str]:
    """The payloads in so many texts, so that few records, questions and pages take them all."""
    names = list(payloads)
    return {f"group {start}": " ".join(payloads[name] for name in names[start::count]) for start in range(count)}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    """An assistant on records with the payloads in every field, and one with an extremely long word and text."""
    folder = tmp_path_factory.mktemp("index")
    file = write_records(folder / "a\u202e<img src=x onerror=window.ran=1>.json", pack(PAYLOADS, GROUPS))
    endless = {
        "pmid": "779999",
        "title": f"A tremor under valproate {LONG_WORD}",
        "abstract": f"A man of 71 took valproate 500 mg daily and had a tremor. {'w' * 20_000}",
        "authors": [LONG_WORD],
    }
    (folder / "endless.json").write_text(json.dumps([endless, *REJECTED]), "utf-8")
    report = build_index([file, folder / "endless.json"], folder / "index")
    assert (report.record_count, report.rejected_count) == (GROUPS + 1, len(REJECTED))
    with Assistant.open(report.index_dir, feedback_path=folder / "feedback.sqlite") as assistant:
        yield assistant


REJECTED = [
    {"title": "A cough", "abstract": "A man coughed.", "year": payload, "authors": [{payload: payload}]}
    for payload in PAYLOADS.values()
] + [{"title": "A line", "abstract": LONG_LINE}]


def assert_clean(value: Any) -> None:
    """JSON that can be sent, with no harmful character in its texts."""
    json.dumps(value, ensure_ascii=False).encode()
    assert [text for text in strings_of(value) if clean_text(text) != text] == []


class TestPrograms:
    """Answers as data, the tools, and the terminal."""

    def test_answers_hold_clean_text_whose_quotes_stand_in_their_records(self, hostile: Assistant) -> None:
        answer = hostile.ask(LIST)
        assert len(answer.citations) == GROUPS
        assert_clean(answer.to_dict())
        assert json.loads(answer.to_json())["text"] == answer.text
        for item in (*answer.citations, *answer.evidence):
            text = item.record.abstract if item.field == "abstract" else item.record.title or ""
            assert text[item.start : item.end] == item.quote
        assert_clean(hostile.tabulate(answer).to_rows())

    def test_questions_and_what_was_said_before_are_cleaned(self, hostile: Assistant) -> None:
        said = " ".join(CHARACTERS.values())
        history = [{"role": role, "content": f"{said} selenium rash {said}"} for role in ("user", "assistant")]
        answer = hostile.ask(f"How much selenium {said} was she given?", history)
        assert_clean(answer.to_dict())
        assert answer.question == clean_text(f"How much selenium {said} was she given?")

    def test_hidden_characters_do_not_change_what_is_found(self, hostile: Assistant) -> None:
        plain = hostile.ask(ONE)
        hidden = hostile.ask(
            "How much sele\u2060nium did the wo\u200cman of 2\ufe0f5 take\U000e0041 bef\xadore her rash?"
        )
        assert plain.citations
        assert hidden.citations == plain.citations

    def test_what_a_chat_model_writes_is_cleaned(self, hostile: Assistant) -> None:
        quote = hostile.ask(LIST).citations[0].quote
        words = quote.split()
        said = [
            f"{' '.join(words[:4])}\u202e\x1b[31m\u200b {' '.join(words[4:])} [e1].\n",
            *CHARACTERS.values(),
            " [e1].",
        ]
        model = as_chat_model(FakeListChatModel(responses=["".join(said)]), "test:hostile")
        writing = Assistant(hostile.index, hostile.settings, model)
        for event in writing.stream(ONE):
            assert_clean(event.text)
        assert event.answer is not None
        assert event.answer.claims
        assert_clean(event.answer.to_dict())

    def test_a_cell_of_a_chat_model_is_cleaned(self) -> None:
        cells = parse_cells(json.dumps({"age": " ".join(CHARACTERS.values()), "outcome": {"text": "\u202egm 5\x00"}}))
        assert cells is not None
        assert [cells["age"].text, cells["outcome"].text] == [clean_line(" ".join(CHARACTERS.values())), "gm 5"]

    def test_tools_return_clean_text(self, hostile: Assistant) -> None:
        results = asyncio.run(self.call_tools(hostile))
        assert not any(result.is_error for result in results)
        assert len(results[0].structured_content["citations"]) == GROUPS
        for result in results:
            assert_clean(result.model_dump(mode="json"))

    @staticmethod
    async def call_tools(assistant: Assistant) -> list[Any]:
        record = assistant.search("selenium rash", 1)[0].record
        asked = " ".join(CHARACTERS[name] for name in CHARACTERS if name not in UNTYPABLE)
        async with Client(build_mcp(assistant, AdmissionControl(4, 100))) as client:
            return [
                await client.call_tool("ask_case_reports", {"question": LIST}),
                await client.call_tool("ask_case_reports", {"question": f"Who won the match {asked}?"}),
                await client.call_tool("search_case_reports", {"query": f"selenium {asked}", "journals": [asked]}),
                await client.call_tool("get_record", {"record_id": record.record_id}),
            ]

    def test_no_control_sequence_reaches_a_terminal(
        self, hostile: Assistant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        index = str(hostile.index.index_dir)
        file = write_records(tmp_path / "a.json", pack(PAYLOADS, 4))
        (tmp_path / "b.json").write_text(json.dumps(REJECTED[:-1]), "utf-8")
        for arguments, code in (
            (["ask", LIST, "--index", index], None),
            (["ask", f"Who won the match \x1b[31m {CHARACTERS['ansi-link']}?", "--index", index], 3),
            (["index", "build", str(file), str(tmp_path / "b.json"), "--index", str(tmp_path / "index")], None),
            (["index", "info", "--index", index], None),
            (["index", "remove", "\x1b[31m\u202e", "--index", index], 2),
        ):
            monkeypatch.setattr("sys.argv", ["casecite", *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
            assert ended.value.code in (code, 0)
            output = "".join(capsys.readouterr())
            assert len(output) > 20
            assert clean_text(output).replace("\r", " ") == output


USERS = PageSettings(auth={"ed": SecretStr("one")}, editors=("ed",))
OURS = "#heading, #chat, #evidence, #case-table, #corpus-map, #library, #outcome, #options, #report"
# Elements that our page never uses, attributes that run code, and addresses of no record.
FIND_FOREIGN = """(ours) => {
  const foreign = [...document.querySelectorAll(
    "iframe, object, embed, base:not([href='./']), form, math, audio, video, picture, any-tag, template, [srcset],"
    + "meta[http-equiv]"
  )];
  for (const element of document.querySelectorAll("*")) {
    if ([...element.attributes].some((attribute) => attribute.name.startsWith("on"))) foreign.push(element);
    const address = element.getAttribute("href") ?? element.getAttribute("src") ?? "";
    if (/^\\s*(javascript:|vbscript:|data:text|http:..evil)/i.test(address)) foreign.push(element);
  }
  for (const part of document.querySelectorAll(ours)) {
    foreign.push(...part.querySelectorAll("script, link, img, meta, [style*='url(']"));
    foreign.push(...[...part.querySelectorAll("style")].filter((style) => style.textContent.includes("evil")));
  }
  return foreign.map((element) => element.outerHTML.slice(0, 300));
}"""
SENTINEL = "Object.defineProperty(window, 'ran', {set() { console.error('it ran'); }, get() { return undefined; }})"


def assert_harmless(page: Page) -> None:
    """Nothing of the data ran or became an element."""
    assert page.evaluate("window.ran") is None
    assert page.evaluate(FIND_FOREIGN, OURS) == []
    assert page.evaluate("document.querySelector('#chat, body').isConnected && document.title") == "casecite"


def without_space(text: str) -> str:
    """The cleaned text without white space, which differs on the page."""
    return "".join(clean_text(text).split())


def text_of(locator: Locator) -> str:
    """All text of the elements, hidden text included, without white space."""
    return without_space("".join(locator.all_text_contents()))


class TestPage:
    """The page in a real browser; that it asks no other server and meets no error is checked when it is closed."""

    def test_text_is_text_in_every_part_of_the_page(
        self, open_page: OpenPage, serve_page: ServePage, hostile: Assistant
    ) -> None:
        page = log_in(open_page(serve_page(hostile, USERS)), "ed", "one")
        dialogs: list[str] = []
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        page.context.on("page", lambda opened: dialogs.append(opened.url))
        self.check_start(page, hostile)
        self.check_list(page, hostile)
        self.check_questions(page)
        self.check_map(page, hostile)
        self.check_table(page, hostile)
        self.check_endpoints(page)
        self.check_library(page, hostile)
        assert dialogs == []

    def check_start(self, page: Page, hostile: Assistant) -> None:
        """Example questions are made of titles, and the filters offer journals and types."""
        for title in hostile.index.first_titles(4):
            expect(page.locator("#chat .examples")).to_contain_text(title.rstrip("."))
        open_part(page, "Search options")
        overview = describe_library(hostile.index.current())
        for label, names in (("Journals", overview.journal_names), ("Article types", overview.publication_types)):
            page.get_by_label(label, exact=True).click()
            expect(page.get_by_role("option")).to_have_count(len(names))
            shown = text_of(page.get_by_role("option"))
            assert [name for name in names if without_space(name) not in shown] == []
            page.get_by_label(label, exact=True).blur()
        assert_harmless(page)

    def check_list(self, page: Page, hostile: Assistant) -> None:
        """One answer that quotes a sentence of every record, with a card for each."""
        answer, expected = text_of(ask(page, LIST)), hostile.ask(LIST)
        shown = text_of(page.locator("#evidence .card"))
        for citation in expected.citations:
            record = citation.record
            assert without_space(f"“{citation.quote}”") in answer
            parts = (record.title, record.journal, *record.authors[:6], record.volume, record.pages, *record.sources)
            assert [part for part in parts if without_space(part or "") not in shown] == []
            assert all(without_space(line) in shown for line in record.abstract.split("\n"))
        assert sum(payload in shown for payload in map(without_space, PAYLOADS.values())) > len(PAYLOADS) // 2
        open_part(page, "Report an error")
        page.get_by_label("What is wrong").click()
        expect(page.get_by_role("option")).to_have_count(1 + len(expected.citations))
        offered = text_of(page.get_by_role("option"))
        assert all(without_space(f"[{item.number}]{item.quote[:60]}") in offered for item in expected.citations)
        page.get_by_label("What is wrong").blur()
        assert_harmless(page)

    def check_questions(self, page: Page) -> None:
        """Questions that no report answers, shown with what was looked for and the nearest reports."""
        typed = {name: payload for name, payload in PAYLOADS.items() if name not in UNTYPABLE}
        for said in pack(typed, 4).values():
            asked = f"Who won the football match {said}?"
            answer = ask(page, asked)
            assert without_space(asked) in text_of(page.get_by_test_id("user").last)
            assert without_space(asked) in text_of(page.locator("#evidence .asked"))
            expect(answer).to_contain_text("Nearest reports")
        ask(page, "What dose of valproate did the man of 71 with a tremor take?")
        assert LONG_WORD in text_of(page.locator("#evidence .evidence-group").last)
        assert_harmless(page)

    def check_map(self, page: Page, hostile: Assistant) -> None:
        open_tab(page, "Map")
        record = hostile.search("selenium rash", 1)[0].record
        dot = page.locator(f"circle[data-record={json.dumps(record.record_id)}]")
        dot.hover(force=True)
        expect(page.locator(".map-title")).to_contain_text(record.title or "")
        assert_harmless(page)
        count = answers(page).count()
        dot.dispatch_event("click")
        wait_for_answer(page, count)
        assert without_space(f"What was the outcome in “{record.title}”?") in text_of(page.get_by_test_id("user").last)
        assert_harmless(page)

    def check_table(self, page: Page, hostile: Assistant) -> None:
        """The case table of one record; what its other cells hold is checked below."""
        ask(page, ONE)
        records = [citation.record for citation in hostile.ask(LIST).citations]
        open_tab(page, "Case table")
        row = page.locator("#case-table tbody tr").first
        expect(row).to_be_visible(timeout=ANSWER_MS)
        shown = text_of(row)
        assert any(without_space(record.authors[0]) in shown for record in records)
        assert_harmless(page)

    def check_endpoints(self, page: Page) -> None:
        """The endpoints of the same server, with hostile arguments."""
        said = " ".join(CHARACTERS.values())
        journal = " ".join(text for name, text in CHARACTERS.items() if name not in UNTYPABLE)
        no_filters = (None, None, None, None, False)
        found = self.call(page, "ask", LIST, *no_filters, None)
        assert len(found["citations"]) == GROUPS
        assert_clean(found)
        asked = self.call(page, "ask", f"Who won the match {said}?", None, None, [journal], [journal], False, None)
        assert asked["status"] == "insufficient_evidence"
        assert_clean(asked)
        assert_clean(self.call(page, "search", f"selenium {said}", 3, *no_filters))
        for value in ({"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, ["=1+1"], {"__type__": "update"}):
            assert self.call(page, "ask", value, *no_filters, None) is None

    @staticmethod
    def call(page: Page, name: str, *values: Any) -> Any:
        """The result of a call, or None where it is an error, which holds nothing of the server's files."""
        url = f"{page.url.rstrip('/')}/gradio_api/call/{name}"
        headers = {"Content-Type": "application/json"}
        sent = page.request.post(url, data=json.dumps({"data": values}), headers=headers)
        if not sent.ok:
            return None
        kind, data = page.request.get(f"{url}/{sent.json()['event_id']}").text().strip().split("\n")[-2:]
        assert "root:" not in data
        return json.loads(data.removeprefix("data: "))[0] if kind == "event: complete" else None

    def check_library(self, page: Page, hostile: Assistant) -> None:
        """What the library holds and rejected, and files with hostile names and contents."""
        open_tab(page, "Library")
        shown = text_of(page.locator("#library"))
        overview = describe_library(hostile.index.current())
        assert all(without_space(name) in shown for name in list(overview.journals)[:10])
        assert without_space("a<img src=x onerror=window.ran=1>.json") in shown
        upload = json.dumps([source_record(900, CELLS["formula"]), *REJECTED[:9], REJECTED[-1]]).encode()
        names = ["<img src=x onerror=window.ran=1>.json", "a\u202egnp.json", "=1+1.csv", "..%2f..%2fetc%2fpasswd.json"]
        files = [{"name": name, "mimeType": "text/html", "buffer": upload} for name in names]
        page.locator("input[type=file]").set_input_files(files)
        expect(page.locator(".file-preview tr")).to_have_count(len(names))
        assert_harmless(page)
        page.get_by_role("button", name="Add to the library").click()
        expect(page.locator("#outcome")).to_contain_text("The library now holds", timeout=ANSWER_MS)
        expect(page.locator("#outcome tbody tr")).not_to_have_count(0)
        assert not re.search("[\u202a-\u202e\x1b]", page.locator("#outcome").inner_text())
        assert_harmless(page)

    def test_text_of_a_chat_model_is_text(
        self, open_page: OpenPage, serve_page: ServePage, hostile: Assistant, server: FaultyChatServer
    ) -> None:
        """It quotes a record's payloads, adds its own, then fails with an error that contains more."""
        quote = hostile.ask(ONE).citations[0].quote
        server.behaviours = [says(f"{quote} [e1]\n", *PAYLOADS.values(), " [e1]"), refuses(400, ELEMENTS["img"])]
        with Assistant.open(hostile.index.index_dir, llm="openai:m", llm_base_url=server.url) as writing:
            page = open_page(serve_page(writing))
            expect(ask(page, ONE)).to_contain_text(quote.partition("[")[0])  # numbers in brackets are keys of a draft
            assert_harmless(page)
            failed = ask(page, ONE)
            expect(failed).to_contain_text("the chat model openai:m failed")
            expect(failed).to_contain_text(ELEMENTS["img"])
            assert_harmless(page)

    def test_tables_cards_and_the_map_show_every_payload_as_text(
        self, browser: Browser, records: dict[str, Record]
    ) -> None:
        read = list(records.values())
        table, elsewhere = make_table(read), []
        page = browser.new_page()
        page.on("request", lambda request: elsewhere.append(request.url))
        page.add_init_script(SENTINEL)
        page.set_content(f"<title>casecite</title><div id=case-table>{render_table(table)}</div>")
        shown = text_of(page.locator("body"))
        for record in read:
            assert without_space(record.title or "") in shown
            assert without_space(record.authors[0]) in shown
        assert_harmless(page)
        page.close()
        assert elsewhere == []
