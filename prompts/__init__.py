"""Prompts, one file each, with declared placeholders and a version; and the sentence for "no answer"."""

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
    """A prompt as in its file: the system message, the user message, and their placeholders.

    Every change of the text needs a new `version`, which traces record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: PositiveInt
    placeholders: frozenset[str]
    system: str
    user: str

    @model_validator(mode="after")
    def _check_placeholders(self) -> Self:
        template = Template(self.system + self.user)
        if not template.is_valid():
            raise ValueError("a $ without a placeholder; write $$ for the sign itself")
        if (written := set(template.get_identifiers())) != self.placeholders:
            raise ValueError(f"declared are {sorted(self.placeholders)}, the text has {sorted(written)}")
        return self

    def render(self, **values: str) -> list[tuple[str, str]]:
        """The prompt with its placeholders filled, as (role, text) pairs. A `$` in a value is literal.

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
        ValueError: the file is not a valid prompt, or its placeholders are not those declared.
    """
    text = files("prompts").joinpath(f"{name}.toml").read_text("utf-8")
    return Prompt.model_validate(tomllib.loads(text))
