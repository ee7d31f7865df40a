"""Users' verdicts on answers, stored in one SQLite file and exported as a question file for `casecite evaluate`."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from assistant.answers import Answer, Status
from assistant.evaluation.questions import UNANSWERABLE, UNJUDGED
from assistant.types import QuotedField, Turn
from index.errors import WrongUseError
from index.types import Filters

Verdict = Literal["up", "down", "wrong_evidence"]

MAX_COMMENT_CHARS = 2_000
SCHEMA_VERSION = 1
LOCK_TIMEOUT_S = 30
_SCHEMA = """
CREATE TABLE IF NOT EXISTS feedback (
    feedback_id INTEGER PRIMARY KEY AUTOINCREMENT,
    answer_key TEXT NOT NULL,
    citation_number INTEGER NOT NULL,  -- 0: the answer as a whole
    verdict TEXT NOT NULL,
    content TEXT NOT NULL,
    UNIQUE (answer_key, citation_number)
)"""
_WHOLE_ANSWER = 0


class CitedSentence(BaseModel):
    """A cited sentence: `quote` is the span from `start` to `end` of the record's abstract or title."""

    model_config = ConfigDict(frozen=True)

    number: int
    record_id: str
    field: QuotedField
    start: int
    end: int
    quote: str


class GivenAnswer(BaseModel):
    """The answer that was judged."""

    model_config = ConfigDict(frozen=True)

    text: str
    status: Status
    confidence: float
    citations: tuple[CitedSentence, ...]


class Feedback(BaseModel):
    """One verdict with everything that is needed to ask the question again.

    `answer_key` is the same for verdicts of one session on one answer, and does not identify the user.
    `citation_number` is the citation that a verdict of wrong evidence is about.
    """

    model_config = ConfigDict(frozen=True)

    answer_key: str
    time: AwareDatetime
    verdict: Verdict
    comment: str
    citation_number: int | None
    question: str
    query: str
    history: tuple[Turn, ...]
    filters: Filters
    answer: GivenAnswer
    index_id: str
    settings_id: str
    model: str | None


class FeedbackStore:
    """Verdicts in the file at `path`, created with the first verdict. Safe for several threads and processes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(
        self,
        answer: Answer,
        verdict: Verdict,
        *,
        session: str,
        history: Sequence[Turn] = (),
        filters: Filters | None = None,
        comment: str = "",
        citation_number: int | None = None,
    ) -> None:
        """Store a verdict; it replaces an earlier one of the session on this answer, or on this citation of it.

        `session` is any text that identifies the session; it is not stored. `history` is the conversation before the
        question.

        Raises:
            WrongUseError: the comment is too long, wrong evidence does not name a citation of the answer, or the file
                cannot be written.
        """
        _check(answer, verdict, comment, citation_number)
        feedback = _make_feedback(
            answer, verdict, session, tuple(history), filters or Filters(), comment, citation_number
        )
        # Browsers may send unpaired surrogates, which cannot be encoded.
        content = json.dumps(feedback.model_dump(mode="json"), ensure_ascii=False).encode("utf-8", "replace").decode()
        row = (feedback.answer_key, citation_number or _WHOLE_ANSWER, verdict, content)
        with self._connect() as connection:
            connection.execute(
                "INSERT INTO feedback (answer_key, citation_number, verdict, content) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET verdict = excluded.verdict, content = excluded.content",
                row,
            )

    def __iter__(self) -> Iterator[Feedback]:
        """The stored verdicts, grouped by answer, in the order of the first verdict on each answer."""
        if not self.path.exists():
            return
        with self._connect() as connection:
            rows = connection.execute(
                "SELECT content FROM feedback ORDER BY min(feedback_id) OVER (PARTITION BY answer_key), feedback_id"
            ).fetchall()
        try:
            yield from (Feedback.model_validate_json(content) for (content,) in rows)
        except ValidationError as error:
            raise _storage_error(self.path, error) from error

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        """A connection under a lock: only one thread or process may create the file and its table."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock", timeout=LOCK_TIMEOUT_S):
                if not self.path.exists():
                    self.path.touch(mode=0o600)  # private, as questions may be about patients
                with closing(sqlite3.connect(self.path)) as connection, connection:
                    _create_table(connection, self.path)
                    yield connection
        except (OSError, sqlite3.Error) as error:
            raise _storage_error(self.path, error) from error


def export_questions(store: Iterable[Feedback]) -> Iterator[dict[str, Any]]:
    """The verdicts as lines of a question file, one for each answer that a session judged.

    After a thumbs up the cited records are the gold, without the citations that the same session called wrong; a
    refusal with a thumbs up is an unanswerable question. Otherwise the gold is unknown and the kind is `unjudged`,
    which `casecite evaluate` skips until somebody adds the gold and another kind.
    """
    for answer_key, group in groupby(store, key=lambda feedback: feedback.answer_key):
        verdicts = list(group)
        yield {"id": f"feedback-{answer_key}"} | _judge(verdicts) | _describe_question(verdicts)


def _judge(verdicts: Sequence[Feedback]) -> dict[str, Any]:
    """Kind and gold of a question, from the verdicts of one session on its answer."""
    answer = verdicts[0].answer
    is_right = any(feedback.verdict == "up" for feedback in verdicts)
    wrong = {feedback.citation_number for feedback in verdicts}
    gold = [citation for citation in answer.citations if citation.number not in wrong] if is_right else []
    if gold:
        record_ids = list(dict.fromkeys(citation.record_id for citation in gold))
        return {
            "kind": "feedback",
            "gold_doc_ids": record_ids,
            "gold_sentence": [citation.quote for citation in gold],
        }
    return {"kind": UNANSWERABLE if is_right and not answer.citations else UNJUDGED, "gold_doc_ids": []}


def _describe_question(verdicts: Sequence[Feedback]) -> dict[str, Any]:
    """The question and its answer, with each verdict and its comment as a note."""
    note = {"verdict", "comment", "citation_number", "time"}
    data = verdicts[0].model_dump(mode="json", exclude={"answer_key", *note})
    return data | {"notes": [feedback.model_dump(mode="json", include=note) for feedback in verdicts]}


def _check(answer: Answer, verdict: Verdict, comment: str, citation_number: int | None) -> None:
    if len(comment) > MAX_COMMENT_CHARS:
        raise WrongUseError(
            f"the comment has {len(comment):,} characters, at most {MAX_COMMENT_CHARS:,} are stored",
            remedy="write a shorter one",
        )
    numbers = [citation.number for citation in answer.citations]
    expected = numbers if verdict == "wrong_evidence" else [None]
    if citation_number not in expected:
        raise WrongUseError(
            f"the verdict {verdict} is on citation {citation_number}, the answer's are {numbers}",
            remedy="name a citation of the answer for wrong_evidence, and none for up or down",
        )


def _make_feedback(
    answer: Answer,
    verdict: Verdict,
    session: str,
    history: tuple[Turn, ...],
    filters: Filters,
    comment: str,
    citation_number: int | None,
) -> Feedback:
    given = GivenAnswer(
        text=answer.text,
        status=answer.status,
        confidence=answer.confidence,
        citations=tuple(
            CitedSentence(
                number=citation.number,
                record_id=citation.record.record_id,
                field=citation.field,
                start=citation.start,
                end=citation.end,
                quote=citation.quote,
            )
            for citation in answer.citations
        ),
    )
    asked = [answer.question, *(turn.content for turn in history), repr(filters)]
    made = [answer.index_id, answer.settings_id, given.model_dump_json(exclude={"confidence"})]
    digest = hashlib.sha256(json.dumps([session, asked, made]).encode())
    return Feedback(
        answer_key=digest.hexdigest()[:16],
        time=datetime.now(UTC),
        verdict=verdict,
        comment=comment,
        citation_number=citation_number,
        question=answer.question,
        query=answer.query,
        history=history,
        filters=filters,
        answer=given,
        index_id=answer.index_id,
        settings_id=answer.settings_id,
        model=answer.model,
    )


def _create_table(connection: sqlite3.Connection, path: Path) -> None:
    """Create the table in a new file."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise WrongUseError(
            f"{path} has version {version}, this casecite reads {SCHEMA_VERSION}", remedy="use the newer casecite"
        )
    if version < SCHEMA_VERSION:
        connection.execute(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _storage_error(path: Path, error: Exception) -> WrongUseError:
    return WrongUseError(
        f"feedback cannot be kept in {path}: {error}", remedy="set CASECITE_FEEDBACK_PATH to another file"
    )
