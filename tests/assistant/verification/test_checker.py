"""Only what the cited sentences state is shown, by the packaged reader; citations are numbered without gaps."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.reading.reader import load_reader
from assistant.types import Evidence
from assistant.verification.checker import CheckedDraft, DraftChecker
from assistant.verification.draft_claims import DraftClaim, parse_draft
from assistant.verification.support import is_literal
from index.types import Record

ABSTRACT = (
    "A 52-year-old weaver took nitrofurantoin 100 mg twice daily for 9 days. "
    "Her bilirubin rose to 84 µmol/L. It was 11 µmol/L four weeks after the drug was stopped. "
    "She did not need a transplant."
)
RECORD = Record(
    record_id="pmid:1",
    abstract=ABSTRACT,
    content_hash="-",
    title="Liver injury after nitrofurantoin",
    url="https://example.org/1",
)


OTHER = Record(
    record_id="pmid:2",
    abstract="A 31-year-old baker inhaled flour dust for 9 years. He was treated with prednisone 40 mg per day.",
    content_hash="-",
    title="Asthma in a baker",
)


def cite(quote: str, key: str, record: Record = RECORD) -> Evidence:
    start = record.abstract.index(quote)
    return Evidence(
        key=key,
        record=record,
        field="abstract",
        start=start,
        end=start + len(quote),
        quote=quote,
        section=None,
        score=1.0,
    )


DOSE = cite("A 52-year-old weaver took nitrofurantoin 100 mg twice daily for 9 days.", "e1")
PEAK = cite("Her bilirubin rose to 84 µmol/L.", "e2")
AFTER = cite("It was 11 µmol/L four weeks after the drug was stopped.", "e3")
NO_TRANSPLANT = cite("She did not need a transplant.", "e4")
BAKER = cite("He was treated with prednisone 40 mg per day.", "e5", OTHER)
EVIDENCE = (DOSE, PEAK, AFTER, NO_TRANSPLANT, BAKER)


def check(draft: str) -> CheckedDraft:
    return DraftChecker(load_reader()).check(parse_draft(draft), EVIDENCE)


def quotes_of(checked: CheckedDraft) -> list[str]:
    return [citation.quote for citation in checked.citations]


@pytest.mark.parametrize(
    "draft",
    [
        pytest.param("Her bilirubin rose to 84 µmol/L [e2].", id="the sentence itself"),
        pytest.param("Bilirubin rose to 84 µmol/L [e2]", id="shorter"),
        pytest.param("She took nitrofurantoin 100 mg twice daily [e1].", id="part of it"),
        pytest.param("The bilirubin level increased to 84 µmol/L [e2].", id="other words for the same"),
        pytest.param("She did not need a transplant [e4].", id="a denial that is there"),
        pytest.param("No transplant was needed [e4].", id="the same denial in other words"),
    ],
)
def test_what_the_cited_sentence_states_holds(draft: str) -> None:
    (claim,) = check(draft).claims
    assert claim.supported, claim.why


@pytest.mark.parametrize(
    ("draft", "why"),
    [
        pytest.param("Her bilirubin rose to 48 µmol/L [e2].", "48 umol is not in", id="another number"),
        pytest.param("Her bilirubin rose to 8 µmol/L [e2].", "8 umol is not in", id="part of a number"),
        pytest.param("Her bilirubin rose to 11 µmol/L [e2].", "11 umol is not in", id="a number of another sentence"),
        pytest.param("Her bilirubin rose to 84 mg/L [e2].", "84 mg is not in", id="another unit"),
        pytest.param("Her bilirubin rose to 84 µmol/dL [e2].", "per dl is not in", id="another denominator"),
        pytest.param("She took nitrofurantoin 100 mg for 9 weeks [e1].", "9 week is not in", id="another duration"),
        pytest.param("She took amoxicillin 100 mg twice daily [e1].", "amoxicillin is not in", id="another drug"),
        pytest.param("A 25-year-old weaver took nitrofurantoin [e1].", "25 year is not in", id="another age"),
        pytest.param("He took nitrofurantoin 100 mg twice daily [e1].", "other sex", id="another sex"),
        pytest.param("Her bilirubin did not rise to 84 µmol/L [e2].", "it denies", id="a denial that is not there"),
        pytest.param("She did need a transplant [e4].", "leaves out a denial", id="a denial that is gone"),
        pytest.param("Her bilirubin fell to 84 µmol/L [e2].", "“fell” where", id="another direction"),
        pytest.param("Give paracetamol to all with fever [e2].", "it recommends", id="from memory"),
        pytest.param("The drug was stopped because of melanoma [e3].", "“melanoma” is not in", id="a rare word"),
        pytest.param("Her bilirubin rose to 84 µmol/L [e5].", "is not in", id="a key of another record"),
        pytest.param("He was treated with prednisone 40 mg per day [e1].", "is not in", id="another patient's drug"),
    ],
)
def test_what_it_does_not_state_is_left_out_and_the_reason_kept(draft: str, why: str) -> None:
    checked = check(draft)
    (claim,) = checked.claims
    assert (claim.supported, claim.citations, checked.text, checked.citations) == (False, (), "", ())
    assert why in claim.why


def test_a_citation_is_corrected_within_its_record() -> None:
    checked = check("Her bilirubin rose to 84 µmol/L [e1].")
    assert quotes_of(checked) == [PEAK.quote]
    assert checked.claims[0].why.startswith("the citation is corrected")


def test_the_age_may_stand_in_another_sentence_which_is_then_cited_too() -> None:
    checked = check("In the 52-year-old weaver the bilirubin rose to 84 µmol/L [e2].")
    assert quotes_of(checked) == [PEAK.quote, DOSE.quote]


def test_another_figure_may_not() -> None:
    assert not check("After 9 days her bilirubin rose to 84 µmol/L [e2].").citations


@pytest.mark.parametrize(
    ("draft", "unknown"),
    [
        pytest.param("Her bilirubin rose to 84 µmol/L.", 0, id="no key"),
        pytest.param("Her bilirubin rose to 84 µmol/L [e9].", 1, id="a key that was not offered"),
        pytest.param("Her bilirubin rose to 84 µmol/L [1].", 1, id="a bare number"),
    ],
)
def test_a_statement_without_a_key_gets_the_sentence_that_states_it(draft: str, unknown: int) -> None:
    checked = check(draft)
    assert quotes_of(checked) == [PEAK.quote]
    assert checked.unknown_keys == unknown
    assert "[1]" in checked.text


def test_one_that_no_sentence_states_is_left_out() -> None:
    assert not check("Her bilirubin rose to 85 µmol/L. Penicillin is safe.").citations


def test_keys_that_were_not_offered_or_add_nothing_are_dropped() -> None:
    checked = check("Her bilirubin rose to 84 µmol/L [e2] [e9] [e4] [e5].")
    assert quotes_of(checked) == [PEAK.quote]
    assert checked.unknown_keys == 1


def test_two_sentences_may_state_one_claim() -> None:
    checked = check("Her bilirubin rose to 84 µmol/L and was 11 µmol/L four weeks after the drug stopped [e2] [e3].")
    assert quotes_of(checked) == [PEAK.quote, AFTER.quote]


def test_what_was_said_is_not_said_again() -> None:
    assert check("Her bilirubin rose to 84 µmol/L [e2]. Her bilirubin rose to 84 µmol/L [e2].").text.count("84") == 1


def test_a_quote_that_is_not_in_its_record_supports_nothing() -> None:
    forged = Evidence(
        key="e1",
        record=RECORD,
        field="abstract",
        start=0,
        end=9,
        quote="A weaver was cured.",
        section=None,
        score=1.0,
    )
    assert not is_literal(forged)
    checked = DraftChecker(load_reader()).check([DraftClaim(text=forged.quote, keys=("e1",))], [forged])
    assert checked.citations == ()


@given(st.lists(st.lists(st.sampled_from(["e1", "e2", "e3", "e4", "e9"]), max_size=4), max_size=6))
@settings(max_examples=30, deadline=None)
def test_numbers_start_at_1_without_gaps_in_the_order_of_first_use(keys: list[list[str]]) -> None:
    by_key = {item.key: item for item in EVIDENCE}
    draft = [
        DraftClaim(text=next((by_key[key].quote for key in group if key in by_key), "Nothing."), keys=tuple(group))
        for group in keys
    ]
    checked = DraftChecker(load_reader()).check(draft, EVIDENCE)
    shown = [int(number) for number in re.findall(r"\[(\d+)\]", checked.text)]
    numbers = [citation.number for citation in checked.citations]
    assert numbers == list(range(1, len(numbers) + 1))
    assert list(dict.fromkeys(shown)) == numbers
    for citation in checked.citations:
        assert citation.record.abstract[citation.start : citation.end] == citation.quote
