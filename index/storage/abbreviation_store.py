"""Abbreviations that the records define, as in "diabetes insipidus (DI)", by the algorithm of Schwartz and Hearst.

A. S. Schwartz, M. A. Hearst: A simple algorithm for identifying abbreviation definitions in biomedical text, 2003.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from index.storage.database import SqliteStore
from index.types import Record

# In brackets after its long form; with at least two capitals, unlike "(left)" and "(Figure)".
_SHORT_FORM = re.compile(r"\(\s*(?=[^\s);,]{0,9}[A-Z][^\s);,]{0,9}[A-Z])([A-Za-z][A-Za-z0-9/+-]{1,9})\s*[);,]")
_IN_QUESTION = re.compile(r"\b(?=\w*[A-Z]\w*[A-Z])\w{2,10}\b")
_MAX_LONG_CHARS = 150
_MAX_LONG_WORDS = 7
_AROUND_WORDS = ",;:.?!()"


class AbbreviationStore(SqliteStore):
    """How many records define each abbreviation as which long form, in one SQLite file."""

    schema = """
        CREATE TABLE abbreviations (short TEXT, long TEXT, uses INTEGER, PRIMARY KEY (short, long)) WITHOUT ROWID;
        CREATE INDEX by_long ON abbreviations (long, short, uses);
    """

    def add(self, records: Sequence[Record]) -> None:
        """Count the definitions in the records, each once a record, durably."""
        self._connection.executemany(
            "INSERT INTO abbreviations VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET uses = uses + 1", _pairs(records)
        )
        self._connection.commit()

    def delete(self, records: Iterable[Record]) -> None:
        """Remove the counts of records, durably."""
        self._connection.executemany(
            "UPDATE abbreviations SET uses = uses - 1 WHERE short = ? AND long = ?", _pairs(records)
        )
        self._connection.execute("DELETE FROM abbreviations WHERE uses = 0")
        self._connection.commit()

    def long_forms(self, short: str) -> list[tuple[str, int]]:
        """The long forms of an abbreviation and how many records use each, the most frequent first."""
        return self._connection.execute(
            "SELECT long, uses FROM abbreviations WHERE short = ? ORDER BY uses DESC, long", (short,)
        ).fetchall()

    def short_forms(self, text: str) -> list[tuple[str, float]]:
        """The abbreviations of the long forms in a text, each with the share of records that use it."""
        words = [word.strip(_AROUND_WORDS) for word in text.lower().split()]
        phrases = {
            " ".join(words[start:end])
            for start in range(len(words))
            for end in range(start + 2, min(start + _MAX_LONG_WORDS, len(words)) + 1)
        }
        rows = self._connection.execute(
            "SELECT short, CAST(uses AS REAL) / sum(uses) OVER (PARTITION BY long) FROM abbreviations "
            "WHERE long IN (SELECT value FROM json_each(?)) ORDER BY long, short",
            (json.dumps(sorted(phrases)),),
        )
        return rows.fetchall()


def find_short_forms(question: str) -> list[str]:
    """The words of a question with at least two capitals, which may be abbreviations; plurals without their s."""
    return [word.removesuffix("s") for word in dict.fromkeys(_IN_QUESTION.findall(question))]


def find_definitions(text: str) -> Iterator[tuple[str, str]]:
    """The abbreviations that a text defines, each with its long form in lower case."""
    for match in _SHORT_FORM.finditer(text):
        before = text[max(0, match.start() - _MAX_LONG_CHARS) : match.start()]
        if long := _long_form(match[1], before):
            yield match[1], long


def _pairs(records: Iterable[Record]) -> Iterator[tuple[str, str]]:
    return (pair for record in records for pair in set(find_definitions(f"{record.title or ''}\n{record.abstract}")))


def _long_form(short: str, before: str) -> str | None:
    """The words at the end of `before` that hold the letters of `short` in order, its first one at a word's start."""
    words = before.split()[-min(len(short) + 5, 2 * len(short)) :]
    window = " ".join(words).lower()
    position = len(window)
    letters = [letter for letter in short.lower() if letter.isalnum()]
    for letter in reversed(letters[1:]):
        position = window.rfind(letter, 0, position)
        if position < 0:
            return None
    starts = [match.start() for match in re.finditer(rf"\b{re.escape(letters[0])}", window[:position])]
    long = window[starts[-1] :] if starts else ""
    return long if len(long) > len(short) and short.lower() not in long.split() else None
