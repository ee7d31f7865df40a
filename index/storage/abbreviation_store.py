"""Abbreviations that the records themselves explain: "diabetes insipidus (DI)", found as Schwartz and Hearst do.

A. S. Schwartz, M. A. Hearst: A simple algorithm for identifying abbreviation definitions in biomedical text, 2003.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from index.storage.database import create_database, open_database
from index.types import Record

# In brackets after the words it stands for; two capitals at least, so that "(left)" and "(Figure)" are none.
_SHORT_FORM = re.compile(r"\(\s*(?=[^\s);,]{0,9}[A-Z][^\s);,]{0,9}[A-Z])([A-Za-z][A-Za-z0-9/+-]{1,9})\s*[);,]")
_IN_QUESTION = re.compile(r"\b(?=\w*[A-Z]\w*[A-Z])\w{2,10}\b")
_MAX_LONG_CHARS = 150
_MAX_LONG_WORDS = 7
_AROUND_WORDS = ",;:.?!()"
_SCHEMA = """
CREATE TABLE abbreviations (short TEXT, long TEXT, uses INTEGER, PRIMARY KEY (short, long)) WITHOUT ROWID;
CREATE INDEX by_long ON abbreviations (long, short, uses);
"""


class AbbreviationStore:
    """How often each abbreviation was explained in which words, in one SQLite file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take an open database; `create` and `open` make one from a path."""
        self._connection = connection

    @classmethod
    def create(cls, path: Path, copy_of: Path | None = None) -> AbbreviationStore:
        """A new store, empty or a copy of another one."""
        return cls(create_database(path, _SCHEMA, copy_of))

    @classmethod
    def open(cls, path: Path) -> AbbreviationStore:
        """An existing store, for reading.

        Raises:
            sqlite3.Error: there is none at the path, or it is damaged.
        """
        return cls(open_database(path))

    def add(self, records: Sequence[Record]) -> None:
        """Count what the records explain, each explanation once a record, and make it durable."""
        self._connection.executemany(
            "INSERT INTO abbreviations VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET uses = uses + 1", _pairs(records)
        )
        self._connection.commit()

    def delete(self, records: Iterable[Record]) -> None:
        """Take back what was counted for records, and make it durable."""
        self._connection.executemany(
            "UPDATE abbreviations SET uses = uses - 1 WHERE short = ? AND long = ?", _pairs(records)
        )
        self._connection.execute("DELETE FROM abbreviations WHERE uses = 0")
        self._connection.commit()

    def long_forms(self, short: str) -> list[tuple[str, int]]:
        """What an abbreviation stands for and in how many records, the most frequent first."""
        return self._connection.execute(
            "SELECT long, uses FROM abbreviations WHERE short = ? ORDER BY uses DESC, long", (short,)
        ).fetchall()

    def short_forms(self, text: str) -> list[tuple[str, float]]:
        """The abbreviations of what a text says at length, each with its share of the records that shorten it so."""
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

    def close(self) -> None:
        """Release the file."""
        self._connection.close()


def _pairs(records: Iterable[Record]) -> Iterator[tuple[str, str]]:
    return (pair for record in records for pair in set(explained(f"{record.title or ''}\n{record.abstract}")))


def find_short_forms(question: str) -> list[str]:
    """What looks like an abbreviation in a question: a word with two capitals; a plural without its s."""
    return [word.removesuffix("s") for word in dict.fromkeys(_IN_QUESTION.findall(question))]


def explained(text: str) -> Iterator[tuple[str, str]]:
    """The abbreviations that a text explains, each with its long form in lower case."""
    for match in _SHORT_FORM.finditer(text):
        before = text[max(0, match.start() - _MAX_LONG_CHARS) : match.start()]
        if long := _long_form(match[1], before):
            yield match[1], long


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
