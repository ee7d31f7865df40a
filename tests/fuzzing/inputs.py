"""Inputs for hypothesis: pieces that mean something to a target, inputs of its corpus changed in places, any bytes."""

from __future__ import annotations

from hypothesis import strategies as st

from .targets import corpus_of, words_of


def inputs(name: str) -> st.SearchStrategy[bytes]:
    """Inputs of a few kilobytes for the target of that name."""
    words = st.sampled_from(words_of(name))
    strange = st.text(max_size=6).map(str.encode) | st.binary(max_size=4)
    pieces = st.lists(words | strange, max_size=40).map(b"".join)
    seeds = [path.read_bytes() for path in corpus_of(name)]
    if not seeds:
        return pieces
    changes = st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 60), words | strange), max_size=6)
    return pieces | st.builds(change, st.sampled_from(seeds), changes)


def change(seed: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """A seed with some bytes taken out at some places and others put there."""
    for place, length, new in changes:
        start = place % (len(seed) + 1)
        seed = seed[:start] + new + seed[start + length :]
    return seed
