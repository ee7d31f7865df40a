"""A question and a record that say the same in other words: spelling, numbers, ages, abbreviations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from index import Index, build_index, open_index
from index.search.query import expand_query
from index.storage.abbreviation_store import AbbreviationStore, find_definitions, find_short_forms
from index.storage.lexical_index import LexicalIndex
from index.text.normalisation import spell_out_ages
from index.text.terms import analyse
from index.types import Record


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("oedema", "edema"),
        ("tumours", "tumor"),
        ("haemoglobin", "hemoglobin"),
        ("anaemic", "anemic"),
        ("leukaemia", "leukemia"),
        ("paediatric", "pediatric"),
        ("oesophageal", "esophageal"),
        ("œsophagus", "esophagus"),
        ("hospitalised", "hospitalized"),
        ("paralysed", "paralyzed"),
        ("fibre", "fiber"),
        ("centres", "center"),
        ("sulphate", "sulfate"),
        ("behavioural", "behavioral"),
        ("150mg", "150 mg"),
        ("2 yrs", "two years"),
        ("sixty-eight year old", "68-year-old"),
        ("fifty six wks", "56 weeks"),
        ("IFN-γ", "IFN-gamma"),
        ("λ chains", "lambda chain"),
        ("TNFα", "TNF alpha"),
        ("Β2-microglobulin", "beta-2 microglobulin"),
    ],
)
def test_two_ways_of_writing_are_the_same_terms(one: str, other: str) -> None:
    assert analyse(one) == analyse(other) != []


@pytest.mark.parametrize(
    ("one", "other"), [("hour", "hor"), ("four", "for"), ("toe", "te"), ("V600E", "V 600 E"), ("one", "1")]
)
def test_other_words_stay_apart(one: str, other: str) -> None:
    assert analyse(one) != analyse(other)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("31F with MS", "31-year-old woman (female) with MS"),
        ("64-yr-old M", "64-year-old man (male)"),
        ("11 yo F", "11-year-old girl (female)"),
        ("a 40 y/o man", "a 40-year-old man"),
        ("62yo", "62-year-old"),
        ("the 5 M NaCl", "the 5 M NaCl"),
        ("5 yr history", "5 yr history"),
        ("3.5 mMol", "3.5 mMol"),
    ],
)
def test_ages_are_spelt_out(question: str, expected: str) -> None:
    assert spell_out_ages(question) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("She had diabetes insipidus (DI).", [("DI", "diabetes insipidus")]),
        ("with human immunodeficiency virus (HIV; n = 2)", [("HIV", "human immunodeficiency virus")]),
        ("tartrate-resistant acid phosphatase (TRAP) was", [("TRAP", "tartrate-resistant acid phosphatase")]),
        ("Heat shock protein 70 (HSP70)", [("HSP70", "heat shock protein 70")]),
        ("of the eye (OS) and (MRI)", []),
        ("the hand (left), one (Figure 2) and none (", []),
        ("(DI) diabetes insipidus", []),
    ],
)
def test_what_an_abbreviation_stands_for_is_read_from_the_text_before_it(
    text: str, expected: list[tuple[str, str]]
) -> None:
    assert list(find_definitions(text)) == expected


def test_abbreviations_of_a_question_have_two_capitals() -> None:
    assert find_short_forms("Was DI or PDTs seen at pH 7 in the USA?") == ["DI", "PDT", "USA"]


def test_a_meaning_counts_by_how_many_records_give_it(tmp_path: Path) -> None:
    meanings = ["multiple sclerosis", "multiple sclerosis", "mitral stenosis"]
    store = AbbreviationStore.create(tmp_path / "abbreviations.sqlite")
    store.add([_record(number, f"A case of {long} (MS).") for number, long in enumerate(meanings)])
    store.close()
    store = AbbreviationStore.open(tmp_path / "abbreviations.sqlite")
    assert store.long_forms("MS") == [("multiple sclerosis", 2), ("mitral stenosis", 1)]
    query = expand_query("age of the MS case", store.long_forms, store.short_forms, _nothing)
    assert query.text == "age of the MS (multiple sclerosis) case"
    assert query.terms["sclerosi"] > query.terms["stenosi"] > 0
    assert query.terms["age"] == 1
    store.close()


def test_what_is_said_at_length_is_found_by_its_abbreviations_too(tmp_path: Path) -> None:
    texts = [
        "Thiamine deficiency (TD) was found.",
        "Thiamine deficiency (ThD) healed.",
        "Thiamine deficiency (ThD) came.",
    ]
    store = AbbreviationStore.create(tmp_path / "abbreviations.sqlite")
    store.add([_record(number, text) for number, text in enumerate(texts)])
    query = expand_query("neuropathy in Thiamine deficiency?", store.long_forms, store.short_forms, _nothing)
    assert query.text == "neuropathy in Thiamine deficiency?"
    assert query.terms["thd"] == pytest.approx(2 * query.terms["td"])
    assert 1 > query.terms["thd"] > 0
    store.close()


def test_an_abbreviation_is_not_opened_inside_a_word() -> None:
    known = {"DI": [("diabetes insipidus", 1)]}
    query = expand_query("DIC after DI", lambda short: known.get(short, []), _nothing, _nothing)
    assert query.text == "DIC after DI (diabetes insipidus)"


def test_only_words_that_no_record_holds_are_corrected(tmp_path: Path) -> None:
    lexical = LexicalIndex.create(tmp_path / "lexical")
    lexical.add([_record(number, text) for number, text in enumerate(["hepatoma", "hematoma after warfarin"])])
    assert lexical.corrections("hepatoma") == []
    assert lexical.corrections("warfrin") == ["warfarin"]
    query = expand_query("warfrin bleed", _nothing, _nothing, lexical.corrections)
    assert query.terms["warfrin"] > query.terms["warfarin"] > 0


def test_lexical_scores_of_named_records_are_those_of_the_search(tmp_path: Path) -> None:
    lexical = LexicalIndex.create(tmp_path / "lexical")
    lexical.add([_record(number, text) for number, text in enumerate(["a cold foot", "cold hand, cold ear", "warm"])])
    terms = {"cold": 1.0, "hand": 0.5}
    found = dict(lexical.search(terms, 10))
    assert found.keys() == {"pmid:0", "pmid:1"}
    assert lexical.score(terms, ["pmid:1", "pmid:2", "pmid:9"]) == pytest.approx({"pmid:1": found["pmid:1"]})
    assert lexical.score(terms, []) == lexical.score({}, ["pmid:1"]) == {}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("wording")
    abstracts = [
        "Polyuria and thirst led to the diagnosis of central diabetes insipidus in a woman of forty-one years.",
        "A man developed pulmonary edema an hour after extubation.",
        "A girl swallowed a battery that had to be taken from the esophagus.",
        "A report on water balance. Diabetes insipidus (DI) is rare in toddlers.",
        "Carbamazepine caused a rash after 12 weeks in a boy with epilepsy.",
        "Lamotrigine was stopped after a rash in a boy with epilepsy.",
    ]
    rows = [{"pmid": str(number), "abstract": text} for number, text in enumerate(abstracts, start=1)]
    (folder / "in.json").write_text(json.dumps(rows), "utf-8")
    build_index([folder / "in.json"], folder / "index")
    return open_index(folder / "index")


@pytest.mark.parametrize(
    ("question", "pmid"),
    [
        pytest.param("41F with central DI", "1", id="abbreviation of another record, age, sex"),
        pytest.param("lung oedema when", "2", id="British spelling"),
        pytest.param("œsophageal battery", "3", id="ligature"),
        pytest.param("boy with epilepsy, rash from carbamezapine", "5", id="misspelt drug"),
        pytest.param("rash from lamtrigine in a boy", "6", id="letter left out"),
    ],
)
def test_the_record_is_found_in_other_words(index: Index, question: str, pmid: str) -> None:
    assert index.search(question)[0].record.pmid == pmid


def _nothing(_: str) -> list[str]:
    return []


def _record(number: int, abstract: str) -> Record:
    return Record(record_id=f"pmid:{number}", abstract=abstract, content_hash=str(number), pmid=str(number))
