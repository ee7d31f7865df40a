"""JSON of Europe PMC and Semantic Scholar; retractions and authors in any JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from index import Record
from tests.support.record_files import BULK, EUROPE_PMC, SEMANTIC_SCHOLAR, read, write


def read_one(tmp_path: Path, data: dict[str, Any]) -> Record:
    (record,), rejected = read(write(tmp_path / "a.json", json.dumps(data)))
    assert rejected == []
    return record


@pytest.mark.parametrize(
    ("data", "source", "source_id"),
    [
        pytest.param(EUROPE_PMC, "Europe PMC", "MED:9900001", id="europe-pmc"),
        pytest.param(SEMANTIC_SCHOLAR, "Semantic Scholar", SEMANTIC_SCHOLAR["paperId"], id="semantic-scholar"),
        pytest.param(BULK, "Semantic Scholar", "7", id="semantic-scholar-bulk"),
    ],
)
def test_a_record_knows_the_database_it_is_from(
    tmp_path: Path, data: dict[str, Any], source: str, source_id: str
) -> None:
    record = read_one(tmp_path, data)
    assert (record.sources, record.source_id, record.is_open_access) == ((source,), source_id, True)


@pytest.mark.parametrize("data", [EUROPE_PMC | {"abstractText": None}, SEMANTIC_SCHOLAR | {"abstract": None}])
def test_without_an_abstract_it_is_rejected(tmp_path: Path, data: dict[str, Any]) -> None:
    records, (rejection,) = read(write(tmp_path / "a.jsonl", json.dumps(data) + "\n"))
    assert (records, rejection.field, rejection.reason) == ([], "abstract", "no text")


def test_a_short_result_of_europe_pmc_gives_what_it_has(tmp_path: Path) -> None:
    """Its "lite" results have text where the others have lists."""
    kept = {name: EUROPE_PMC[name] for name in ("id", "source", "title", "authorString", "abstractText")}
    lite = {"journalTitle": "Ann Inv Cases", "journalVolume": "12", "pubType": "case reports; journal article"}
    record = read_one(tmp_path, kept | lite)
    assert record.authors == ("Orr AB", "Ek B", "Syrup Study Group")
    assert (record.journal, record.volume, record.pmid) == ("Ann Inv Cases", "12", "9900001")
    assert record.publication_types == ("case reports", "journal article")


@pytest.mark.parametrize("wrapped", [[], {}, None, {"author": None}, {"author": {"fullName": "Orr AB"}}])
def test_missing_and_malformed_lists_are_read_as_empty(tmp_path: Path, wrapped: object) -> None:
    record = read_one(tmp_path, EUROPE_PMC | {"authorList": wrapped, "pubTypeList": wrapped, "journalInfo": wrapped})
    assert record.authors[0] == "Orr AB"
    assert record.publication_types == ()


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("pages", [1, 3])
def test_pages_of_a_search_may_follow_one_another(tmp_path: Path, indent: int | None, pages: int) -> None:
    page = {"total": 2, "offset": 0, "data": [SEMANTIC_SCHOLAR, SEMANTIC_SCHOLAR], "next": 2}
    content = "\n".join([json.dumps(page, indent=indent)] * pages)
    records, rejected = read(write(tmp_path / "a.json", content))
    assert (len(records), rejected) == (2 * pages, [])


@pytest.mark.parametrize(
    ("change", "is_retracted"),
    [
        pytest.param({"pubTypeList": {"pubType": ["Retracted Publication"]}}, True, id="type"),
        pytest.param({"pubTypeList": {"pubType": ["Retraction of Publication"]}}, False, id="notice"),
        pytest.param({"commentCorrectionList": {"commentCorrection": [{"type": "Retraction in"}]}}, True, id="comment"),
        pytest.param({"commentCorrectionList": {"commentCorrection": [{"type": "Retraction of"}]}}, False, id="of"),
        pytest.param({"commentCorrectionList": {"commentCorrection": [{"type": "Erratum in"}]}}, False, id="erratum"),
        pytest.param({"title": "RETRACTED: Hiccups after syrup"}, True, id="title"),
        pytest.param({"title": "Retracted article: Hiccups after syrup"}, True, id="title-in-words"),
        pytest.param({"title": "[Retracted] Hiccups after syrup"}, True, id="title-in-brackets"),
        pytest.param({"title": "WITHDRAWN: Hiccups after syrup"}, True, id="withdrawn"),
        pytest.param({"title": "Retracted lung after hiccups"}, False, id="another-sense"),
        pytest.param({"title": "Retraction: Hiccups after syrup"}, False, id="title-of-a-notice"),
        pytest.param(
            {"title": "RETRACTED: Hiccups", "pubTypeList": {"pubType": ["Retraction of Publication"]}},
            False,
            id="notice-titled-as-what-it-retracts",
        ),
    ],
)
def test_a_retracted_report_is_distinguished_from_a_notice(
    tmp_path: Path, change: dict[str, Any], is_retracted: bool
) -> None:
    assert read_one(tmp_path, EUROPE_PMC | change).retracted is is_retracted


@pytest.mark.parametrize(
    ("authors", "expected"),
    [
        pytest.param(["Ek, Bo", "Orr, Ann B"], ("Bo Ek", "Ann B Orr"), id="list"),
        pytest.param("Ek, Bo; Orr, Ann B", ("Bo Ek", "Ann B Orr"), id="semicolons"),
        pytest.param("Ek, Bo", ("Bo Ek",), id="one"),
        pytest.param("van der Berg, Jan", ("Jan van der Berg",), id="one-with-particles"),
        pytest.param("Ek B, Orr AB", ("Ek B", "Orr AB"), id="initials"),
        pytest.param("Bo Ek, Ann B Orr", ("Bo Ek", "Ann B Orr"), id="given-name-first"),
        pytest.param([{"given": "Bo", "family": "Ek"}, "Orr, Ann"], ("Bo Ek", "Ann Orr"), id="mixed"),
    ],
)
def test_authors_have_their_given_names_first(tmp_path: Path, authors: object, expected: tuple[str, ...]) -> None:
    record = read_one(tmp_path, {"abstract": "x", "authors": authors})
    assert record.authors == expected
    assert read_one(tmp_path, record.to_dict()).authors == expected, "an exported record is unchanged"
