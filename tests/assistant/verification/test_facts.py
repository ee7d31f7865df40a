"""What a claim adds to its source or turns into its opposite is found."""

from __future__ import annotations

import pytest

from assistant.verification.facts import extract_facts, find_missing, find_reversed

SOURCE = (
    "A woman of 52 years took nitrofurantoin 100 mg twice daily for 9 days, and she did not need a transplant; "
    "no fever, cough or rash was seen and the left kidney was normal."
)


@pytest.mark.parametrize(
    ("claim", "missing"),
    [
        pytest.param(SOURCE, [], id="the same"),
        pytest.param("She took 100 milligrams of nitrofurantoin each day.", [], id="other spelling"),
        pytest.param("She took it for 10 days.", ["10 day"], id="another number"),
        pytest.param("She took it for 9 weeks.", ["9 week"], id="another unit"),
        pytest.param("She took 100 mg per week.", ["per week"], id="another rate"),
        pytest.param("She took warfarin.", ["warfarin"], id="another drug"),
        pytest.param("She took digoxin.", ["digoxin"], id="a drug without a stem"),
        pytest.param("Her tumour was positive for CD20.", ["cd20"], id="a code"),
        pytest.param("It was given for 9.", [], id="without its unit"),
    ],
)
def test_missing(claim: str, missing: list[str]) -> None:
    assert list(map(str, find_missing(extract_facts(claim), extract_facts(SOURCE)))) == missing


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        pytest.param(SOURCE, None, id="the same"),
        pytest.param("She did not need a transplant.", None, id="a denial that is there"),
        pytest.param("No cough was seen.", None, id="one of a list that is denied"),
        pytest.param("She needed a transplant.", "affirms", id="denial gone"),
        pytest.param("She did not take nitrofurantoin.", "denies", id="denial come in"),
        pytest.param("Fever was seen.", "affirms", id="denial of a noun gone"),
        pytest.param("The right kidney was normal.", "“right” where the cited sentence says “left”", id="other side"),
        pytest.param("She took it once daily.", "“once” where", id="another frequency"),
    ],
)
def test_turned(claim: str, reason: str | None) -> None:
    found = find_reversed(extract_facts(claim), extract_facts(SOURCE))
    assert found is None if reason is None else found is not None and reason in found


def test_a_claim_that_denies_is_no_match_for_a_source_that_denies_nothing() -> None:
    found = find_reversed(extract_facts("Bilirubin never rose."), extract_facts("Bilirubin rose to 84 µmol/L."))
    assert found == "it denies what the cited sentence does not deny"
