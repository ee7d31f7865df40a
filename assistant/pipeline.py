"""One question on its way to an answer: all of it but waiting for a chat model, which a caller does in its own way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from assistant.answers import Answer, Mode, Status, warn_of_retracted
from assistant.clinical_text.advice import ADVICE_WARNING, asks_for_advice
from assistant.generation.chat_models import ChatModel, ChatModelError, ModelRequest
from assistant.generation.checked_stream import Drafting
from assistant.generation.prompting import read_condensed, request_answer, request_condensed
from assistant.generation.quotes import draft_list, draft_quotes
from assistant.reading.answerability import estimate_answerable, read_calibration
from assistant.reading.evidence import ReadRecord, gather_evidence, weigh_sentences
from assistant.reading.lists import gather_listed, select_listed
from assistant.reading.reader import load_reader
from assistant.redaction import redact
from assistant.retrieval.retrieve import Retrieved, retrieve
from assistant.types import Evidence, Turn
from assistant.verification.checker import CheckedDraft, DraftChecker
from index.search.snapshot import Snapshot
from index.types import Filters, Passage
from prompts import ABSTAIN_SENTENCE

ReadPassages = Callable[[str, tuple[Passage, ...]], Sequence[ReadRecord]]


class Inquiry:
    """A question and what became of it so far.

    Its steps, in this order: `request_condensed` and, if it asks something, `take_condensed` or `fail`; `search`;
    `read`; `request_draft` and, if it asks something, `feed` with each piece until `is_over`, or `fail`; `finish`.
    """

    def __init__(
        self,
        question: str,
        history: Sequence[Turn],
        filters: Filters | None,
        build: Snapshot,
        chat_model: ChatModel | None,
    ) -> None:
        """Take the question, checked, and what answers it."""
        self.question = question
        self._history, self._filters = tuple(history), filters
        self._build, self._chat_model = build, chat_model
        self._condensed: str | None = None
        self._failure: ChatModelError | None = None
        self._found: Retrieved
        self._evidence: tuple[Evidence, ...] = ()
        self._confidence = 0.0
        self._is_list = False
        self._drafting: Drafting | None = None
        self._clock = _Clock()

    def request_condensed(self) -> ModelRequest | None:
        """What the model is asked, so that a follow-up can be searched by itself."""
        if self._chat_model is None or not any(turn.role == "user" for turn in self._history):
            return None
        return request_condensed(self.question, self._history, self._chat_model)

    def take_condensed(self, text: str) -> None:
        """What the model made of the question; it counts if it is one and adds nothing."""
        self._condensed = read_condensed(text, self.question, self._history)
        self._clock.lap("condense")

    def search(self, top_k: int) -> Retrieved:
        """Find the passages whose records are to be read."""
        self._found = retrieve(self.question, self._history, self._build, top_k, self._filters, self._condensed)
        self._clock.lap("search")
        return self._found

    def read(self, read_passages: ReadPassages) -> None:
        """Read the records: the sentences that may answer, and whether they would."""
        found = self._found
        read = weigh_sentences(found.focus, read_passages(found.focus, tuple(found.passages)), self._build.term_weight)
        listed = select_listed(found.focus, read, self._build) if found.asks_for_list else []
        self._is_list = bool(listed)
        self._evidence = gather_listed(listed) if listed else gather_evidence(found.focus, read)
        self._confidence = estimate_answerable(found.query, read, self._build)
        self._clock.lap("reading")

    def request_draft(self) -> ModelRequest | None:
        """What the model is asked for an answer. Without evidence it is not asked, nor for a list, which is quoted."""
        if self._chat_model is None or self._is_list or not self._is_answerable:
            return None
        request: ModelRequest | None = None
        offered: tuple[Evidence, ...] = ()
        if self._failure is None:
            try:
                request, offered = request_answer(self._found.query, self._evidence, self._chat_model)
            except ChatModelError as error:
                self._failure = error
        self._drafting = Drafting(offered, load_reader())
        if self._failure is not None:
            self._drafting.fail(self._failure)
        return request

    def feed(self, piece: str) -> str | None:
        """Take a piece of the draft: the text so far, where there is more of it to show."""
        drafting = self._started_drafting
        shown = drafting.text
        if piece.strip():
            self._clock.mark("first_piece")
        drafting.feed(piece)
        if drafting.text == shown:
            return None
        self._clock.mark("first_text")
        return drafting.text

    def fail(self, error: ChatModelError) -> None:
        """The model failed; it is not asked again."""
        self._failure = error
        if self._drafting is not None:
            self._drafting.fail(error)

    @property
    def shown(self) -> str:
        """The text that was given out so far."""
        return self._drafting.text if self._drafting else ""

    @property
    def is_over(self) -> bool:
        """Whether no more of the draft is wanted."""
        return self._started_drafting.is_over

    def finish(self, settings_id: str) -> Answer:
        """The answer."""
        checked, mode, warnings = self._conclude()
        self._clock.lap("answer")
        self._clock.mark("total")
        return Answer(
            question=self.question,
            query=self._found.query,
            text=checked.text or ABSTAIN_SENTENCE,
            claims=checked.claims,
            citations=checked.citations,
            evidence=self._evidence,
            status=_status(checked, mode),
            confidence=self._confidence,
            mode=mode,
            model=self._chat_model.name if self._chat_model and mode == "generative" else None,
            index_id=self._build.manifest.build_id,
            settings_id=settings_id,
            timings_ms=self._clock.timings_ms,
            warnings=(
                *self._warn_of_advice(),
                *map(redact, self._found.warnings),
                *warnings,
                *warn_of_retracted(checked.citations),
            ),
        )

    def _warn_of_advice(self) -> tuple[str, ...]:
        return (ADVICE_WARNING,) if asks_for_advice(self.question) else ()

    def _conclude(self) -> tuple[CheckedDraft, Mode, tuple[str, ...]]:
        if not self._is_answerable:
            return CheckedDraft(), "extractive", ()
        quotes = draft_list(self._evidence) if self._is_list else draft_quotes(self._evidence)
        if self._drafting is not None:
            return self._drafting.finish(quotes, self._evidence)
        return DraftChecker(load_reader()).check(quotes, self._evidence), "extractive", ()

    @property
    def _is_answerable(self) -> bool:
        return bool(self._evidence) and (self._is_list or self._confidence >= read_calibration().threshold)

    @property
    def _started_drafting(self) -> Drafting:
        if self._drafting is None:
            raise RuntimeError("no draft was requested")
        return self._drafting


class _Clock:
    """Milliseconds: how long each step took, and when things first happened."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self.timings_ms: dict[str, float] = {}

    def lap(self, step: str) -> None:
        now = time.perf_counter()
        self.timings_ms[step] = round((now - self._last) * 1_000, 1)
        self._last = now

    def mark(self, name: str) -> None:
        self.timings_ms.setdefault(name, round((time.perf_counter() - self._started) * 1_000, 1))


def _status(checked: CheckedDraft, mode: Mode) -> Status:
    if not checked.citations:
        return "insufficient_evidence"
    # Quotes alone are a whole answer, whatever a model wrote before.
    is_whole = mode == "extractive" or all(claim.supported for claim in checked.claims)
    return "answered" if is_whole else "partial"
