"""The path of one question: understand, retrieve, read, draft, verify.

`answer_question` is a generator that waits for nothing itself. It yields the events of the answer and the requests to a
chat model; its driver (`Assistant.stream` or `Assistant.astream`) asks the model and sends back what it writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from assistant.answers import Answer, AnswerEvent, Mode, Status, warn_of_retracted
from assistant.clinical_text.advice import ADVICE_WARNING, asks_for_advice
from assistant.generation.chat_models import ChatModel, ChatModelError, ModelRequest
from assistant.generation.checked_stream import CheckedStream
from assistant.generation.prompting import parse_condensed, request_answer, request_condensed
from assistant.generation.quotes import draft_list, draft_quotes
from assistant.reading.answerability import estimate_answerable, load_calibration
from assistant.reading.evidence import gather_evidence, score_sentences
from assistant.reading.lists import gather_listed, select_listed
from assistant.reading.passages import ReadRecord
from assistant.reading.reader import Reader
from assistant.redaction import redact
from assistant.retrieval.retrieve import retrieve
from assistant.types import Evidence, Turn
from assistant.understanding.request import Request, understand
from assistant.verification.checker import CheckedDraft, DraftChecker
from index.search.snapshot import Snapshot
from index.types import Filters, Passage
from prompts import ABSTAIN_SENTENCE


class Signal(Enum):
    """The reply to a piece of a chat model's text where there is no event to show."""

    CONTINUE = "continue"
    STOP = "stop"


class ModelCall(NamedTuple):
    """A request to the chat model, which the driver of the pipeline makes."""

    chat_model: ChatModel
    request: ModelRequest


Step = AnswerEvent | ModelCall | Signal
Pipeline = Generator[Step, str | None, None]
"""Events, the last of which has the answer, and calls of the chat model.

After a call, the driver sends the model's text piece by piece; each is answered by an event or a signal. It sends
None when there is no more text, or at `Signal.STOP`; if the model fails, it throws in the `ChatModelError`.
"""

ReadPassages = Callable[[str, tuple[Passage, ...]], Sequence[ReadRecord]]
"""Reads the records of passages for a question, the likeliest to answer first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a question is answered with: one state of the index, the reader, the chat model if any, settings."""

    snapshot: Snapshot
    reader: Reader
    read_passages: ReadPassages
    chat_model: ChatModel | None
    top_k: int
    settings_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What reading found: the evidence, best first, and the probability that it answers the question."""

    evidence: tuple[Evidence, ...]
    is_list: bool
    confidence: float

    @property
    def is_answerable(self) -> bool:
        """Whether there is an answer to give. A list is judged record by record, so its confidence does not count."""
        return bool(self.evidence) and (self.is_list or self.confidence >= load_calibration().threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A verified draft: what wrote it, what the user should be warned of, and the text that was streamed already."""

    checked: CheckedDraft
    mode: Mode = "extractive"
    warnings: tuple[str, ...] = ()
    streamed: str = ""

    @property
    def status(self) -> Status:
        """Quotes are a whole answer; of a chat model's text, only if no statement was left out."""
        if not self.checked.citations:
            return "insufficient_evidence"
        is_whole = self.mode == "extractive" or all(claim.supported for claim in self.checked.claims)
        return "answered" if is_whole else "partial"


class Timings:
    """Milliseconds of each step, and of first occurrences since the question."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self.milliseconds: dict[str, float] = {}

    def end_step(self, name: str) -> None:
        """Record the time since the previous step ended."""
        now = time.perf_counter()
        self.milliseconds[name] = round((now - self._last) * 1_000, 1)
        self._last = now

    def mark_first(self, name: str) -> None:
        """Record the time since the question, unless it is recorded already."""
        self.milliseconds.setdefault(name, round((time.perf_counter() - self._started) * 1_000, 1))


def answer_question(question: str, history: Sequence[Turn], filters: Filters | None, resources: Resources) -> Pipeline:
    """Answer a question that was checked and cleaned.

    Raises:
        NoIndexError: the index cannot be read any more.
    """
    timings = Timings()
    condensed, failure = yield from _condense(question, history, resources.chat_model, timings)
    yield AnswerEvent(step="searching")
    request = understand(question, history, resources.snapshot, filters, condensed)
    found = retrieve(request, resources.snapshot, resources.top_k, filters)
    timings.end_step("search")
    findings = _read(request, tuple(found.passages), resources)
    timings.end_step("reading")
    read = f"{len(found.passages)} records read"
    yield AnswerEvent(step=read if request.query == question else f"{read} for “{request.query}”")
    draft = yield from _draft(request, findings, resources, failure, timings)
    timings.end_step("answer")
    timings.mark_first("total")
    answer = _assemble(request, findings, draft, resources, timings, found.warnings)
    for end in (place for place, letter in enumerate(answer.text) if letter == "\n" and place > len(draft.streamed)):
        yield AnswerEvent(step="answering", text=answer.text[:end])
    yield AnswerEvent(step="done", text=answer.text, answer=answer)


def _condense(
    question: str, history: Sequence[Turn], chat_model: ChatModel | None, timings: Timings
) -> Generator[Step, str | None, tuple[str | None, ChatModelError | None]]:
    """The question as a chat model rewrote it to stand alone, and the error if the model failed."""
    if chat_model is None or not any(turn.role == "user" for turn in history):
        return None, None
    yield AnswerEvent(step="reading the conversation")
    try:
        pieces = []
        piece = yield ModelCall(chat_model, request_condensed(question, history, chat_model))
        while piece is not None:
            pieces.append(piece)
            piece = yield Signal.CONTINUE
    except ChatModelError as error:
        return None, error
    timings.end_step("condense")
    return parse_condensed("".join(pieces), question, history), None


def _read(request: Request, passages: tuple[Passage, ...], resources: Resources) -> Findings:
    weights = resources.snapshot.weigh_terms(request.focus)
    read = score_sentences(request.focus, resources.read_passages(request.focus, passages), weights)
    listed = select_listed(request.focus, weights, read) if request.kind == "list" else []
    return Findings(
        evidence=gather_listed(listed) if listed else gather_evidence(request.focus, read),
        is_list=bool(listed),
        confidence=estimate_answerable(request.query, read, resources.snapshot),
    )


def _draft(
    request: Request, findings: Findings, resources: Resources, failure: ChatModelError | None, timings: Timings
) -> Generator[Step, str | None, Draft]:
    """The answer's text: quotes, or what a chat model writes. A list is always quoted."""
    if not findings.is_answerable:
        return Draft(checked=CheckedDraft())
    quotes = draft_list(findings.evidence) if findings.is_list else draft_quotes(findings.evidence)
    if resources.chat_model is None or findings.is_list:
        return Draft(checked=DraftChecker(resources.reader).check(quotes, findings.evidence))
    if failure is not None:
        stream = CheckedStream((), resources.reader, failure)
    else:
        stream = yield from _generate(request.query, findings.evidence, resources.chat_model, resources.reader, timings)
    streamed = stream.text
    checked, mode, warnings = stream.finish(quotes, findings.evidence)
    return Draft(checked=checked, mode=mode, warnings=warnings, streamed=streamed)


def _generate(
    query: str, evidence: Sequence[Evidence], chat_model: ChatModel, reader: Reader, timings: Timings
) -> Generator[Step, str | None, CheckedStream]:
    """Have the chat model write, verify what it writes meanwhile, and show what is supported."""
    try:
        request, offered = request_answer(query, evidence, chat_model)
    except ChatModelError as error:
        return CheckedStream((), reader, error)
    stream = CheckedStream(offered, reader)
    yield AnswerEvent(step=f"{chat_model.name} is writing")
    try:
        piece = yield ModelCall(chat_model, request)
        while piece is not None:
            if piece.strip():
                timings.mark_first("first_piece")
            shown = stream.text
            stream.feed(piece)
            if stream.is_over:
                piece = yield Signal.STOP
            elif stream.text == shown:
                piece = yield Signal.CONTINUE
            else:
                timings.mark_first("first_text")
                piece = yield AnswerEvent(step="answering", text=stream.text)
    except ChatModelError as error:
        stream.fail(error)
    return stream


def _assemble(
    request: Request,
    findings: Findings,
    draft: Draft,
    resources: Resources,
    timings: Timings,
    search_warnings: tuple[str, ...],
) -> Answer:
    model = resources.chat_model
    return Answer(
        question=request.question,
        kind="list" if findings.is_list else "fact",
        query=request.query,
        text=draft.checked.text or ABSTAIN_SENTENCE,
        claims=draft.checked.claims,
        citations=draft.checked.citations,
        evidence=findings.evidence,
        status=draft.status,
        confidence=findings.confidence,
        mode=draft.mode,
        model=model.name if model and draft.mode == "generative" else None,
        index_id=resources.snapshot.manifest.build_id,
        settings_id=resources.settings_id,
        timings_ms=timings.milliseconds,
        warnings=(
            *((ADVICE_WARNING,) if asks_for_advice(request.question) else ()),
            *map(redact, search_warnings),
            *draft.warnings,
            *warn_of_retracted(draft.checked.citations),
        ),
    )
