"""The assistant: a question in, a cited answer out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError

from assistant.condense import check_question, read_history
from assistant.evidence import ReadRecord, gather_evidence, rank_passages, read_passages
from assistant.extractive import draft_list, draft_quotes
from assistant.gate import estimate_answerable, read_calibration
from assistant.generative import ChatModelError, open_chat_model, write_draft
from assistant.listing import gather_listed, select_listed
from assistant.reader import load_reader
from assistant.reranking import load_reranker
from assistant.retrieval import retrieve
from assistant.settings import AssistantSettings
from assistant.types import Answer, AnswerEvent, Evidence, Mode, Status, Turn
from assistant.verify import CheckedDraft, DraftClaim, check_draft, parse_draft
from assistant.weighing import weigh_sentences
from index.errors import WrongUseError
from index.search import Index, open_index
from index.types import Filters, Passage
from prompts import ABSTAIN_SENTENCE

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

History = Iterable[Turn | Mapping[str, Any]]

MODEL_EVIDENCE = 12
READINGS_KEPT = 128
_NOTHING = CheckedDraft(text=ABSTAIN_SENTENCE, claims=(), citations=())


class Assistant:
    """Answers questions from one index. Safe to share between threads; close it, or use it in a `with`."""

    def __init__(self, index: Index, settings: AssistantSettings, model: BaseChatModel | None = None) -> None:
        """Take the finished parts; `open` makes them."""
        self.index = index
        self.settings = settings
        self._model = model
        # The slow part of an answer; asked again of the same records, it is the same.
        self._read = lru_cache(maxsize=READINGS_KEPT)(self._read_passages)

    @classmethod
    def open(cls, index_dir: str | Path | None = None, llm: str | None = None, **settings: Any) -> Self:
        """Open the assistant on an index, with a chat model (`provider:model`) if one is named or set.

        Raises:
            NoIndexError: there is no index, or it cannot be read.
            WrongUseError: a setting is unknown or out of range, or the chat model cannot be opened.
        """
        try:
            chosen = AssistantSettings(**(settings | ({"llm": llm} if llm else {})))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = ".".join(map(str, first["loc"]))
            raise WrongUseError(f"setting {name}: {first['msg']}", remedy="the README lists the settings") from error
        model = open_chat_model(chosen.llm, chosen.llm_base_url) if chosen.llm else None
        return cls(open_index(index_dir), chosen, model)

    def ask(self, question: str, history: History = (), filters: Filters | None = None) -> Answer:
        """Answer a question.

        Raises:
            WrongUseError: the question is empty or too long.
            NoIndexError: the index is gone or cannot be read.
        """
        (answer,) = (event.answer for event in self.stream(question, history, filters) if event.answer)
        return answer

    def stream(self, question: str, history: History = (), filters: Filters | None = None) -> Iterator[AnswerEvent]:
        """Answer a question in steps: what is going on, the text as far as it is checked, at last the answer."""
        started = time.perf_counter()
        timings: dict[str, float] = {}
        question = check_question(question)
        turns = read_history(history)
        build = self.index.current()
        yield AnswerEvent(step="searching")
        with _timed(timings, "search"):
            found = retrieve(question, turns, build, self.settings.top_k, filters)
        yield AnswerEvent(step=f"reading {len(found.passages)} records")
        with _timed(timings, "reading"):
            read = weigh_sentences(found.focus, self._read(found.focus, tuple(found.passages)), build.term_weight)
            listed = select_listed(found.focus, read, build) if found.asks_for_list else []
            evidence = gather_listed(listed) if listed else gather_evidence(found.focus, read)
            confidence = estimate_answerable(found.query, read, build)
        with _timed(timings, "answer"):
            if evidence and (listed or confidence >= read_calibration().threshold):
                quotes = draft_list(evidence) if listed else draft_quotes(evidence)
                checked, mode, warnings = self._write(found.query, evidence, quotes)
            else:
                checked, mode, warnings = _NOTHING, self._mode, ()
        for end in (position for position, letter in enumerate(checked.text) if letter == "\n"):
            yield AnswerEvent(step="answering", text=checked.text[:end])
        timings["total"] = round((time.perf_counter() - started) * 1_000, 1)
        answer = Answer(
            question=question,
            query=found.query,
            text=checked.text,
            claims=checked.claims,
            citations=checked.citations,
            evidence=evidence,
            status=_status(checked),
            confidence=confidence,
            mode=mode,
            model=self.settings.llm if mode == "generative" else None,
            index_id=build.manifest.build_id,
            settings_id=self.settings.settings_id,
            timings_ms=timings,
            warnings=warnings,
        )
        yield AnswerEvent(step="done", text=answer.text, answer=answer)

    def search(self, query: str, top_k: int = 10, filters: Filters | None = None) -> list[Passage]:
        """The `top_k` best records for a query, by one passage each, in the order in which the assistant ranks them.

        As many as an answer would be made from are read and ranked by the reader; the rest follow as searched.
        """
        build = self.index.current()
        found = build.search(query, max(top_k, self.settings.top_k), filters)
        read = rank_passages(self._read(query, tuple(found[: self.settings.top_k])))
        rest = [
            replace(passage, score=read[-1].score * passage.score, rank=rank)  # below all that were read
            for rank, passage in enumerate(found[len(read) :], len(read) + 1)
        ]
        return [*read, *rest][:top_k]

    async def aask(self, question: str, history: History = (), filters: Filters | None = None) -> Answer:
        """`ask` without blocking the event loop."""
        return await asyncio.to_thread(self.ask, question, history, filters)

    async def astream(
        self, question: str, history: History = (), filters: Filters | None = None
    ) -> AsyncIterator[AnswerEvent]:
        """`stream` without blocking the event loop."""
        events = self.stream(question, history, filters)
        while (event := await asyncio.to_thread(next, events, None)) is not None:
            yield event

    def close(self) -> None:
        """Let go of the index."""
        self.index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def _mode(self) -> Mode:
        return "generative" if self._model is not None else "extractive"

    def _read_passages(self, query: str, passages: tuple[Passage, ...]) -> tuple[ReadRecord, ...]:
        reranker = load_reranker(self.settings.reranker) if self.settings.reranker else None
        return tuple(read_passages(query, passages, load_reader(), reranker))

    def _write(
        self, query: str, evidence: Sequence[Evidence], quotes: Sequence[DraftClaim]
    ) -> tuple[CheckedDraft, Mode, tuple[str, ...]]:
        """The checked answer of the chat model, or the quotes where there is none or its draft does not hold."""
        warnings: tuple[str, ...] = ()
        if self._model is not None:
            try:
                draft = write_draft(self._model, query, evidence[:MODEL_EVIDENCE])
            except ChatModelError as error:
                warnings = (f"{error}; the answer is made of quotes instead",)
            else:
                if draft is None:
                    return _NOTHING, "generative", ()
                checked = check_draft(parse_draft(draft), evidence[:MODEL_EVIDENCE])
                if checked.citations:
                    return checked, "generative", ()
                warnings = (
                    "nothing that the chat model wrote was in the records; the answer is made of quotes instead",
                )
        return check_draft(quotes, evidence), "extractive", warnings


def answer(question: str) -> Answer:
    """Answer a question from the default index, which is opened once.

    Raises:
        NoIndexError: there is no index, or it cannot be read.
        WrongUseError: the question is empty or too long.
    """
    return _default_assistant().ask(question)


@lru_cache(maxsize=1)
def _default_assistant() -> Assistant:
    return Assistant.open()


def _status(checked: CheckedDraft) -> Status:
    if not checked.citations:
        return "insufficient_evidence"
    return "answered" if all(claim.supported for claim in checked.claims) else "partial"


@contextmanager
def _timed(timings: dict[str, float], name: str) -> Iterator[None]:
    """Write down how many milliseconds a block took."""
    started = time.perf_counter()
    yield
    timings[name] = round((time.perf_counter() - started) * 1_000, 1)
