"""What users say of answers: kept in one SQLite file, and exported as questions that `casecite evaluate` reads."""

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
from assistant.types import Citation, QuotedField, Turn
from index.errors import WrongUseError
from index.types import Filters

Verdict = Literal["up", "down", "wrong_evidence"]

MAX_COMMENT_CHARS = 2_000
SCHEMA_VERSION = 1
WAIT_SECONDS = 30
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
    """A sentence that an answer cited: `quote` is that span of the record's abstract, or of its title."""

    model_config = ConfigDict(frozen=True)

    number: int
    record_id: str
    field: QuotedField
    start: int
    end: int
    quote: str


class GivenAnswer(BaseModel):
    """The answer as it was given."""

    model_config = ConfigDict(frozen=True)

    text: str
    status: Status
    confidence: float
    citations: tuple[CitedSentence, ...]


class Feedback(BaseModel):
    """One verdict with all that it takes to ask the question again.

    `answer_key` is the same for verdicts of one session on one answer, and says nothing of who or where they are.
    `citation_number` is the citation that a verdict of wrong evidence means.
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
    """Verdicts on answers in one file, made when the first is added. Safe for several threads and processes."""

    def __init__(self, path: Path) -> None:
        """Take where the file is, or will be."""
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
        """Keep a verdict; it replaces the same session's earlier one on this answer, or on this citation of it.

        `session` is any text that tells sessions apart; it is not kept. `history` is what was said before the question.

        Raises:
            WrongUseError: the comment is too long, wrong evidence does not name a citation of the answer, or the file
                cannot be written.
        """
        _check(answer, verdict, comment, citation_number)
        feedback = _describe(answer, verdict, session, tuple(history), filters or Filters(), comment, citation_number)
        # Browsers may send halves of characters, which are no text that can be stored.
        content = json.dumps(feedback.model_dump(mode="json"), ensure_ascii=False).encode("utf-8", "replace").decode()
        row = (feedback.answer_key, citation_number or _WHOLE_ANSWER, verdict, content)
        with self._connect() as connection:
            connection.execute(
                "INSERT INTO feedback (answer_key, citation_number, verdict, content) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET verdict = excluded.verdict, content = excluded.content",
                row,
            )

    def __iter__(self) -> Iterator[Feedback]:
        """What is kept, the verdicts on one answer side by side, answers in the order of their first verdict."""
        if not self.path.exists():
            return
        with self._connect() as connection:
            rows = connection.execute(
                "SELECT content FROM feedback ORDER BY min(feedback_id) OVER (PARTITION BY answer_key), feedback_id"
            ).fetchall()
        try:
            yield from (Feedback.model_validate_json(content) for (content,) in rows)
        except ValidationError as error:
            raise _unusable(self.path, error) from error

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        """The only connection there is, since the file may be new: a lock keeps out threads and processes meanwhile."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{self.path}.lock", timeout=WAIT_SECONDS):
                if not self.path.exists():
                    self.path.touch(mode=0o600)  # questions can tell of patients, so nobody else is to read them
                with closing(sqlite3.connect(self.path)) as connection, connection:
                    _prepare(connection, self.path)
                    yield connection
        except (OSError, sqlite3.Error) as error:
            raise _unusable(self.path, error) from error


def export_questions(store: Iterable[Feedback]) -> Iterator[dict[str, Any]]:
    """The verdicts as lines of a question file, one for each answer that a session judged.

    A thumbs up makes what was cited the gold, without the citations that the same session called wrong; on a refusal it
    makes the question unanswerable. Nothing else says what is right, so no gold is claimed: the kind is then
    `unjudged`, which `casecite evaluate` does not ask until somebody gives it a gold and another kind.
    """
    for answer_key, group in groupby(store, key=lambda feedback: feedback.answer_key):
        verdicts = list(group)
        yield {"id": f"feedback-{answer_key}"} | _judge(verdicts) | _describe_question(verdicts)


def _judge(verdicts: Sequence[Feedback]) -> dict[str, Any]:
    """Kind and gold of a question, as far as the verdicts of one session on its answer tell."""
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
    """What was asked and answered, and each verdict with its comment as a note."""
    data = verdicts[0].model_dump(mode="json", exclude={"answer_key", "verdict", "comment", "citation_number", "time"})
    notes = [
        feedback.model_dump(mode="json", include={"verdict", "comment", "citation_number", "time"})
        for feedback in verdicts
    ]
    return data | {"notes": notes}


def _check(answer: Answer, verdict: Verdict, comment: str, citation_number: int | None) -> None:
    if len(comment) > MAX_COMMENT_CHARS:
        raise WrongUseError(
            f"the comment has {len(comment):,} characters, at most {MAX_COMMENT_CHARS:,} are kept",
            remedy="write a shorter one",
        )
    numbers = [citation.number for citation in answer.citations]
    expected = numbers if verdict == "wrong_evidence" else [None]
    if citation_number not in expected:
        raise WrongUseError(
            f"the verdict {verdict} is on citation {citation_number}, the answer's are {numbers}",
            remedy="name a citation of the answer for wrong_evidence, and none for up or down",
        )


def _describe(
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
        citations=tuple(map(_describe_citation, answer.citations)),
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


def _describe_citation(citation: Citation) -> CitedSentence:
    return CitedSentence(
        number=citation.number,
        record_id=citation.record.record_id,
        field=citation.field,
        start=citation.start,
        end=citation.end,
        quote=citation.quote,
    )


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the table where the file is new."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise WrongUseError(
            f"{path} has version {version}, this casecite reads {SCHEMA_VERSION}", remedy="use the newer casecite"
        )
    if version < SCHEMA_VERSION:
        connection.execute(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _unusable(path: Path, error: Exception) -> WrongUseError:
    return WrongUseError(
        f"feedback cannot be kept in {path}: {error}", remedy="set CASECITE_FEEDBACK_PATH to another file"
    )
