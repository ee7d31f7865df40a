"""The one place where a draft becomes an answer: claims are checked against their sentences, citations numbered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.types import Citation, Claim, Evidence
from index.folding import fold_text
from index.lexical import analyse
from index.sentences import split_sentences

MIN_SHARED_TERMS = 0.6
_KEYS = re.compile(r"\[\s*([A-Za-z]\d+(?:\s*,\s*[A-Za-z]\d+)*)\s*\]")
_LEADING_KEYS = re.compile(rf"(?:{_KEYS.pattern}[\s.]*)+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NEGATION = re.compile(r"\b(no|not|never|without|none|denied|absent|absence|negative|neither|nor)\b|n't\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftClaim:
    """A statement as it was drafted, with the evidence keys written after it.

    With a `lead` ("reports") the line is "[1] reports STATEMENT", else "STATEMENT [1]".
    """

    text: str
    keys: tuple[str, ...]
    lead: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDraft:
    """The claims of a draft after the check, the text of those that hold, and its citations."""

    text: str
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]


def check_draft(draft: Sequence[DraftClaim], evidence: Sequence[Evidence]) -> CheckedDraft:
    """Keep the claims that their cited sentences state, and number the sentences in the order of first use."""
    by_key = {item.key: item for item in evidence}
    numbers: dict[str, int] = {}
    claims, lines = [], []
    for claim in draft:
        cited = [by_key[key] for key in dict.fromkeys(claim.keys) if key in by_key]
        why = find_fault(claim.text, cited)
        if why is None:
            used = tuple(numbers.setdefault(item.key, len(numbers) + 1) for item in cited)
            claims.append(Claim(text=claim.text, citations=used, supported=True, why="stated in the cited sentence"))
            numbers_text = " ".join(f"[{number}]" for number in used)
            lines.append(f"{numbers_text} {claim.lead} {claim.text}" if claim.lead else f"{claim.text} {numbers_text}")
        else:
            claims.append(Claim(text=claim.text, citations=(), supported=False, why=why))
    citations = tuple(_cite(by_key[key], number) for key, number in numbers.items())
    return CheckedDraft(text="\n".join(lines), claims=tuple(claims), citations=citations)


def find_fault(text: str, cited: Sequence[Evidence]) -> str | None:
    """Why a statement is not supported by the sentences it cites, or None if it is."""
    if not cited:
        return "no sentence of the evidence is cited"
    if broken := [item.key for item in cited if not is_literal(item)]:
        return f"the quotation {broken[0]} is not in its record"
    source = fold_text(" ".join(item.quote for item in cited))
    statement = fold_text(text)
    known_numbers = set(_NUMBER.findall(source))
    if invented := [number for number in _NUMBER.findall(statement) if number not in known_numbers]:
        return f"{invented[0]} is not in the cited sentence"
    if bool(_NEGATION.search(statement)) and not _NEGATION.search(source):
        return "it denies what the cited sentence does not deny"
    terms, known_terms = set(analyse(statement)), set(analyse(source))
    shared = len(terms & known_terms) / len(terms) if terms else 0.0
    if shared < MIN_SHARED_TERMS:
        return f"only {shared:.0%} of its words are in the cited sentence"
    return None


def is_literal(item: Evidence) -> bool:
    """Whether the quote stands in the record, at its offsets, to the letter."""
    source = item.record.abstract if item.field == "abstract" else item.record.title or ""
    return bool(item.quote) and source[item.start : item.end] == item.quote


def parse_draft(text: str) -> list[DraftClaim]:
    """A model's text as claims with their keys: `[e1]`, `[e1] [e2]` or `[e1, e2]` after a statement.

    A key that stands after the full stop belongs to the statement before it.
    """
    claims: list[DraftClaim] = []
    for start, end in split_sentences(text):
        sentence = text[start:end]
        if claims and (leading := _LEADING_KEYS.match(sentence)):
            claims[-1] = DraftClaim(text=claims[-1].text, keys=(*claims[-1].keys, *_find_keys(leading[0])))
            sentence = sentence[leading.end() :]
        words = " ".join(_KEYS.sub(" ", sentence).split())
        if any(map(str.isalnum, words)):
            claims.append(DraftClaim(text=words.replace(" .", "."), keys=_find_keys(sentence)))
    return claims


def _find_keys(text: str) -> tuple[str, ...]:
    return tuple(key.strip().casefold() for group in _KEYS.findall(text) for key in group.split(","))


def _cite(item: Evidence, number: int) -> Citation:
    return Citation(
        number=number,
        record=item.record,
        field=item.field,
        start=item.start,
        end=item.end,
        quote=item.quote,
        url=item.record.url,
    )
