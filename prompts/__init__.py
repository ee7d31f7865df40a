"""Prompts, one file each, with declared placeholders; and the one sentence for "not in the records"."""

from __future__ import annotations

from importlib.resources import files
from string import Template

ABSTAIN_SENTENCE = "These reports don't say."
"""Written by the model, recognised by the code, shown to the user."""

PLACEHOLDERS = {"answer": frozenset({"abstain_sentence", "evidence", "question"})}
"""The prompts there are, and what each must be filled with."""


def render_prompt(name: str, **values: str) -> str:
    """A prompt with its placeholders filled. Values are put in as they are: a `$` in them means nothing.

    Raises:
        KeyError: there is no such prompt.
        ValueError: the values, or the placeholders in the file, are not those declared.
    """
    declared = PLACEHOLDERS[name]
    template = Template(files("prompts").joinpath(f"{name}.md").read_text("utf-8"))
    written = set(template.get_identifiers())
    if written != declared or set(values) != declared:
        raise ValueError(
            f"prompt {name!r}: declared {sorted(declared)}, in the file {sorted(written)}, given {sorted(values)}"
        )
    return template.substitute(values).strip()
