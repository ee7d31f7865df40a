"""A claim whose figures or opposites have changed places is found by the words beside them."""

from __future__ import annotations

import pytest

from assistant.clinical_text.medical_names import find_foreign_names
from assistant.verification.swaps import find_swapped

SOURCE = (
    "PAP fell from 45 to 39 mmHg; AST 98 U/L, ALT 67 U/L and a mass of 71 × 44 mm in the left lung with mild effusion "
    "on the right."
)


@pytest.mark.parametrize(
    ("claim", "found"),
    [
        pytest.param(SOURCE, None, id="the same"),
        pytest.param("PAP was reduced to 39 mmHg from 45 mmHg.", None, id="in another order"),
        pytest.param("The left lung held a mass of 71 × 44 mm.", None, id="in other words"),
        pytest.param("PAP fell from 39 to 45 mmHg.", "39 is after “from”", id="a change turned round"),
        pytest.param("ALT 98 U/L.", "98", id="of another value"),
        pytest.param("A mass of 44 × 71 mm.", "44 is before “x”", id="sides exchanged"),
        pytest.param("A mass in the right lung.", "right", id="another side, though both are named"),
        pytest.param("Severe effusion on the right.", "severe", id="another degree"),
    ],
)
def test_a_value_in_the_place_of_another_is_found(claim: str, found: str | None) -> None:
    reason = find_swapped(claim, SOURCE)
    assert reason is None if found is None else reason is not None and reason.startswith(found)


@pytest.mark.parametrize(
    ("claim", "names"),
    [
        pytest.param("Her bilirubin rose and then fell.", [], id="plain English, though rare in abstracts"),
        pytest.param("She took digoxin for melanoma.", ["digoxin", "melanoma"], id="a drug and an illness"),
        pytest.param("She had asthma and malaria.", ["asthma", "malaria"], id="illnesses in plain English"),
        pytest.param("The weavers took nitrofurantoin.", [], id="another form of what is known"),
    ],
)
def test_names_that_are_not_known(claim: str, names: list[str]) -> None:
    assert list(find_foreign_names(claim, "A weaver took nitrofurantoin and her bilirubin was high.")) == names
