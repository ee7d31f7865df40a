"""Sentence boundaries: difficult cases, and invariants for any text."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.text.sentences import split_sentences

CASES: dict[str, dict[str, Any]] = {
    case["id"]: case
    for case in map(
        json.loads, (Path(__file__).parent / "data" / "sentence_cases.jsonl").read_text("utf-8").splitlines()
    )
}
# A few below what it gets right now (docs/experiments/sentences.md), so that a new version of nupunkt may differ in a
# case or two but not more.
RIGHT_FLOOR = 150
HELD_OUT_RIGHT_FLOOR = 34
MUST_BE_RIGHT = """
    eg_mid eg_upper ie_mid vs_mid fig_number figs_range fig_paren no_number no_sentence dr_title et_al_mid et_al_year
    decimal_dose iv_mid iv_mid_upper iv_end bid_mid bid_end qd_mid approx_mid p_dot_value times_power species_coli
    species_start species_end species_paren gene_pV600E gene_c1799 decimal_comma range_hyphen us_mid initials
    ellipsis_mid paren_sentence quote_curly enum_paren units_mgdl units_celsius units_h number_start greek_start
    heading_lines combining chinese missing_space soft_newline leading_blank spp am_pm cf
""".split()
PUNCTUATED = st.text(alphabet=". ?!…。！\n\t\r\u2028\u00a0\u200b\u0301ABabDr)('\"”’]}*;:,-%19é患", max_size=200)


def text_of(case: dict[str, Any]) -> str:
    """The text of a case, given only where it is not the sentences joined by spaces."""
    return str(case.get("text", " ".join(case["sentences"])))


def sentences_of(text: str) -> list[str]:
    """What the text is split into."""
    return [text[start:end] for start, end in split_sentences(text)]


def assert_sound(text: str, spans: list[tuple[int, int]]) -> None:
    """In order, not overlapping, stripped, and all but white space covered."""
    position = 0
    for start, end in spans:
        assert position <= start < end <= len(text)
        assert not text[position:start].strip()
        assert text[start:end] == text[start:end].strip()
        position = end
    assert not text[position:].strip()


@pytest.mark.parametrize("case_id", MUST_BE_RIGHT)
def test_splits_the_common_awkward_cases_exactly(case_id: str) -> None:
    """Abbreviations, figures, doses, decimals, species, variants, headings and lost spaces."""
    assert sentences_of(text_of(CASES[case_id])) == CASES[case_id]["sentences"]


def test_gets_nearly_all_cases_right() -> None:
    """At least the floor, over all cases and over those written after the word lists."""
    right = [case for case in CASES.values() if sentences_of(text_of(case)) == case["sentences"]]
    assert len(right) >= RIGHT_FLOOR
    assert sum(case.get("held_out", False) for case in right) >= HELD_OUT_RIGHT_FLOOR


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=200) | PUNCTUATED)
def test_spans_cover_any_text_in_order_without_overlap(text: str) -> None:
    """No character but white space is lost, and none is in two sentences."""
    assert_sound(text, split_sentences(text))


@pytest.mark.parametrize("blank", ["", " ", "\n\n\t\u00a0\u2003"])
def test_finds_no_sentence_in_blank_text(blank: str) -> None:
    """No text, no span."""
    assert split_sentences(blank) == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("word " * 20_000, id="100,000 characters without a full stop"),
        pytest.param("a" * 100_000, id="one word of 100,000 letters"),
        pytest.param("." * 100_000, id="100,000 full stops"),
        pytest.param("?!" * 50_000, id="100,000 question and exclamation marks"),
        pytest.param("Foo" + "\n" * 20_000 + "bar.", id="20,000 newlines"),
    ],
)
def test_reads_hostile_text_within_two_seconds(text: str) -> None:
    """Time does not grow with the square of a stretch without sentences."""
    split_sentences("The tokenizer is built before the clock starts.")
    began = time.thread_time()
    spans = split_sentences(text)
    assert time.thread_time() - began < 2.0
    assert_sound(text, spans)


def test_threads_get_the_same_spans() -> None:
    """The tokenizer is shared, and what one thread reads does not change what another finds."""
    texts = [text_of(case) for case in CASES.values()] * 10
    alone = [split_sentences(text) for text in texts]
    with ThreadPoolExecutor(max_workers=8) as pool:
        assert list(pool.map(split_sentences, texts)) == alone
