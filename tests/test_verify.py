"""Only what the cited sentence says is shown; every number in the text has its citation and the reverse."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.types import Evidence
from assistant.verify import DraftClaim, check_draft, find_fault, is_literal, parse_draft
from index.types import Record

ABSTRACT = (
    "A weaver of 52 years took nitrofurantoin 100 mg twice daily for 9 days. "
    "Her bilirubin rose to 84 µmol/L. It was 11 µmol/L four weeks after the drug was stopped. "
    "She did not need a transplant."
)
RECORD = Record(
    record_id="pmid:1", abstract=ABSTRACT, content_hash="-", title="Yellow weaver", url="https://example.org/1"
)


def cite(quote: str, key: str) -> Evidence:
    start = ABSTRACT.index(quote)
    return Evidence(
        key=key,
        record=RECORD,
        field="abstract",
        start=start,
        end=start + len(quote),
        quote=quote,
        section=None,
        score=1.0,
    )


DOSE = cite("A weaver of 52 years took nitrofurantoin 100 mg twice daily for 9 days.", "e1")
PEAK = cite("Her bilirubin rose to 84 µmol/L.", "e2")
AFTER = cite("It was 11 µmol/L four weeks after the drug was stopped.", "e3")
NO_TRANSPLANT = cite("She did not need a transplant.", "e4")
EVIDENCE = (DOSE, PEAK, AFTER, NO_TRANSPLANT)


@pytest.mark.parametrize(
    ("text", "cited", "fault"),
    [
        pytest.param("Her bilirubin rose to 84 µmol/L.", [PEAK], None, id="the sentence itself"),
        pytest.param("Bilirubin rose to 84 µmol/L", [PEAK], None, id="shorter"),
        pytest.param("She took nitrofurantoin 100 mg twice daily.", [DOSE], None, id="part of it"),
        pytest.param("She did not need a transplant.", [NO_TRANSPLANT], None, id="a denial that is there"),
        pytest.param("Her bilirubin rose to 48 µmol/L.", [PEAK], "48 is not in", id="another number"),
        pytest.param("Her bilirubin rose to 8 µmol/L.", [PEAK], "8 is not in", id="part of a number"),
        pytest.param("Her bilirubin rose to 11 µmol/L.", [PEAK], "11 is not in", id="a number of another sentence"),
        pytest.param("Her bilirubin did not rise to 84 µmol/L.", [PEAK], "it denies", id="a denial that is not there"),
        pytest.param("Give paracetamol to all patients with fever.", [PEAK], "only", id="from memory"),
        pytest.param("Her bilirubin rose to 84 µmol/L.", [], "no sentence", id="nothing cited"),
    ],
)
def test_a_statement_holds_only_if_its_sentences_state_it(text: str, cited: list[Evidence], fault: str | None) -> None:
    found = find_fault(text, cited)
    assert found is None if fault is None else found is not None and fault in found


@pytest.mark.parametrize(
    ("draft", "claims"),
    [
        pytest.param("It rose [e2].", [("It rose.", ("e2",))], id="before the stop"),
        pytest.param("It rose. [e2]", [("It rose.", ("e2",))], id="after the stop"),
        pytest.param("It rose [e2]. It fell [e3].", [("It rose.", ("e2",)), ("It fell.", ("e3",))], id="two claims"),
        pytest.param("It rose. [e2] It fell. [e3]", [("It rose.", ("e2",)), ("It fell.", ("e3",))], id="two, after"),
        pytest.param("It rose and fell [e2] [e3].", [("It rose and fell.", ("e2", "e3"))], id="two keys"),
        pytest.param("It rose and fell [e2, e3].", [("It rose and fell.", ("e2", "e3"))], id="two keys in one bracket"),
        pytest.param("It rose [E2].", [("It rose.", ("e2",))], id="capital key"),
        pytest.param("It rose [e2] to 84 [e3].", [("It rose to 84.", ("e2", "e3"))], id="in mid-sentence"),
        pytest.param("It rose.", [("It rose.", ())], id="no key"),
        pytest.param("It rose [1].", [("It rose [1].", ())], id="a number is no key"),
        pytest.param("[e2]", [], id="only a key"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_keys_belong_to_the_statement_before_them(draft: str, claims: list[tuple[str, tuple[str, ...]]]) -> None:
    assert [(claim.text, claim.keys) for claim in parse_draft(draft)] == claims


def test_unsupported_claims_are_left_out_of_the_text_and_kept_with_the_reason() -> None:
    checked = check_draft(
        parse_draft("Her bilirubin rose to 84 µmol/L [e2]. She was given 500 mg of gold [e1]."), EVIDENCE
    )
    assert checked.text == "Her bilirubin rose to 84 µmol/L. [1]"
    assert [(claim.supported, claim.citations) for claim in checked.claims] == [(True, (1,)), (False, ())]
    assert "500 is not in the cited sentence" in checked.claims[1].why


def test_a_key_that_was_not_offered_is_dropped() -> None:
    checked = check_draft(parse_draft("Her bilirubin rose to 84 µmol/L [e2] [e9]."), EVIDENCE)
    assert checked.text.endswith("[1]")
    assert [citation.quote for citation in checked.citations] == [PEAK.quote]


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
    assert check_draft([DraftClaim(text=forged.quote, keys=("e1",))], [forged]).citations == ()


@given(st.lists(st.lists(st.sampled_from(["e1", "e2", "e3", "e4", "e9"]), max_size=4), max_size=6))
def test_numbers_start_at_1_without_gaps_in_the_order_of_first_use(keys: list[list[str]]) -> None:
    by_key = {item.key: item for item in EVIDENCE}
    draft = [
        DraftClaim(text=next((by_key[key].quote for key in group if key in by_key), "Nothing."), keys=tuple(group))
        for group in keys
    ]
    checked = check_draft(draft, EVIDENCE)
    shown = [int(number) for number in re.findall(r"\[(\d+)\]", checked.text)]
    numbers = [citation.number for citation in checked.citations]
    assert numbers == list(range(1, len(numbers) + 1))
    assert list(dict.fromkeys(shown)) == numbers
    for citation in checked.citations:
        assert citation.record.abstract[citation.start : citation.end] == citation.quote
