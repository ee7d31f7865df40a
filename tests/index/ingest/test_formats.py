"""Every format is detected from content, gives the same record, and malformed input is rejected with its line."""

from __future__ import annotations

import gzip
import random
import socket
import time
from pathlib import Path

import pytest

from index import Record, build_index, open_index, read_records
from index.errors import WrongUseError
from index.ingest.formats import FORMATS, RECORD_SUFFIXES, detect_format
from tests.support.record_files import (
    MANY,
    SAMPLES,
    XML_HEAD,
    article,
    medline,
    pmids,
    read,
    ris,
    table,
    write,
    xml,
)


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("name", ["a.txt", "a.json", "a.xml.gz", "a.csv", "export.dat"], ids=str)
def test_every_format_gives_the_same_record_with_any_file_name(tmp_path: Path, sample: str, name: str) -> None:
    """In a file with an unknown suffix only the first line counts, so BibTeX must not start with a comment there."""
    text = SAMPLES[sample].lstrip("\n").removeprefix("% Encoding: UTF-8\n") if name == "export.dat" else SAMPLES[sample]
    content = text.encode()
    records, rejected = read(write(tmp_path / name, gzip.compress(content) if name.endswith("gz") else content))
    assert rejected == []
    (record,) = records
    assert (record.record_id, record.doi, record.pmid) == ("doi:10.5555/aic.31", "10.5555/aic.31", "9900001")
    assert record.title == "Hiccups after Allium syrup: a case report."
    assert record.authors == ("Ann B Orr", "Bo Ek", "Syrup Study Group")
    assert (record.journal, record.year) == ("Annals of Invented Cases", 2019)
    assert (record.volume, record.pages, record.pmcid) == ("12", "31-4", "PMC990001")
    assert record.publication_types == ("Case Reports", "Journal Article")
    assert not record.retracted
    assert [(label.casefold(), record.abstract[start:end]) for label, start, end in record.sections] == [
        ("background", "Onion syrup is thought harmless."),
        ("case presentation", "A cook of 52 years drank 10 ml and hiccuped for 3 days (p < 0.05)."),
    ]


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("change", ["utf-16", "bom", "cr", "crlf"])
def test_other_line_ends_and_unicode_encodings_are_read(tmp_path: Path, sample: str, change: str) -> None:
    text = SAMPLES[sample].replace("\r\n", "\n").replace("syrup", "sirôp").replace('<?xml version="1.0" ?>\n', "")
    ends = {"cr": "\r", "crlf": "\r\n"}
    encodings = {"utf-16": "utf-16", "bom": "utf-8-sig"}
    content = text.replace("\n", ends.get(change, "\n")).encode(encodings.get(change, "utf-8"))
    (record,), rejected = read(write(tmp_path / "a.txt", content))
    assert rejected == []
    assert record.title == "Hiccups after Allium sirôp: a case report."


def test_a_folder_of_every_format_is_one_library(tmp_path: Path) -> None:
    """A record that comes in several formats is one record, and is found."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number, content in enumerate(SAMPLES.values()):
        write(folder / f"{number}.txt", content)
    write(folder / "more.xml", xml(article(7)))
    write(folder / "readme.docx", "no records")
    report = build_index([folder], tmp_path / "index")
    assert report.record_count == 2
    assert [Path(item.file).name for item in report.rejected] == ["readme.docx"]
    (passage, *_) = open_index(tmp_path / "index").search("sneezing weaver")
    assert passage.record.pmid == "7"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param("a.txt", "", "JSON or JSONL", id="empty"),
        pytest.param("a.xml", "  \n", "JSON or JSONL", id="blank"),
        pytest.param("a.txt", "no format at all", "JSON or JSONL", id="prose"),
        pytest.param("a.ris", "no format at all", "RIS", id="prose-by-name"),
        pytest.param("a.csv.gz", "no,format", "CSV or TSV", id="unknown-columns-by-name"),
        pytest.param("a.csv", '{"title": "x", "abstract": "y"}', "JSON or JSONL", id="json-in-csv"),
        pytest.param("a.txt", "Provider: x\n\nTY  - JOUR\n", "RIS", id="ris-after-a-header"),
        pytest.param("a.txt", "PMC - PMC1\nPMID- 1\n", "MEDLINE", id="medline-of-pmc"),
        pytest.param("a.txt", '\ufeff"Title"\t"Abstract"\n', "CSV or TSV", id="quoted-names-with-bom"),
        pytest.param("a.json", "<PubmedArticleSet>", "PubMed XML", id="xml-without-declaration"),
    ],
)
def test_the_format_is_detected_from_content_otherwise_from_the_name(name: str, content: str, expected: str) -> None:
    assert detect_format(content.encode(), name).name == expected


def test_every_format_has_its_suffixes() -> None:
    assert len(set(RECORD_SUFFIXES)) == sum(len(kind.suffixes) for kind in FORMATS)
    assert {".json", ".jsonl", ".txt", ".xml", ".nbib", ".ris", ".csv", ".tsv"} <= set(RECORD_SUFFIXES)


def test_input_without_a_record_names_the_formats(tmp_path: Path) -> None:
    with pytest.raises(WrongUseError, match=r"JSON or JSONL, PubMed XML, RIS, MEDLINE, BibTeX, CSV or TSV; or \.gz"):
        build_index([write(tmp_path / "a.txt", "nothing")], tmp_path / "index")


# PubMed XML


def test_retractions_are_detected_in_xml_apart_from_notices(tmp_path: Path) -> None:
    def corrected(number: int, *kinds: str) -> str:
        notes = "".join(f'<CommentsCorrections RefType="{kind}"/>' for kind in kinds)
        return article(number, more=f"<CommentsCorrectionsList>{notes}</CommentsCorrectionsList>")

    kind = "<PublicationTypeList><PublicationType>Retracted Publication</PublicationType></PublicationTypeList>"
    by_type = article(2).replace("</Article>", f"{kind}</Article>")
    notice = corrected(3, "RetractionOf", "ExpressionOfConcernIn")
    records, _ = read(write(tmp_path / "a.xml", xml(corrected(1, "RetractionIn"), by_type, notice)))
    assert [record.retracted for record in records] == [True, True, False]


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        pytest.param("CO<sub>2</sub> of 10<sup>9</sup>/l, <i>in <b>vivo</b></i>", "CO₂ of 10⁹/l, in vivo", id="markup"),
        pytest.param("a &lt; b &amp; c", "a < b & c", id="escaped"),
        pytest.param(
            'x <mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML"><mml:mi>y</mml:mi></mml:math> z',
            "x y z",
            id="formula",
        ),
    ],
)
def test_markup_in_a_title_becomes_text(tmp_path: Path, inner: str, expected: str) -> None:
    content = xml(article(1).replace("Case 1", inner))
    (record,), _ = read(write(tmp_path / "a.xml", content))
    assert record.title == expected


def test_an_article_without_an_abstract_or_of_another_kind_is_rejected_with_its_entry(tmp_path: Path) -> None:
    bare = "<PubmedArticle><MedlineCitation><PMID>3</PMID><Article/></MedlineCitation></PubmedArticle>"
    records, rejected = read(write(tmp_path / "a.xml", xml(article(1), bare, "<PubmedBookArticle/>", article(4))))
    assert pmids(records) == ["1", "4"]
    assert [(item.field, item.reason) for item in rejected] == [
        ("abstract", "entry 2: no text"),
        (None, "entry 3: no article: PubmedBookArticle"),
    ]
    assert '"pmid": "3"' in rejected[0].raw


def test_truncated_xml_gives_the_complete_articles_and_a_rejection_with_the_line(tmp_path: Path) -> None:
    content = xml(*map(article, range(1, 50)))
    records, (rejection,) = read(write(tmp_path / "a.xml", content[: content.index("Case 40")]))
    assert pmids(records) == [str(number) for number in range(1, 40)]
    assert (rejection.line, "cut off" in rejection.reason) == (43, True)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param("<html><body/></html>", "not read: XML of html", id="other-root"),
        pytest.param(XML_HEAD + "<PubmedArticleSet>&nbsp;</PubmedArticleSet>", "undefined entity", id="entity"),
        pytest.param('<?xml version="1.0" encoding="klingon"?><a/>', "unknown encoding", id="encoding"),
        pytest.param("<PubmedArticleSet>" + "<a>" * 200_000, "nested too deeply", id="deep"),
        pytest.param(xml(article(1).replace("Case 1", "\x00")), "not well-formed", id="nul"),
        pytest.param(xml(), "no article in the file", id="no-article"),
    ],
)
def test_xml_that_cannot_be_read_is_one_rejection(tmp_path: Path, content: str, reason: str) -> None:
    records, (rejection,) = read(write(tmp_path / "a.xml", content))
    assert records == []
    assert reason in rejection.reason


@pytest.mark.parametrize("between", ["", "\n", "\r\n\n "])
def test_consecutive_xml_documents_are_read_past_a_broken_one(tmp_path: Path, between: str) -> None:
    broken = xml(article(2), "<PubmedArticle></MedlineCitation>")
    content = between.join(["", xml(article(1)), broken, xml(article(3)), "<html/>", xml(article(4))])
    records, rejected = read(write(tmp_path / "a.xml", content))
    assert pmids(records) == ["1", "2", "3"]
    expected = content[: content.index("</MedlineCitation></PubmedArticleSet>")].count("\n") + 1
    assert rejected[0].line == expected
    assert "mismatched tag" in rejected[0].reason
    assert "XML of html" in rejected[1].reason


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))


@pytest.mark.parametrize(
    "declarations",
    [
        pytest.param(f'<!ENTITY l0 "ha">{LAUGHS}', id="billion-laughs"),
        pytest.param(f'<!ENTITY l11 "{"ha" * 100_000}">', id="quadratic"),
        pytest.param('<!ENTITY l11 SYSTEM "file:///etc/passwd">', id="file"),
        pytest.param('<!ENTITY l11 SYSTEM "http://example.org/x">', id="address"),
        pytest.param('<!ENTITY % p SYSTEM "http://example.org/x.dtd"> %p;', id="parameter"),
    ],
)
@pytest.mark.usefixtures("no_network")
def test_entities_are_not_expanded(tmp_path: Path, declarations: str) -> None:
    content = f"<!DOCTYPE PubmedArticleSet [{declarations}]><PubmedArticleSet>{article(1, '&l11;')}</PubmedArticleSet>"
    started = time.thread_time()
    records, (rejection,) = read(write(tmp_path / "a.xml", content))
    assert records == []
    assert "own entities" in rejection.reason
    assert time.thread_time() - started < 0.5


@pytest.mark.usefixtures("no_network")
def test_the_dtd_of_a_file_is_not_downloaded(tmp_path: Path) -> None:
    content = xml(article(1)).replace("dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101", "example.org/not_packaged")
    assert pmids(read(write(tmp_path / "a.xml", content))[0]) == ["1"]


# MEDLINE and RIS


def test_a_broken_medline_entry_is_rejected_at_its_line_and_the_others_are_read(tmp_path: Path) -> None:
    entries = [
        medline(1),
        medline(2) + "and then the line was broken by a mail program\n",
        medline(3) + medline(4),  # no empty line between them
        medline(5, "An ache in the caf\udce9."),
        "PMID- 6\nTI  - no abstract\n",
        medline(7, "A boy had\n      \n      a fever."),
    ]
    records, rejected = read(write(tmp_path / "a.nbib", "\n".join(entries).encode("utf-8", "surrogateescape")))
    assert pmids(records) == ["1", "3", "4", "7"]
    assert [(item.line, item.field) for item in rejected] == [(8, None), (17, None), (21, "abstract")]
    assert "six spaces" in rejected[0].reason
    assert "not UTF-8" in rejected[1].reason
    assert b"caf\\udce9" in rejected[1].raw.encode(), "it can be stored"


def test_medline_that_starts_within_an_entry_is_read_from_the_next(tmp_path: Path) -> None:
    records, (rejection,) = read(write(tmp_path / "a.nbib", "      end of an abstract\n\n" + medline(2)))
    assert pmids(records) == ["2"]
    assert rejection.line == 1


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_a_last_medline_entry_without_the_end_of_the_others_is_rejected(tmp_path: Path, end: str) -> None:
    entries = [f"{medline(number)}SO  - Ann Inv Cases. 2019;1:1.\n" for number in (1, 2, 3)]
    content = "\n".join(entries)
    cut = content[: content.rindex("sneezed")]
    records, (rejection,) = read(write(tmp_path / "a.nbib", cut + end))
    assert pmids(records) == ["1", "2"]
    assert (rejection.line, "cut off" in rejection.reason) == (11, True)


def test_a_retraction_is_seen_in_medline(tmp_path: Path) -> None:
    tags = [
        "RIN - Ann Inv Cases. 2020;1:1",
        "PT  - Retracted Publication",
        "ROF - Ann Inv Cases. 2020;1:1",
        "PT  - Letter",
    ]
    entries = [f"{medline(number)}{tag}\n" for number, tag in enumerate(tags, start=1)]
    records, _ = read(write(tmp_path / "a.nbib", "\n".join(entries)))
    assert [record.retracted for record in records] == [True, True, False, False]


def test_broken_ris_entries_are_rejected_at_their_lines_and_the_others_are_read(tmp_path: Path) -> None:
    content = (
        "Provider: an invented one\n"
        + ris(1)
        + ris(2).replace("ER  - \n", "")
        + ris(3)
        + "TY  - JOUR\nTI  - no abstract\nER  - \n"
        + ris(5)[:60]
    )
    records, rejected = read(write(tmp_path / "a.ris", content))
    assert pmids(records) == ["1", "3"]
    assert [(item.line, item.field) for item in rejected] == [(1, None), (8, None), (19, "abstract"), (22, None)]
    assert ["outside" in rejected[0].reason, "no end" in rejected[1].reason, "cut off" in rejected[3].reason] == [
        True
    ] * 3


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param("UR  - https://example.org/a;2-x?b=1", id="semicolon-within"),
        pytest.param(
            "UR  - see below\nUR  - https://example.org/a;2-x?b=1\nUR  - https://example.org/other", id="lines"
        ),
        pytest.param("UR  - https://example.org/a;2-x?b=1;https://example.org/other", id="semicolon-between"),
    ],
)
def test_the_first_address_of_a_ris_entry_is_its_link(tmp_path: Path, lines: str) -> None:
    (record,), _ = read(write(tmp_path / "a.ris", ris(1).replace("ID  - 1", lines)))
    assert record.url == "https://example.org/a;2-x?b=1"


def test_the_accession_number_of_another_database_is_no_pmid(tmp_path: Path) -> None:
    records, _ = read(
        write(tmp_path / "a.ris", ris(11).replace("PubMed", "Scopus") + ris(12).replace("12\nAB", "PMID: 12\nAB"))
    )
    assert pmids(records) == [None, "12"]


def test_ris_and_medline_name_the_database_that_they_are_from(tmp_path: Path) -> None:
    others = ris(2).replace("PubMed", "Scopus"), ris(3).replace("DB  - PubMed\n", "")
    content = {"a.nbib": medline(1), "b.ris": "".join([ris(1), *others]), "c.xml": xml(article(4))}
    paths = [write(tmp_path / name, text) for name, text in content.items()]
    records, _ = read(*paths)
    assert [record.sources for record in records] == [("PubMed",), ("PubMed",), ("Scopus",), ("b.ris",), ("PubMed",)]


# Tables


def test_pubmeds_csv_without_abstracts_is_rejected_with_a_remedy(tmp_path: Path) -> None:
    header = "PMID,Title,Authors,Citation,First Author,Journal/Book,Publication Year,Create Date,PMCID,NIHMS ID,DOI"
    records, (rejection,) = read(write(tmp_path / "a.csv", f"\n{header}\n1,Case 1,,,,,2001,,,,\n"))
    assert records == []
    assert (rejection.line, rejection.field) == (2, "abstract")
    assert "Journal/Book, Publication Year" in rejection.reason
    assert "nbib" in rejection.reason


@pytest.mark.parametrize(
    ("names", "values", "expected"),
    [
        pytest.param(
            "TI,AB,AU,SO,PY,DI", ["t", "Text.", "Orr, A; Ek, B", "J", "2001", "10.5555/x"], ("t", "J", 2001), id="tags"
        ),
        pytest.param(
            "Abstract Note,Title,Publication Title,Date", ["Text.", "t", "J", "2001-05"], ("t", "J", 2001), id="zotero"
        ),
        pytest.param("title,abstract,journal,year", ["t", "Text.", "J", "2001"], ("t", "J", 2001), id="lower"),
        pytest.param(
            "Title,Abstract,Journal,Published Year", ["t", "Text.", "J", "2001"], ("t", "J", 2001), id="covidence"
        ),
        pytest.param(
            "Title,Abstract,Year,Publication Date", ["t", "Text.", "", "2001-02-03"], ("t", None, 2001), id="other"
        ),
    ],
)
def test_columns_are_known_by_their_usual_names(
    tmp_path: Path, names: str, values: list[str], expected: object
) -> None:
    (record,), _ = read(write(tmp_path / "a.csv", table(dict(zip(names.split(","), values, strict=True)))))
    assert (record.title, record.journal, record.year) == expected


GERMAN = "Titel;Zusammenfassung;Jahr;Verfasser\nFall 1;Ein Koch hustete.;2019;Ek, Bo\n"


def test_the_column_map_applies_to_unusual_names_and_leaves_other_files_alone(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", GERMAN)
    write(tmp_path / "b.csv", 'Title,Abstract,Year,Author\nCase 2,A cook coughed.,2018,"Orr, Ann"\n')
    write(tmp_path / "c.ris", ris(3))
    columns = {"title": "titel", "abstract": "Zusammenfassung", "year": "Jahr", "authors": "Verfasser"}
    records = list(read_records([tmp_path], columns))
    assert all(isinstance(record, Record) for record in records)
    assert [(record.title, record.abstract, record.year, record.authors) for record in records[:2]] == [
        ("Fall 1", "Ein Koch hustete.", 2019, ("Bo Ek",)),
        ("Case 2", "A cook coughed.", 2018, ("Ann Orr",)),
    ]
    assert records[2].pmid == "3"


@pytest.mark.parametrize("name", ["a.txt", "a.dat", "a.csv"])
def test_a_column_of_the_map_identifies_a_table(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, "Nr\tKurzfassung\n1\tEin Koch hustete.\n")
    (record,) = read_records([path], {"abstract": "Kurzfassung"})
    assert record.abstract == "Ein Koch hustete."


def test_a_mapped_column_has_priority_and_serves_one_field_only(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "Title,Abstract,Summary,Source\nt,Long.,,x\nt,Long.,Short.,x\n")
    first, second = read_records([path], {"abstract": "Summary", "source_id": "Source"})
    assert (first.field, first.reason) == ("abstract", "no text")
    assert (second.abstract, second.source_id, second.journal) == ("Short.", "x", None)


@pytest.mark.parametrize(
    ("columns", "field"),
    [({"abstract": "Zusammenfasung"}, "abstract"), ({"abstract": "Zusammenfassung", "volume": "Bnad"}, "volume")],
)
def test_a_table_without_a_mapped_column_is_rejected_with_its_columns(
    tmp_path: Path, columns: dict[str, str], field: str
) -> None:
    (rejection,) = read_records([write(tmp_path / "a.csv", GERMAN)], columns)
    assert (rejection.line, rejection.field) == (1, field)
    assert f"no column {columns[field]!r} among Titel, Zusammenfassung, Jahr" in rejection.reason


def test_a_column_map_with_an_unknown_field_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(WrongUseError, match=r"no field 'abstrakt' .*use one of abstract, title"):
        next(read_records([write(tmp_path / "a.csv", GERMAN)], {"abstrakt": "Zusammenfassung"}))


def test_broken_rows_are_rejected_at_their_lines_and_the_others_are_read(tmp_path: Path) -> None:
    lines = [
        "pmid,title,abstract",
        '1,Case 1,"A weaver, 44,\nsneezed."',
        "",
        "2,Case 2,A weaver, 44, sneezed.",
        '3,Case 3,"A "quoted" weaver sneezed."',
        "4,Case 4,",
        "5,Case 5,A weaver sneezed.",
        "six,Case 6,A weaver sneezed.",
        "7,Case 7,A caf\udce9 made her sneeze.",
        "8,Case 8,A weaver sneezed.",
        '9,Case 9,"A weaver sneezed and',
    ]
    content = "\n".join(lines).encode("utf-8", "surrogateescape")
    records, rejected = read(write(tmp_path / "a.csv", content))
    assert pmids(records) == ["1", "5", "8"]
    assert records[0].abstract == "A weaver, 44, sneezed."
    assert [(item.line, item.field) for item in rejected] == [
        (5, None),
        (6, None),
        (7, "abstract"),
        (9, "pmid"),
        (10, None),
        (12, None),
    ]
    assert "5 cells in 3 columns" in rejected[0].reason


def test_a_table_without_rows_says_so(tmp_path: Path) -> None:
    records, (rejection,) = read(write(tmp_path / "a.csv", "pmid,title,abstract\n"))
    assert (records, rejection.reason) == ([], "no row below the column names")


def test_empty_cells_at_the_end_may_be_too_many_or_too_few(tmp_path: Path) -> None:
    rows = ["pmid,abstract,title", "1,A weaver sneezed.,Case 1,,", "2,A weaver sneezed."]
    records, rejected = read(write(tmp_path / "a.csv", "\n".join(rows)))
    assert (pmids(records), rejected) == (["1", "2"], [])


def test_an_unclosed_quotation_mark_costs_only_part_of_a_long_table(tmp_path: Path) -> None:
    rows = [f"{number},A weaver of 44 years sneezed for {number} days." for number in range(1, 5_001)]
    rows[4] = '5,"A weaver sneezed.'
    records, rejected = read(write(tmp_path / "a.csv", "\n".join(["pmid,abstract", *rows])))
    assert pmids(records)[:4] == ["1", "2", "3", "4"]
    assert pmids(records)[-1] == "5000"
    (rejection,) = rejected
    assert (rejection.line, rejection.reason[:7]) == (6, "not CSV")
    first_after = int(pmids(records)[4] or 0)
    assert f"reading continues after line {first_after}" in rejection.reason, "the header is line 1"
    assert first_after < 4_000


# All formats


@pytest.mark.parametrize("kind", MANY)
def test_a_truncated_gz_gives_its_complete_records_and_one_rejection(tmp_path: Path, kind: str) -> None:
    noise = random.Random(3)
    content = MANY[kind](150, "word " * 100).replace("word word", f"word {noise.randbytes(40).hex()}")
    whole = gzip.compress(content.encode())
    records, rejected = read(write(tmp_path / "a.txt.gz", whole[: len(whole) // 2]))
    assert 20 < len(records) < 150
    assert "cannot be read" in rejected[-1].reason
