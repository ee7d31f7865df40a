"""Admission control for the questions of many users: a concurrency limit and a rate limit, with metrics and logs.

No text of a question or an answer is logged or counted, since questions can identify patients.
"""

from __future__ import annotations

import ctypes
import logging
import math
import threading
import time
from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import count
from typing import Any, Literal, NamedTuple

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from assistant.answers import Answer
from index.errors import CaseciteError

Channel = Literal["page", "api", "mcp"]

QUESTIONS_PER_TRIM = 50
SECONDS_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 240)
_LOG = logging.getLogger(__name__)


class BusyError(CaseciteError):
    """A limit is exceeded; the question can be asked again later."""


class Caller(NamedTuple):
    """Who asks (login name or else address) and the id of the request in the log."""

    user: str
    request_id: str


_LOCAL = Caller("local", "-")
caller: ContextVar[Caller] = ContextVar("caller", default=_LOCAL)


class AdmittedQuestion:
    """The outcome of a question that was admitted, for metrics and the log."""

    def __init__(self) -> None:
        self.outcome = "found"
        self.details: dict[str, Any] = {}

    def set_answer(self, answer: Answer) -> None:
        """Set the outcome to the answer's status, with details for the log."""
        self.outcome = answer.status
        self.details = {"mode": answer.mode, "index_id": answer.index_id, "citations": len(answer.citations)}
        if answer.warnings:
            self.details["warnings"] = len(answer.warnings)


class AdmissionControl:
    """Admits at most `max_questions` at a time, and `questions_per_minute` of each user. Thread-safe.

    `registry` holds the metrics.
    """

    def __init__(self, max_questions: int, questions_per_minute: int) -> None:
        self._max_questions = max_questions
        self._slots = threading.BoundedSemaphore(max_questions)
        self._rate = RateLimitItemPerMinute(questions_per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._finished = count(1)
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._questions = Counter(
            "casecite_questions", "Questions by outcome.", ["channel", "outcome"], registry=self.registry
        )
        self._refused = Counter(
            "casecite_refused", "Questions refused by a limit.", ["channel", "reason"], registry=self.registry
        )
        self._seconds = Histogram(
            "casecite_question_seconds",
            "Seconds from a question to its complete answer.",
            ["channel"],
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._open = Gauge("casecite_questions_in_progress", "Questions in progress.", registry=self.registry)

    @contextmanager
    def admit(self, channel: Channel) -> Iterator[AdmittedQuestion]:
        """Admit the current caller's question for the duration of the block.

        Raises:
            BusyError: too many questions are in progress, or this user has exceeded the rate limit.
        """
        self._check_limits(caller.get().user, channel)
        question, started = AdmittedQuestion(), time.perf_counter()
        try:
            with self._open.track_inprogress():
                yield question
        except (CancelledError, GeneratorExit):
            question.outcome = "stopped"
            raise
        except Exception as error:
            question.outcome = "error"
            question.details = {"error": type(error).__name__}
            raise
        finally:
            self._slots.release()
            self._record_outcome(channel, question, time.perf_counter() - started)

    def _check_limits(self, user: str, channel: Channel) -> None:
        """Take a slot for the question, or raise BusyError."""
        if not self._slots.acquire(blocking=False):
            self._count_refused(channel, "busy")
            raise BusyError(
                f"busy: {self._max_questions} questions are being answered", remedy="try again in a few seconds"
            )
        if not self._limiter.hit(self._rate, user):
            self._slots.release()
            self._count_refused(channel, "too often")
            wait = math.ceil(self._limiter.get_window_stats(self._rate, user).reset_time - time.time())
            raise BusyError(
                f"you have asked {self._rate.amount} times within a minute", remedy=f"try again in {max(wait, 1)} s"
            )

    def _count_refused(self, channel: Channel, reason: str) -> None:
        self._refused.labels(channel, reason).inc()
        _LOG.warning("question refused", extra={"channel": channel, "reason": reason})

    def _record_outcome(self, channel: Channel, question: AdmittedQuestion, seconds: float) -> None:
        self._questions.labels(channel, question.outcome).inc()
        self._seconds.labels(channel).observe(seconds)
        if next(self._finished) % QUESTIONS_PER_TRIM == 0:
            # glibc keeps freed memory in more and more fragments, since each question's arrays differ in size.
            with suppress(AttributeError, OSError):  # malloc_trim exists in glibc only
                ctypes.CDLL(None).malloc_trim(0)
        logged = {"channel": channel, "outcome": question.outcome, "ms": round(seconds * 1_000), **question.details}
        _LOG.info("question", extra=logged)
