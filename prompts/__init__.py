"""Prompts, one file each, with declared placeholders and a version; and the one sentence for "not in the records"."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from string import Template
from typing import Self

from pydantic import BaseModel, ConfigDict, PositiveInt, model_validator

ABSTAIN_SENTENCE = "These reports don't say."
"""Written by the model, recognised by the code, shown to the user."""


class Prompt(BaseModel):
    """A prompt as it stands in its file: what the system says, what the user says, and what is filled in.

    Any change of its text is a new `version`; traces tell it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: PositiveInt
    placeholders: frozenset[str]
    system: str
    user: str

    @model_validator(mode="after")
    def _declares_what_it_holds(self) -> Self:
        template = Template(self.system + self.user)
        if not template.is_valid():
            raise ValueError("a $ stands for nothing; write $$ for the sign itself")
        if (written := set(template.get_identifiers())) != self.placeholders:
            raise ValueError(f"declared are {sorted(self.placeholders)}, in the text stand {sorted(written)}")
        return self

    def render(self, **values: str) -> list[tuple[str, str]]:
        """The prompt filled in, as (role, text) pairs. A `$` in a value means nothing.

        Raises:
            ValueError: the values are not those declared.
        """
        if set(values) != self.placeholders:
            raise ValueError(f"declared are {sorted(self.placeholders)}, given {sorted(values)}")
        texts = {"system": self.system, "user": self.user}
        return [(role, Template(text).substitute(values).strip()) for role, text in texts.items()]


@cache
def load_prompt(name: str) -> Prompt:
    """The prompt of the file `<name>.toml`, checked.

    Raises:
        FileNotFoundError: there is no such prompt.
        ValueError: the file is no prompt, or its placeholders are not those declared.
    """
    text = files("prompts").joinpath(f"{name}.toml").read_text("utf-8")
    return Prompt.model_validate(tomllib.loads(text))
