"""Raw records are checked and normalised to records, or rejected with a field and a reason."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.ingest.formats.raw_record import RawRecord
from index.ingest.records import parse_record, read_records
from index.types import Record, Rejection, Section

ABSTRACT = "A ferret took two pills and slept."


def parse(**data: Any) -> Record | Rejection:
    return parse_record(RawRecord(file="f.jsonl", line=7, data={"abstract": ABSTRACT} | data))


def record_of(**data: Any) -> Record:
    parsed = parse(**data)
    assert isinstance(parsed, Record), parsed
    return parsed


def rejection_of(**data: Any) -> Rejection:
    parsed = parse(**data)
    assert isinstance(parsed, Rejection), parsed
    return parsed


def test_the_seed_file_is_one_record_with_its_sections(shared_data: Path) -> None:
    [record] = read_records([shared_data / "seed" / "romosozumab_plo.txt"])
    assert isinstance(record, Record)
    assert record.record_id == "doi:10.21037/acr-24-163"
    assert [section.label for section in record.sections] == ["Background", "Case description", "Conclusions"]
    assert record.authors == ("Hiroshi Nomura", "Shigeharu Nomura")
    assert (record.journal, record.year, record.volume, record.pages) == ("AME Case Reports", 2025, "9", "68")
    assert (record.publication_types, record.is_open_access) == (("Journal Article",), False)
    assert "<" not in record.abstract
    assert "Background" not in record.abstract
    assert record.pmid is record.pmcid is None


@pytest.mark.parametrize(
    ("field", "value", "name", "expected"),
    [
        pytest.param("authors", "Ann Orr, Bo Ek", "authors", ("Ann Orr", "Bo Ek"), id="authors-with-commas"),
        pytest.param("authors", "Orr, Ann; Ek, Bo", "authors", ("Orr, Ann", "Ek, Bo"), id="authors-with-semicolons"),
        pytest.param("authors", ["Ann Orr", " Bo Ek "], "authors", ("Ann Orr", "Bo Ek"), id="authors-list"),
        pytest.param("authors", [{"name": "Bo Ek"}, {"name": "李 明"}], "authors", ("Bo Ek", "李 明"), id="objects"),
        pytest.param("authors", [{"given": "Ann", "family": "Orr"}], "authors", ("Ann Orr",), id="author-given-family"),
        pytest.param("authors", "J&uuml;rgen Orr, Bo Ek", "authors", ("Jürgen Orr", "Bo Ek"), id="author-with-entity"),
        pytest.param("authors", "", "authors", (), id="no-authors"),
        pytest.param("authors", ["", None, "n/a"], "authors", (), id="empty-authors"),
        pytest.param("publicationTypes", "Journal Article", "publication_types", ("Journal Article",), id="type-text"),
        pytest.param("publicationTypes", ["Letter", "News"], "publication_types", ("Letter", "News"), id="type-list"),
        pytest.param("journal", "J Ferrets", "journal", "J Ferrets", id="journal-text"),
        pytest.param("journal", {"name": "J Ferrets"}, "journal", "J Ferrets", id="journal-object"),
        pytest.param("journal", {"name": "", "volume": "4 "}, "volume", "4", id="volume-in-journal"),
        pytest.param("PeriodicalName", "J Ferrets", "journal", "J Ferrets", id="journal-by-another-name"),
        pytest.param("title", "<i>Mustela</i> &amp; H<sub>2</sub>O\n", "title", "Mustela & H₂O", id="title-markup"),
        pytest.param("title", "p<0.05 for IgG<IgM", "title", "p<0.05 for IgG<IgM", id="title-comparison"),
        pytest.param("title", "   ", "title", None, id="blank-title"),
        pytest.param("volume", 12, "volume", "12", id="volume-number"),
        pytest.param("volume", 12.0, "volume", "12", id="volume-from-a-table"),
        pytest.param("volume", float("nan"), "volume", None, id="nothing-in-a-table"),
        pytest.param("pages", "n/a", "pages", None, id="pages-not-given"),
        pytest.param("pages", "e1\ud800\x00", "pages", "e1\ufffd", id="lone-surrogate-and-nul"),
        pytest.param("year", 2024, "year", 2024, id="year"),
        pytest.param("year", "2024", "year", 2024, id="year-text"),
        pytest.param("publicationDate", "2025-04-10", "year", 2025, id="date-iso"),
        pytest.param("EPubDate", "2025/1/1 0:00:00", "year", 2025, id="date-slashes"),
        pytest.param("publicationDate", "2019 Mar-Apr", "year", 2019, id="date-months"),
        pytest.param("publicationDate", "10 April 2019", "year", 2019, id="date-in-words"),
        pytest.param("publicationDate", None, "year", None, id="no-date"),
        pytest.param("doi", "10.1234/AbC.5", "doi", "10.1234/abc.5", id="doi"),
        pytest.param("doi", "https://doi.org/10.1234/ABC", "doi", "10.1234/abc", id="doi-url"),
        pytest.param("doi", "http://dx.doi.org/10.1234%2Fabc?x=1#y", "doi", "10.1234/abc", id="doi-escaped-url"),
        pytest.param("DOI", "doi: 10.1234/abc.", "doi", "10.1234/abc", id="doi-prefix-and-stop"),
        pytest.param("doi", "(10.1234/abc);", "doi", "10.1234/abc", id="doi-in-brackets"),
        pytest.param("doi", "10.1234/S01(05)9(6)", "doi", "10.1234/s01(05)9(6)", id="doi-with-its-own-brackets"),
        pytest.param("doi", "10.1234/(x)1<2::a>3.0;2-a", "doi", "10.1234/(x)1<2::a>3.0;2-a", id="doi-with-angles"),
        pytest.param("pmid", "PMID: 0012345", "pmid", "12345", id="pmid"),
        pytest.param("pmid", 12345, "pmid", "12345", id="pmid-number"),
        pytest.param("pmid", "https://pubmed.ncbi.nlm.nih.gov/12345/", "pmid", "12345", id="pmid-url"),
        pytest.param("pmcid", "pmc123", "pmcid", "PMC123", id="pmcid"),
        pytest.param("isOpenAccess", "Yes", "is_open_access", True, id="flag-word"),
        pytest.param("isOpenAccess", 0, "is_open_access", False, id="flag-number"),
        pytest.param("publicationTypes", ["Retracted Publication"], "retracted", True, id="retracted-by-type"),
        pytest.param("sections", [{"heading": "Intro"}], "sections", (), id="sections-of-another-kind"),
        pytest.param("sections", [["Aim", 0, 999]], "sections", (), id="section-past-the-end"),
        pytest.param("sections", [["Aim", 2, 8]], "sections", (Section("Aim", 2, 8),), id="sections-as-spans"),
        pytest.param("weather", {"any": [1, {"thing": None}]}, "title", None, id="unknown-field"),
    ],
)  # fmt: skip
def test_a_field_is_normalised(field: str, value: Any, name: str, expected: Any) -> None:
    assert getattr(record_of(**{field: value}), name) == expected


def test_a_journal_object_without_a_name_does_not_hide_the_other_name() -> None:
    record = record_of(journal={"name": None, "volume": "3"}, PeriodicalName="J Ferrets")
    assert (record.journal, record.volume) == ("J Ferrets", "3")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        pytest.param("abstract", None, "no text", id="no-abstract"),
        pytest.param("abstract", " \u200b\x00", "no text", id="unseen-abstract"),
        pytest.param("abstract", "<p></p><script>x</script>", "no text", id="abstract-of-markup"),
        pytest.param("abstract", 42, "must be text, is int", id="abstract-number"),
        pytest.param("abstract", 10**400, "must be text, is int", id="abstract-huge-number"),
        pytest.param("abstract", ["a"], "must be text, is list", id="abstract-list"),
        pytest.param("abstract", "x" * 100_001, "100,001 characters", id="abstract-too-long"),
        pytest.param("title", {"en": "x"}, "must be text, is dict", id="title-object"),
        pytest.param("title", "x" * 5_000, "5,000 characters", id="title-too-long"),
        pytest.param("authors", 5, "must be a list of text, is int", id="authors-number"),
        pytest.param("authors", [["Ann"]], "must be text, is list", id="author-list"),
        pytest.param("authors", [{"orcid": "1"}], "without a name", id="author-without-name"),
        pytest.param("authors", ["Ann"] * 3_001, "3,001 entries", id="too-many-authors"),
        pytest.param("PeriodicalName", ["J"], "must be text, is list", id="journal-by-another-name"),
        pytest.param("journal", ["J"], "must be text, is list", id="journal-list"),
        pytest.param("year", "soon", "no year", id="year-word"),
        pytest.param("year", True, "is bool", id="year-flag"),
        pytest.param("year", 1e400, "is float", id="year-infinite"),
        pytest.param("doi", "11.1234/x", "no DOI", id="doi-invalid"),
        pytest.param("doi", "https://doi.org/10.1234/", "no DOI", id="doi-without-name"),
        pytest.param("pmid", "PMC123", "no PubMed number", id="pmcid-as-pmid"),
        pytest.param("pmid", "12345678901", "no PubMed number", id="pmid-too-long"),
        pytest.param("url", "javascript:alert(1)", "http", id="url-scheme"),
        pytest.param("url", "java\nscript:alert(1)", "http", id="url-hidden-scheme"),
        pytest.param("url", "https:///x", "http", id="url-without-host"),
        pytest.param("url", "http://[", "", id="url-broken"),
        pytest.param("isOpenAccess", "maybe", "true or false", id="flag"),
    ],
)  # fmt: skip
def test_an_invalid_field_is_rejected_with_its_place_and_a_reason(field: str, value: Any, reason: str) -> None:
    rejection = rejection_of(**{field: value})
    assert (rejection.file, rejection.line, rejection.field) == ("f.jsonl", 7, field)
    assert reason in rejection.reason
    assert len(rejection.raw) <= 2_000


@pytest.mark.parametrize("count", [1_000_000, 6_000_000])
def test_an_abstract_of_megabytes_is_rejected_quickly(tmp_path: Path, count: int) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"abstract": "{"<b>" * count}"}}\n{json.dumps({"abstract": ABSTRACT})}\n')
    started = time.thread_time()
    bad, good = read_records([path])
    assert time.thread_time() - started < 3
    assert isinstance(bad, Rejection)
    assert (bad.line, " characters, " in bad.reason) == (1, True)
    assert isinstance(good, Record)


def test_an_invalid_record_in_a_list_is_rejected_with_its_entry(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"abstract": ABSTRACT}, {"title": "No text"}, {"abstract": ABSTRACT, "year": 1990}]))
    first, bad, last = read_records([path])
    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert isinstance(bad, Rejection)
    assert (bad.field, bad.reason) == ("abstract", "entry 2: no text")


def test_the_record_id_is_the_doi_otherwise_the_pmid_otherwise_a_hash_of_the_folded_text() -> None:
    assert record_of(doi="10.1234/X", pmid=5).record_id == "doi:10.1234/x"
    assert record_of(pmid=5).record_id == "pmid:5"
    hashed = record_of(title="A Ferret", abstract="<p>It   SLEPT.</p>").record_id
    assert hashed == record_of(title="a ferret", abstract="it slept.").record_id
    assert hashed != record_of(title="a ferret", abstract="it woke.").record_id
    assert len(hashed.removeprefix("sha256:")) == 16


def test_the_content_hash_follows_title_text_and_sections() -> None:
    same = record_of(title="T").content_hash
    assert record_of(title="T", year=1999).content_hash == same
    assert record_of(title="U").content_hash != same
    assert record_of(title="T", abstract=f"Aim: {ABSTRACT}").content_hash != same


def test_what_is_absent_is_none() -> None:
    record = record_of(title="", journal=" ", year="", doi=None, url="-", volume="N/A", pages=[], isOpenAccess=None)
    values = (record.title, record.journal, record.year, record.doi, record.url, record.volume, record.pages)
    assert values == (None,) * 7
    assert record.is_open_access is None


def test_sections_of_an_abstract_with_markup_are_replaced() -> None:
    record = record_of(abstract="<p>Aim: It slept.</p>", sections=[["Odd", 0, 8]])
    assert (record.abstract, record.sections) == ("It slept.", (Section("Aim", 0, 9),))


_TEXT = st.text(max_size=40)
_PIECES = st.one_of(_TEXT, st.sampled_from(["<p>", "<b>Aim: </b>", "\nCase: ", "&lt;", "\n", " x "]))
_SOURCES = st.fixed_dictionaries(
    {"abstract": st.lists(_PIECES).map("".join)},
    optional={
        "title": _TEXT,
        "authors": st.one_of(_TEXT, st.lists(_TEXT, max_size=3)),
        "journal": st.one_of(_TEXT, st.fixed_dictionaries({"name": _TEXT, "volume": _TEXT})),
        "year": st.one_of(st.integers(1500, 2099), st.just("2001-02-03")),
        "doi": st.sampled_from(["10.1234/Ä(B)", "doi:10.55555/x.", "10.1/none"]),
        "pmid": st.integers(1, 999_999_999),
        "isOpenAccess": st.sampled_from([True, "no", None]),
        "publicationTypes": st.lists(_TEXT, max_size=2),
    },
)  # fmt: skip


@settings(deadline=None)
@given(_SOURCES)
def test_a_record_survives_json_and_reads_back_as_itself(data: dict[str, Any]) -> None:
    """`from_dict` is the inverse of `to_dict`, and an exported record can be read again."""
    record = parse_record(RawRecord(file="f", line=1, data=data))
    if isinstance(record, Rejection):
        assert record.reason
        return
    exported = json.loads(json.dumps(record.to_dict(), ensure_ascii=False).encode())
    assert Record.from_dict(exported) == record
    assert parse_record(RawRecord(file="g", line=1, data=exported)) == record
    assert all(record.abstract[section.start : section.end].strip() for section in record.sections)


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=9)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)
_NAMES = ("title", "authors", "doi", "pmid", "url", "year", "journal", "sections", "publicationTypes", "content_hash")


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(_NAMES), _JSON))
def test_any_json_gives_a_record_or_a_reason(data: dict[str, Any]) -> None:
    parsed = parse(**data)
    json.dumps(parsed.to_dict(), ensure_ascii=False).encode()
    assert isinstance(parsed, Record) or parsed.reason
