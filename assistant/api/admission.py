"""Questions of many users: let in or refused at once, counted, timed and logged.

Nothing of what was asked or answered is logged or counted, since questions can tell of patients.
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

QUESTIONS_A_TRIM = 50
SECONDS_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 240)
_LOG = logging.getLogger(__name__)


class BusyError(CaseciteError):
    """More is asked than can be answered now; asked again a little later, it can be."""


class Caller(NamedTuple):
    """Who asks, by their login name or else their address, and the id of the request in the log."""

    user: str
    request_id: str


_NOBODY = Caller("local", "-")
caller: ContextVar[Caller] = ContextVar("caller", default=_NOBODY)


class Visit:
    """A question that was let in, and what became of it."""

    def __init__(self) -> None:
        """Begin without an outcome."""
        self.outcome = "found"
        self.details: dict[str, Any] = {}

    def take(self, answer: Answer) -> None:
        """Note what became of a question: it was answered, or it was said that the reports do not say."""
        self.outcome = answer.status
        self.details = {"mode": answer.mode, "index_id": answer.index_id, "citations": len(answer.citations)}
        if answer.warnings:
            self.details["warnings"] = len(answer.warnings)


class Traffic:
    """Lets questions in, as many at a time and as many a minute of each user as were set. Safe for threads."""

    def __init__(self, max_questions: int, questions_per_minute: int) -> None:
        """Take the limits; `registry` holds the metrics."""
        self._max_questions = max_questions
        self._slots = threading.BoundedSemaphore(max_questions)
        self._rate = RateLimitItemPerMinute(questions_per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._told = count(1)
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._questions = Counter(
            "casecite_questions", "Questions by what became of them.", ["channel", "outcome"], registry=self.registry
        )
        self._refused = Counter(
            "casecite_refused", "Questions that were not let in.", ["channel", "reason"], registry=self.registry
        )
        self._seconds = Histogram(
            "casecite_question_seconds",
            "Seconds from a question to its whole answer.",
            ["channel"],
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self._open = Gauge("casecite_questions_in_progress", "Questions being answered now.", registry=self.registry)

    @contextmanager
    def question(self, channel: Channel) -> Iterator[Visit]:
        """Let the caller's question in for the time of the block.

        Raises:
            BusyError: too many are being answered, or this user has asked too many of late.
        """
        self._let_in(caller.get().user, channel)
        visit, started = Visit(), time.perf_counter()
        try:
            with self._open.track_inprogress():
                yield visit
        except (CancelledError, GeneratorExit):
            visit.outcome = "stopped"
            raise
        except Exception as error:
            visit.outcome = "error"
            visit.details = {"error": type(error).__name__}
            raise
        finally:
            self._slots.release()
            self._tell(channel, visit, time.perf_counter() - started)

    def _let_in(self, user: str, channel: Channel) -> None:
        if not self._slots.acquire(blocking=False):
            self._refuse(channel, "busy")
            raise BusyError(
                f"busy: {self._max_questions} questions are being answered", remedy="try again in a few seconds"
            )
        if not self._limiter.hit(self._rate, user):
            self._slots.release()
            self._refuse(channel, "too often")
            wait = math.ceil(self._limiter.get_window_stats(self._rate, user).reset_time - time.time())
            raise BusyError(
                f"you have asked {self._rate.amount} times within a minute", remedy=f"try again in {max(wait, 1)} s"
            )

    def _refuse(self, channel: Channel, reason: str) -> None:
        self._refused.labels(channel, reason).inc()
        _LOG.warning("question refused", extra={"channel": channel, "reason": reason})

    def _tell(self, channel: Channel, visit: Visit, seconds: float) -> None:
        self._questions.labels(channel, visit.outcome).inc()
        self._seconds.labels(channel).observe(seconds)
        if next(self._told) % QUESTIONS_A_TRIM == 0:
            _give_back_memory()
        told = {"channel": channel, "outcome": visit.outcome, "ms": round(seconds * 1_000), **visit.details}
        _LOG.info("question", extra=told)


def _give_back_memory() -> None:
    """Return freed memory to the system: glibc keeps it, in ever more pieces, since each question's arrays differ."""
    with suppress(AttributeError, OSError):  # it is glibc's alone
        ctypes.CDLL(None).malloc_trim(0)
