"""Hybrid search over the demo corpus, with the real parts."""

from __future__ import annotations

from pathlib import Path

import pytest

from index import Filters, Index, open_index
from index.errors import NoIndexError, WrongUseError


@pytest.fixture(scope="module")
def index(demo_index_dir: Path) -> Index:
    return open_index(demo_index_dir)


def test_passages_are_ranked_without_gaps_and_hold_their_text(index: Index) -> None:
    passages = index.search("kidney failure", top_k=12)
    assert [passage.rank for passage in passages] == list(range(1, 13))
    assert [passage.score for passage in passages] == sorted((passage.score for passage in passages), reverse=True)
    for passage in passages:
        chunk = passage.chunk
        assert chunk.text == passage.record.abstract[chunk.start : chunk.end]
        assert chunk.record_id == passage.record.record_id
        assert 0 <= passage.score <= 1
        assert -1 <= passage.similarity <= 1


def test_each_record_comes_once_unless_chunks_are_asked_for(index: Index) -> None:
    folded = index.search("romosozumab", top_k=5)
    assert len({passage.record.record_id for passage in folded}) == 5
    chunks = index.search("romosozumab", top_k=5, per_record=False)
    assert [passage.record.doi for passage in chunks[:2]] == ["10.21037/acr-24-163"] * 2
    assert len({passage.chunk.chunk_id for passage in chunks}) == 5


@pytest.mark.parametrize(
    ("query", "doi_or_title"),
    [
        pytest.param("bone density gain with romosozumab", "10.21037/acr-24-163", id="drug"),
        pytest.param("ROMOSOZUMAB", "10.21037/acr-24-163", id="case"),
        pytest.param(
            "brittle bones after having a baby, cured by an antibody", "10.21037/acr-24-163", id="no word shared"
        ),
        pytest.param("bradycardia from metoprolol and terbinafine", "metoprolol-terbinafine", id="two drugs"),
    ],
)
def test_the_right_record_comes_first(index: Index, query: str, doi_or_title: str) -> None:
    record = index.search(query)[0].record
    assert doi_or_title in (record.doi or "", *(record.title or "").split())


@pytest.mark.parametrize(
    "query", ['"', "AND OR NOT", "title:[a TO z]", "a:b^3 (", "\x00", "💊", "the of and", "x" * 2_000, "NULL; --", "*"]
)
def test_no_query_is_read_as_syntax(index: Index, query: str) -> None:
    assert len(index.search(query, top_k=3)) == 3


@pytest.mark.parametrize(
    "filters",
    [
        pytest.param(Filters(year_from=2015), id="from"),
        pytest.param(Filters(year_to=2012), id="to"),
        pytest.param(Filters(year_from=2012, year_to=2019), id="from and to"),
        pytest.param(Filters(journals=("ame case reports", "BMC CANCER")), id="journals"),
    ],
)
def test_exactly_the_records_that_pass_the_filters_are_found(index: Index, filters: Filters) -> None:
    everything = [record for record, _ in index.current().iter_records()]
    expected = {record.record_id for record in everything if filters.admits(record)}
    assert 0 < len(expected) < len(everything)
    found = index.search("patient", top_k=40, filters=filters)
    assert {passage.record.record_id for passage in found} == expected


def test_the_best_passage_of_a_record_has_the_similarity_that_the_search_gives_it(index: Index) -> None:
    query = "bone density gain with romosozumab"
    (first, *_) = index.search(query)
    best = index.current().best_passage(first.record.record_id, query, 1.5)
    assert best is not None
    assert (best.record, best.chunk, best.score) == (first.record, first.chunk, 1.5)
    assert best.similarity == pytest.approx(first.similarity)
    assert index.current().best_passage("doi:10.5555/nothing", query, 1.5) is None


def test_a_filter_that_nothing_passes_finds_nothing(index: Index) -> None:
    assert index.search("patient", filters=Filters(year_from=2100)) == []


def test_the_same_query_gives_the_same_passages(index: Index) -> None:
    assert index.search("overdose in a child") == index.search("overdose in a child")


def test_a_record_is_found_by_its_id(index: Index) -> None:
    record = index.get_record("doi:10.21037/acr-24-163")
    assert record is not None
    assert record.is_digest
    assert index.get_record("doi:10.5555/nothing") is None


def test_fewer_than_one_passage_cannot_be_asked_for(index: Index) -> None:
    with pytest.raises(WrongUseError, match="top_k is 0"):
        index.search("lithium", top_k=0)


def test_a_folder_without_an_index_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoIndexError, match=r"no index in .*casecite index build PATH \(or --demo\)"):
        open_index(tmp_path)
