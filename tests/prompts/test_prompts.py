"""Prompts declare what they are filled with, and are checked when they are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

import prompts
from prompts import ABSTAIN_SENTENCE, Prompt, load_prompt

NAMES = sorted(path.stem for path in Path(prompts.__file__).parent.glob("*.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_every_prompt_loads_and_holds_what_it_is_given(name: str) -> None:
    prompt = load_prompt(name)
    text = "\n".join(text for _, text in prompt.render(**{key: f"<<{key} $x>>" for key in prompt.placeholders}))
    assert all(f"<<{key} $x>>" in text for key in prompt.placeholders)


def test_the_answer_prompt_shows_right_and_wrong_keys_and_the_abstain_sentence() -> None:
    system, user = (text for _, text in load_prompt("answer").render(question="q", evidence="e", abstain_sentence="S."))
    assert "Right: " in system
    assert "Wrong: " in system
    assert "write only: S." in system
    assert "write only: S." in user
    assert ABSTAIN_SENTENCE not in load_prompt("answer").system  # it is said in one place only


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"user": "$question"}, "the text has", id="placeholder that is missing"),
        pytest.param({"user": "$question $evidence $other"}, "the text has", id="placeholder too many"),
        pytest.param({"user": "$question $evidence costs $"}, "a \\$ without a placeholder", id="bare sign"),
        pytest.param({"version": 0}, "version", id="no version"),
        pytest.param({"user2": ""}, "user2", id="unknown field"),
    ],
)
def test_a_prompt_that_does_not_hold_what_it_declares_is_refused(changes: dict[str, object], message: str) -> None:
    fields = {"version": 1, "placeholders": ["question", "evidence"], "system": "", "user": "$question $evidence"}
    with pytest.raises(ValidationError, match=message):
        Prompt.model_validate(fields | changes)


def test_a_prompt_takes_just_what_it_declares() -> None:
    with pytest.raises(ValueError, match="given"):
        load_prompt("answer").render(question="why?")
