"""Whether a text holds an answer: numbers, units and words at their boundaries, whatever the typography."""

from __future__ import annotations

import pytest

from assistant.clinical_text.quantities import normalise_text
from assistant.evaluation.matching import holds_answer, holds_part, is_gold_sentence


@pytest.mark.parametrize(
    ("text", "part"),
    [
        pytest.param("given 150mg/day for 28 days", "150 mg/day", id="no space before the unit"),
        pytest.param("given 150 mg / day", "150mg/day", id="spaces around the slash"),
        pytest.param("given 150 mg per day", "150 mg/day", id="per for slash"),
        pytest.param("given 30 mg/kg/day", "30 mg/kg per day", id="two slashes"),
        pytest.param("rose by 22.1%.", "22.1 %", id="space before percent"),
        pytest.param("rose by 22.1 percent", "22.1%", id="percent in words"),
        pytest.param("a count of 1,000 cells", "1000", id="thousands comma"),
        pytest.param("a count of 1234567", "1,234,567", id="two thousands commas"),
        pytest.param("a count of 66\u202f680 U/L", "66,680 U/L", id="thousands by a thin space"),
        pytest.param("lithium 8·21 mmol/L", "8.21 mmol/L", id="decimal point of the Lancet"),
        pytest.param("p of .05", "0.05", id="no zero before the point"),
        pytest.param("a dose of 5.0 mg", "5 mg", id="zero after the point"),
        pytest.param("a dose of 1.50 mg", "1.5 mg", id="last zero after the point"),
        pytest.param("platelets 17 × 10⁹/L", "17 x 10^9/L", id="superscript and caret"),
        pytest.param("platelets 17×109/L", "17 × 109/L", id="lost superscript, no spaces"),
        pytest.param("61×54×65 mm", "61 x 54 x 65 mm", id="sides of a mass"),
        pytest.param("500 μg", "500 mcg", id="Greek mu and mcg"),
        pytest.param("500 µg", "500 ug", id="micro sign"),
        pytest.param("at 40 ºC", "40°C", id="ordinal sign for degree"),
        pytest.param("at 40 ℃", "40 °C", id="one character for degrees Celsius"),
        pytest.param("after 48 hours", "48 h", id="unit in words"),
        pytest.param("a 3-day course", "3 days", id="hyphen and plural"),
        pytest.param("for 30 days", "30-day", id="hyphen in the answer"),
        pytest.param("a 5‐year‐old girl", "5-year-old", id="typographic hyphens"),
        pytest.param("from 45–39 mmHg", "45-39 mmHg", id="en dash"),
        pytest.param("from 45 - 39 mmHg", "39 mmHg", id="end of a range"),
        pytest.param("n=11 patients", "11", id="after an equals sign"),
        pytest.param("45 mg/dayfor 1 week", "45 mg/day", id="lost space in the source"),
        pytest.param("haematoma’s", "haematoma's", id="apostrophe"),
        pytest.param("ﬂuorescence IN\nsitu", "fluorescence in situ", id="ligature, case and line break"),
        pytest.param("ampu\u00adtation", "amputation", id="soft hyphen"),
        pytest.param("two amputations", "amputation", id="ending of a long word"),
        pytest.param("both were men", "men", id="short word"),
    ],
)
def test_a_part_is_found(text: str, part: str) -> None:
    assert holds_part(text, part)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        pytest.param("a dose of 15 mg", "5 mg", id="in a longer number, left"),
        pytest.param("on day 60", "day 6", id="in a longer number, right"),
        pytest.param("a dose of 1.5 mg", "5 mg", id="after a decimal point"),
        pytest.param("a dose of 2,5 mg", "5 mg", id="after a decimal comma"),
        pytest.param("HbA1c of 18.9%", "18", id="before a decimal point"),
        pytest.param("a count of 11,000", "1,000", id="in a longer number with commas"),
        pytest.param("a count of 10005", "1,000", id="in a longer number without"),
        pytest.param("a dose of 5 g", "5 mg", id="another unit"),
        pytest.param("a dose of 5 mg", "5 m", id="in a longer unit"),
        pytest.param("45 mmHg", "45 mm", id="pressure is no length"),
        pytest.param("a vertebra T11", "11", id="number of a name"),
        pytest.param("CYP3A4", "4", id="number of an enzyme"),
        pytest.param("a woman", "man", id="in a word, left"),
        pytest.param("manifest disease", "man", id="in a word, right"),
        pytest.param("a normal diagnosis", "no", id="no is not in normal"),
        pytest.param("female", "male", id="male is not in female"),
        pytest.param("5.05 mg", "5.5 mg", id="inner zero counts"),
        pytest.param("100 mg", "10 mg", id="zero of a whole number counts"),
        pytest.param("anything", " ", id="nothing is nowhere"),
    ],
)
def test_a_part_is_not_found(text: str, part: str) -> None:
    assert not holds_part(text, part)


def test_normalising_twice_changes_nothing() -> None:
    text = "Given 1,500.50mg / day for 3–4 hrs at 40 ºC (10⁹/L, p<.05), 22.1 per cent"
    once = normalise_text(text)
    assert once == "given 1500.5 mg per day for 3-4 h at 40 °c (109/l, p<0.05), 22.1 %"
    assert normalise_text(once) == once


@pytest.mark.parametrize(
    ("quotes", "must_include", "answers", "expected"),
    [
        pytest.param(["400 mg daily", "for 12 months"], ["400 mg", "12 months"], [], True, id="parts over two quotes"),
        pytest.param(["400 mg daily"], ["400 mg", "12 months"], ["400 mg"], False, id="must comes before answers"),
        pytest.param(["she died"], [], ["survived", "died"], True, id="one of the answers"),
        pytest.param([], [], ["died"], False, id="no quote"),
        pytest.param(["she died"], [], [], False, id="no answer known"),
    ],
)
def test_an_answer_is_held_by_the_quotes(
    quotes: list[str], must_include: list[str], answers: list[str], expected: bool
) -> None:
    assert holds_answer(quotes, must_include, answers) is expected


SENTENCE = "The third relapse was treated with high-dose liposomal amphotericin B (10mg/kg for two consecutive days)."


@pytest.mark.parametrize(
    ("quote", "gold", "expected"),
    [
        pytest.param(SENTENCE, SENTENCE.upper(), True, id="case"),
        pytest.param(SENTENCE, "liposomal amphotericin B (10 mg/kg for two consecutive days", True, id="gold fragment"),
        pytest.param("treated with high-dose liposomal amphotericin", SENTENCE, True, id="quote fragment"),
        pytest.param(SENTENCE.replace("third", "3rd"), SENTENCE, True, id="one word differs"),
        pytest.param("The second relapse was treated with miltefosine for 28 days.", SENTENCE, False, id="another"),
        pytest.param("The third", SENTENCE, False, id="two words are no sentence"),
        pytest.param("She died.", "she died", True, id="two words that are the whole sentence"),
        pytest.param("", "", False, id="nothing"),
    ],
)
def test_a_quote_is_a_gold_sentence(quote: str, gold: str, expected: bool) -> None:
    assert is_gold_sentence(quote, gold) is expected
