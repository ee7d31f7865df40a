"""A draft as claims with citation keys, complete or while it is written."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from index.text.cleaning import clean_text
from index.text.sentences import split_sentences

_KEY = r"(?:[A-Za-z]{1,2}\d+|\d+)"
_KEYS = re.compile(rf"[\[【]\s*({_KEY}(?:\s*[,;]\s*{_KEY})*)\s*[\]】]|\((e\d+(?:\s*[,;]\s*e\d+)*)\)", re.IGNORECASE)
_LEADING_KEYS = re.compile(rf"(?:(?:{_KEYS.pattern})[\s.,;]*)+", re.IGNORECASE)
_BULLET = re.compile(r"^\s*(?:[-*•#>]+|\d{1,2}[.)](?=\s))\s*")
_EMPHASIS = re.compile(r"\*\*|__|`")
_THINKING = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_OPEN_KEYS = re.compile(rf"[\[【(]\s*+(?:{_KEY}\s*+[,;]\s*+)*+[A-Za-z]{{0,2}}+\d*+\s*+\Z")
_SPACE_BEFORE_STOP = re.compile(r"\s+(?=[.,;:!?](?:\s|$))")


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftClaim:
    """A statement as it was drafted, with the evidence keys written after it.

    With a `lead` ("reports") the line is "[1] reports STATEMENT", else "STATEMENT [1]".
    """

    text: str
    keys: tuple[str, ...]
    lead: str | None = None


class DraftParser:
    """Parses a draft while it is written: a statement is complete once the next one has begun."""

    def __init__(self) -> None:
        self._text = ""
        self._taken = 0

    def feed(self, piece: str) -> list[DraftClaim]:
        """The statements that are complete now and were not before."""
        self._text += piece
        if not piece.strip() or not any(mark in self._text for mark in ".!?\n]"):
            return []
        # The last word may be incomplete, which could change where sentences end; an open bracket may hold keys of the
        # statement before it.
        whole = _plain(self._text[: max(self._text.rfind(" "), self._text.rfind("\n")) + 1])
        return self._take_new(_parse(whole)[: -2 if _OPEN_KEYS.search(whole) else -1])

    def finish(self) -> list[DraftClaim]:
        """The statements that are left when the draft has ended."""
        return self._take_new(parse_draft(self._text))

    def _take_new(self, claims: list[DraftClaim]) -> list[DraftClaim]:
        new = claims[self._taken :]
        self._taken += len(new)
        return new


def parse_draft(text: str) -> list[DraftClaim]:
    """A model's text as claims with their keys: `[e1]`, `[e1] [e2]` or `[e1, e2]` after a statement.

    A key after the full stop belongs to the statement before it; after a heading, to none. A number in brackets is a
    key too, one that was never offered. Reasoning blocks, headings that end in a colon and list markers are left out.
    """
    return _parse(_plain(text))


def _plain(text: str) -> str:
    return _EMPHASIS.sub("", clean_text(text))


def _parse(text: str) -> list[DraftClaim]:
    claims: list[DraftClaim] = []
    is_after_claim = False
    for line in (_BULLET.sub("", line) for line in _THINKING.sub("", text).split("\n")):
        for start, end in split_sentences(line):
            sentence = line[start:end]
            if is_after_claim and (leading := _LEADING_KEYS.match(sentence)):
                claims[-1] = replace(claims[-1], keys=(*claims[-1].keys, *_find_keys(leading[0])))
                sentence = sentence[leading.end() :]
            words = _SPACE_BEFORE_STOP.sub("", " ".join(_KEYS.sub(" ", sentence).split()))
            if any(map(str.isalnum, words)):
                is_after_claim = not words.endswith(":")
                claims += [DraftClaim(text=words, keys=_find_keys(sentence))] if is_after_claim else []
    return claims


def _find_keys(text: str) -> tuple[str, ...]:
    groups = (match[1] or match[2] for match in _KEYS.finditer(text))
    return tuple(key.strip().casefold() for group in groups for key in re.split("[,;]", group))
