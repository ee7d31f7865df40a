"""Numbers are read with their units, however they are written."""

from __future__ import annotations

import pytest

from assistant.clinical_text.quantities import Figure, find_figures, find_rates


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        pytest.param("100mg for 9 days", [("100", "mg"), ("9", "day")], id="glued unit"),
        pytest.param("Three weeks later", [("3", "week")], id="number in words"),
        pytest.param("22.1 percent, 22.10%", [("22.1", "%"), ("22.1", "%")], id="percent"),
        pytest.param("5–10 mg", [("5", "mg"), ("10", "mg")], id="range"),
        pytest.param("from 45 to 39 mmHg", [("45", "mmhg"), ("39", "mmhg")], id="change"),
        pytest.param("5, 10 and 15 µg", [("5", "ug"), ("10", "ug"), ("15", "ug")], id="list"),
        pytest.param("1,500 mL of 0.9% saline", [("1500", "ml"), ("0.9", "%")], id="thousands"),
        pytest.param("for 3 consecutive days", [("3", "day")], id="word between"),
        pytest.param("a 52-year-old man", [("52", "year")], id="age"),
        pytest.param("2 patients in 2019", [("2", None), ("2019", None)], id="no unit"),
        pytest.param("CD20 and HbA1c", [], id="part of a name"),
    ],
)
def test_figures(text: str, figures: list[tuple[str, str | None]]) -> None:
    assert find_figures(text) == [Figure(*figure) for figure in figures]


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        pytest.param("2 mg/kg daily", {"kg", "day"}, id="slash and -ly"),
        pytest.param("twice a week", {"week"}, id="a week"),
        pytest.param("84 µmol/L", {"l"}, id="per litre"),
        pytest.param("a man of 40", set(), id="none"),
    ],
)
def test_rates(text: str, rates: set[str]) -> None:
    assert find_rates(text) == rates
