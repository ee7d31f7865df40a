"""Inputs for hypothesis: tokens of a target, mutations of its corpus, any bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from hypothesis import strategies as st

from .targets import corpus_of, words_of

_NUMBERS = (None, True, 0, -1.5, 10**30, float("nan"))
JSON_VALUES = (*_NUMBERS, "", "x", "2019", "\ud800", "\0", [], {}, [1], ["x"], [{}], {"name": 1})


def inputs(name: str) -> st.SearchStrategy[bytes]:
    """Inputs of a few kilobytes for a target."""
    words = st.sampled_from(words_of(name))
    strange = st.text(max_size=6).map(str.encode) | st.binary(max_size=4)
    pieces = st.lists(words | strange, max_size=40).map(b"".join)
    seeds = [path.read_bytes() for path in corpus_of(name)]
    changes = st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 60), words | strange), max_size=6)
    changed = pieces | st.builds(change, st.sampled_from(seeds), changes)
    values = list(filter(None, map(read_value, seeds)))
    if not values:
        return changed
    return changed | st.builds(change_value, st.sampled_from(values), st.integers(0, 500), st.sampled_from(JSON_VALUES))


def change(seed: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """A seed with bytes replaced at some positions: (position, length, new bytes)."""
    for place, length, new in changes:
        start = place % (len(seed) + 1)
        seed = seed[:start] + new + seed[start + length :]
    return seed


def read_value(seed: bytes) -> dict[str, Any] | None:
    """The JSON object of a seed, or None."""
    with suppress(ValueError):
        value = json.loads(seed)
        return value if isinstance(value, dict) else None
    return None


def change_value(seed: dict[str, Any], place: int, new: Any) -> bytes:
    """A JSON object on one line, with one of its values, at any depth, replaced."""
    places = list(iter_places(seed))
    holder, key = places[place % len(places)]
    old, holder[key] = holder[key], new
    try:
        return json.dumps(seed).encode()
    finally:
        holder[key] = old


def iter_places(value: Any) -> Iterator[tuple[Any, Any]]:
    """The location of each value in a JSON value: the list or object, and the index or name."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from iter_places(value[key])
