"""A draft is read as statements with their keys, the same whether it comes whole or in pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.verification.draft_claims import DraftClaim, DraftParser, parse_draft


@pytest.mark.parametrize(
    ("draft", "claims"),
    [
        pytest.param("It rose [e2].", [("It rose.", ("e2",))], id="before the stop"),
        pytest.param("It rose. [e2]", [("It rose.", ("e2",))], id="after the stop"),
        pytest.param("It rose [e2]. It fell [e3].", [("It rose.", ("e2",)), ("It fell.", ("e3",))], id="two claims"),
        pytest.param("It rose. [e2] It fell. [e3]", [("It rose.", ("e2",)), ("It fell.", ("e3",))], id="two, after"),
        pytest.param("It rose and fell [e2] [e3].", [("It rose and fell.", ("e2", "e3"))], id="two keys"),
        pytest.param("It rose and fell [e2, e3].", [("It rose and fell.", ("e2", "e3"))], id="two keys in one bracket"),
        pytest.param("It rose and fell [e2; e3].", [("It rose and fell.", ("e2", "e3"))], id="semicolon"),
        pytest.param("It rose [E2].", [("It rose.", ("e2",))], id="capital key"),
        pytest.param("It rose (e2).", [("It rose.", ("e2",))], id="round brackets"),
        pytest.param("It rose 【e2】.", [("It rose.", ("e2",))], id="lenticular brackets"),
        pytest.param("It rose [e2] to 84 [e3].", [("It rose to 84.", ("e2", "e3"))], id="in mid-sentence"),
        pytest.param("It rose.", [("It rose.", ())], id="no key"),
        pytest.param("It rose [1].", [("It rose.", ("1",))], id="a number is a key that was never offered"),
        pytest.param("- It rose [e2]\n- It fell [e3]", [("It rose", ("e2",)), ("It fell", ("e3",))], id="list"),
        pytest.param("1. **It** rose [e2].", [("It rose.", ("e2",))], id="numbers and emphasis"),
        pytest.param("Here is the answer:\nIt rose [e2].", [("It rose.", ("e2",))], id="heading"),
        pytest.param("<think>It fell [e3].</think>It rose [e2].", [("It rose.", ("e2",))], id="thinking aloud"),
        pytest.param("<think>It fell [e3]. It", [], id="still thinking"),
        pytest.param("[e2]", [], id="only a key"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_keys_belong_to_the_statement_before_them(draft: str, claims: list[tuple[str, tuple[str, ...]]]) -> None:
    assert [(claim.text, claim.keys) for claim in parse_draft(draft)] == claims


DRAFT = (
    "<think>Which one? [e9]</think>\nHer BMD rose by 22.1% vs. baseline [e1]. It was given i.v. for 12 months, [e2] "
    "and she did well.\n\n- No fracture followed. [e3, e4] [e6]\n- Dr. Smith saw her at 3.5 years [e5]"
)


@settings(deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=len(DRAFT)), max_size=20))
def test_a_draft_in_pieces_is_the_draft(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(DRAFT)]
    reader = DraftParser()
    claims = [claim for start, end in pairwise(places) for claim in reader.feed(DRAFT[start:end])] + reader.finish()
    assert claims == parse_draft(DRAFT)


def test_keys_after_a_heading_belong_to_no_statement_in_pieces_as_in_whole() -> None:
    draft = "It rose.\nSummary :\n[e1]"
    reader = DraftParser()
    pieces = [claim for letter in draft for claim in reader.feed(letter)] + reader.finish()
    assert pieces == parse_draft(draft) == [DraftClaim(text="It rose.", keys=())]


def test_keys_that_come_one_by_one_belong_to_their_statement() -> None:
    reader = DraftParser()
    given = [claim for piece in ("It rose. ", "[e2, ", "e3] ", "It fell ", "[e4].") for claim in reader.feed(piece)]
    assert [claim.keys for claim in [*given, *reader.finish()]] == [("e2", "e3"), ("e4",)]


def test_a_statement_is_given_once_the_next_one_has_begun() -> None:
    reader = DraftParser()
    assert reader.feed("It rose. ") == []  # its key may follow
    assert reader.feed("[e2] ") == []
    assert [claim.keys for claim in reader.feed("It fell ")] == [("e2",)]
    assert [claim.text for claim in reader.finish()] == ["It fell"]
