"""Typing errors are corrected to the indexed words at the smallest edit distance."""

from __future__ import annotations

import pytest

from index.text.spelling import nearest_words


@pytest.mark.parametrize(
    ("word", "known", "nearest"),
    [
        pytest.param("fever", ["fevr"], ["fevr"], id="inserted letter"),
        pytest.param("feer", ["fever"], [], id="short word"),
        pytest.param("feverr", ["fevers"], ["fevers"], id="replaced letter"),
        pytest.param("fveer", ["fever"], ["fever"], id="swapped neighbours"),
        pytest.param("fveers", ["fevres"], [], id="two errors in a word of six letters"),
        pytest.param("carbamzpin", ["carbamazepin", "carbam"], ["carbamazepin"], id="two errors in a word of ten"),
        pytest.param("rmosoumba", ["romosozumab"], [], id="three errors"),
        pytest.param("v600e", ["v600k"], [], id="digits"),
        pytest.param("lamotrig", [], [], id="nothing known"),
        pytest.param("lamotrg", ["lamina", "lamotrig", "lamotr"], ["lamotrig", "lamotr"], id="ties in the order given"),
        pytest.param(
            "feverx", ["fever", "fevers", "feveri", "fevera"], ["fever", "fevers", "feveri"], id="three at most"
        ),
        pytest.param("feverish", ["feverish", "feverist"], ["feverish"], id="fewest errors only"),
    ],
)
def test_typing_errors_are_corrected(word: str, known: list[str], nearest: list[str]) -> None:
    assert nearest_words(word, known) == nearest
