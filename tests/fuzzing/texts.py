"""Checks of texts: markup to plain text, sentences and chunks; drafts to claims and keys."""

from __future__ import annotations

import random
import re
import zlib
from dataclasses import replace
from itertools import pairwise

from assistant.verification.draft_claims import DraftClaim, DraftParser, parse_draft
from index.ingest.markup import read_abstract, read_inline
from index.text.cleaning import clean_text
from index.text.sentences import split_sentences
from index.types import Record, Section

from .records import check_chunks, check_sections


def text_of(data: bytes) -> str:
    """Bytes as text; invalid UTF-8 becomes lone surrogates, which JSON and command lines may contain as well."""
    return data.decode("utf-8", "surrogateescape")


def chance_of(data: bytes) -> random.Random:
    """A random generator seeded with the bytes."""
    return random.Random(zlib.crc32(data))


def check_text(data: bytes) -> None:
    """Markup to plain text, its sentences and chunks, for its own sections and for random ones."""
    text = text_of(data)
    plain = clean_text(text)
    assert plain == clean_text(plain)
    plain.encode()
    inline = read_inline(text)
    assert inline == " ".join(inline.split()) == clean_text(inline)
    abstract = read_abstract(text)
    assert abstract.text == clean_text(abstract.text)
    assert abstract == read_abstract(text)
    check_spans(abstract.text)
    check_spans(text)
    record = Record(record_id="pmid:1", abstract=abstract.text, sections=abstract.sections, content_hash="")
    check_sections(record)
    check_chunks(record)
    if plain.strip():
        check_chunks(replace(record, abstract=plain, sections=random_sections(plain, chance_of(data))))


def check_spans(text: str) -> None:
    """Sentences are ordered spans without white space at their ends, and cover everything else."""
    spans = split_sentences(text)
    assert all(start < end for start, end in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())


def random_sections(text: str, chance: random.Random) -> tuple[Section, ...]:
    """Random non-blank spans of a text."""
    edges = sorted(chance.sample(range(len(text) + 1), min(2 * chance.randrange(4), (len(text) + 1) // 2 * 2)))
    spans = zip(edges[::2], edges[1::2], strict=False)
    return tuple(Section("CASE", start, end) for start, end in spans if text[start:end].strip())


def check_draft(data: bytes) -> None:
    """The claims of a draft have words and well-formed keys, and do not depend on the pieces it arrives in."""
    text = text_of(data)
    claims = parse_draft(text)
    assert claims == parse_draft(text)
    assert all(any(map(str.isalnum, claim.text)) for claim in claims)
    assert all(re.fullmatch(r"[a-z]{0,2}\d+", key) for claim in claims for key in claim.keys)
    assert read_in_pieces(text, chance_of(data)) == claims


def read_in_pieces(text: str, chance: random.Random) -> list[DraftClaim]:
    """The claims of a draft that arrives in random pieces."""
    places = sorted({0, len(text), *(chance.randrange(len(text) + 1) for _ in range(chance.choice([1, 5, 40])))})
    reader = DraftParser()
    return [
        *(claim for start, end in pairwise(places) for claim in reader.feed(text[start:end])),
        *reader.finish(),
    ]
