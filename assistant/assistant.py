"""The assistant: a question in, a cited answer out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError

from assistant.answers import Answer, AnswerEvent
from assistant.cases import CaseTable, tabulate_cases
from assistant.generation.chat_models import ChatModel, ChatModelError, as_chat_model, open_chat_model
from assistant.pipeline import Inquiry
from assistant.reading.cross_encoder import load_reranker
from assistant.reading.evidence import ReadRecord, rank_passages, read_passages
from assistant.reading.reader import load_reader
from assistant.retrieval.retrieve import Retrieved
from assistant.settings import AssistantSettings
from assistant.types import Turn
from assistant.understanding.query_rewriting import check_question, read_history
from index.errors import WrongUseError
from index.search.search import Index, open_index
from index.types import Filters, Passage

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

History = Iterable[Turn | Mapping[str, Any]]

READINGS_KEPT = 128
CORES_A_QUESTION = 2
QUESTIONS_AT_A_TIME = 2  # at least: while one is searched, another is read


class Assistant:
    """Answers questions from one index. Safe to share between threads; close it, or use it in a `with`."""

    def __init__(self, index: Index, settings: AssistantSettings, chat_model: ChatModel | None = None) -> None:
        """Take the finished parts; `open` makes them."""
        self.index = index
        self.settings = settings
        self.chat_model = chat_model
        # The slow part of an answer; asked again of the same records, it is the same.
        self._read = lru_cache(maxsize=READINGS_KEPT)(self._read_passages)
        # Finding takes all cores. Questions that come at once take turns, so that the first need not wait for the last.
        at_a_time = max(QUESTIONS_AT_A_TIME, (os.cpu_count() or 1) // CORES_A_QUESTION)
        self._turns = ThreadPoolExecutor(at_a_time, "casecite")

    @classmethod
    def open(cls, index_dir: str | Path | None = None, llm: str | BaseChatModel | None = None, **settings: Any) -> Self:
        """Open the assistant on an index, with a chat model if one is given or set.

        `llm` is `provider:model`, or a chat model of LangChain's own that is open already.

        Raises:
            NoIndexError: there is no index, or it cannot be read.
            WrongUseError: a setting is unknown or out of range, or the chat model cannot be opened.
        """
        name = llm if isinstance(llm, str) else f"langchain:{type(llm).__name__}"
        try:
            chosen = AssistantSettings(**(settings | ({"llm": name} if llm else {})))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(map(str, first["loc"]))
            raise WrongUseError(f"setting {field}: {first['msg']}", remedy="the README lists the settings") from error
        if chosen.llm is None:
            chat_model = None
        elif llm is None or isinstance(llm, str):
            chat_model = open_chat_model(chosen.llm, chosen.llm_base_url, chosen.llm_window)
        else:
            chat_model = as_chat_model(llm, name, chosen.llm_window)
        return cls(open_index(index_dir), chosen, chat_model)

    def adapted(self, *, top_k: int, quotes_only: bool) -> Assistant:
        """This assistant with another number of records to read and, where only quotes are wanted, without its model.

        The index and what was read of it are shared, so it costs nothing and needs no closing.
        """
        changes = {"top_k": top_k} | ({"llm": None} if quotes_only else {})
        other = Assistant(
            self.index, self.settings.model_copy(update=changes), None if quotes_only else self.chat_model
        )
        other._read, other._turns = self._read, self._turns
        return other

    def ask(self, question: str, history: History = (), filters: Filters | None = None) -> Answer:
        """Answer a question.

        Raises:
            WrongUseError: the question is empty or too long.
            NoIndexError: the index is gone or cannot be read.
        """
        (answer,) = (event.answer for event in self.stream(question, history, filters) if event.answer)
        return answer

    def stream(self, question: str, history: History = (), filters: Filters | None = None) -> Iterator[AnswerEvent]:
        """Answer a question in steps: what is going on, the text as far as it is checked, at last the answer.

        What was shown of an answer is never taken back. Closing the iterator ends the chat model's work.
        """
        inquiry = self._inquire(question, history, filters)
        if self.chat_model and (request := inquiry.request_condensed()):
            yield AnswerEvent(step="reading the conversation")
            try:
                inquiry.take_condensed("".join(self.chat_model.stream(request)))
            except ChatModelError as error:
                inquiry.fail(error)
        yield AnswerEvent(step="searching")
        yield AnswerEvent(step=self._find(inquiry).describe(inquiry.question))
        if self.chat_model and (request := inquiry.request_draft()):
            yield AnswerEvent(step=f"{self.chat_model.name} is writing")
            try:
                with closing(self.chat_model.stream(request)) as pieces:
                    for piece in pieces:
                        if text := inquiry.feed(piece):
                            yield AnswerEvent(step="answering", text=text)
                        if inquiry.is_over:
                            break
            except ChatModelError as error:
                inquiry.fail(error)
        yield from _conclude(inquiry, self.settings)

    async def aask(self, question: str, history: History = (), filters: Filters | None = None) -> Answer:
        """`ask` without blocking the event loop."""
        (answer,) = [event.answer async for event in self.astream(question, history, filters) if event.answer]
        return answer

    async def astream(
        self, question: str, history: History = (), filters: Filters | None = None
    ) -> AsyncGenerator[AnswerEvent]:
        """`stream` without blocking the event loop. When its reader is cancelled, so is the chat model's request."""
        inquiry = await asyncio.to_thread(self._inquire, question, history, filters)
        if self.chat_model and (request := inquiry.request_condensed()):
            yield AnswerEvent(step="reading the conversation")
            try:
                inquiry.take_condensed("".join([piece async for piece in self.chat_model.astream(request)]))
            except ChatModelError as error:
                inquiry.fail(error)
        yield AnswerEvent(step="searching")
        found = await asyncio.get_running_loop().run_in_executor(self._turns, self._find, inquiry)
        yield AnswerEvent(step=found.describe(inquiry.question))
        if self.chat_model and (request := inquiry.request_draft()):
            yield AnswerEvent(step=f"{self.chat_model.name} is writing")
            try:
                async with aclosing(self.chat_model.astream(request)) as pieces:
                    async for piece in pieces:
                        if text := await asyncio.to_thread(inquiry.feed, piece):
                            yield AnswerEvent(step="answering", text=text)
                        if inquiry.is_over:
                            break
            except ChatModelError as error:
                inquiry.fail(error)
        for event in await asyncio.to_thread(list, _conclude(inquiry, self.settings)):
            yield event

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

    def tabulate(self, answer: Answer) -> CaseTable:
        """The records that an answer cites side by side, in the order of first use; of a refusal, no rows."""
        records = {citation.record.record_id: citation.record for citation in answer.citations}
        return tabulate_cases(tuple(records.values()), load_reader(), answer.question, self.chat_model)

    def close(self) -> None:
        """Let go of the index."""
        self._turns.shutdown(wait=False, cancel_futures=True)
        self.index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _inquire(self, question: str, history: History, filters: Filters | None) -> Inquiry:
        return Inquiry(check_question(question), read_history(history), filters, self.index.current(), self.chat_model)

    def _find(self, inquiry: Inquiry) -> Retrieved:
        found = inquiry.search(self.settings.top_k)
        inquiry.read(self._read)
        return found

    def _read_passages(self, query: str, passages: tuple[Passage, ...]) -> tuple[ReadRecord, ...]:
        reranker = load_reranker(self.settings.reranker) if self.settings.reranker else None
        return tuple(read_passages(query, passages, load_reader(), reranker))


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


def _conclude(inquiry: Inquiry, settings: AssistantSettings) -> Iterator[AnswerEvent]:
    """What is not shown yet of the answer line by line, then the whole."""
    shown = len(inquiry.shown)
    answer = inquiry.finish(settings.settings_id)
    for end in (position for position, letter in enumerate(answer.text) if letter == "\n" and position > shown):
        yield AnswerEvent(step="answering", text=answer.text[:end])
    yield AnswerEvent(step="done", text=answer.text, answer=answer)
