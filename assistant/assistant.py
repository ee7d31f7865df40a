"""The assistant: a question in, a cited answer out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import aclosing, closing
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError

from assistant.answers import Answer, AnswerEvent
from assistant.cases import CaseTable, tabulate_cases
from assistant.generation.chat_models import (
    ChatModel,
    ChatModelError,
    as_chat_model,
    open_chat_model,
)
from assistant.pipeline import ModelCall, Pipeline, Resources, Signal, Step, answer_question
from assistant.reading.passages import PassageReader, rank_passages
from assistant.settings import AssistantSettings
from assistant.understanding.request import History, check_question, parse_history
from index.errors import WrongUseError
from index.search.search import Index, open_index
from index.types import Filters, Passage

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

CORES_PER_QUESTION = 2
MIN_PARALLEL_QUESTIONS = 2  # while one is searched, another is read


class Assistant:
    """Answers questions from one index. Safe to share between threads; close it, or use it in a `with`.

    `open` makes the parts. Assistants that differ only in their settings share `passage_reader` and `executor`, which
    runs search and reading for `astream`: they take all cores, so questions that come at once take turns.
    """

    def __init__(
        self,
        index: Index,
        settings: AssistantSettings,
        chat_model: ChatModel | None = None,
        *,
        passage_reader: PassageReader | None = None,
        executor: Executor | None = None,
    ) -> None:
        self.index = index
        self.settings = settings
        self.chat_model = chat_model
        self._passage_reader = passage_reader or PassageReader(settings.reranker)
        parallel = max(MIN_PARALLEL_QUESTIONS, (os.cpu_count() or 1) // CORES_PER_QUESTION)
        self._executor = executor or ThreadPoolExecutor(parallel, "casecite")

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
            raise WrongUseError(f"setting {field}: {first['msg']}", remedy="see docs/settings.md") from error
        if chosen.llm is None:
            chat_model = None
        elif llm is None or isinstance(llm, str):
            chat_model = open_chat_model(chosen.llm, chosen.llm_base_url, chosen.llm_window)
        else:
            chat_model = as_chat_model(llm, name, chosen.llm_window)
        return cls(open_index(index_dir), chosen, chat_model)

    def with_options(self, *, top_k: int, quotes_only: bool) -> Assistant:
        """This assistant with another number of records to read and, if only quotes are wanted, without its chat model.

        It shares the index and the reader, so it costs nothing and need not be closed.
        """
        changes = {"top_k": top_k} | ({"llm": None} if quotes_only else {})
        return Assistant(
            self.index,
            self.settings.model_copy(update=changes),
            None if quotes_only else self.chat_model,
            passage_reader=self._passage_reader,
            executor=self._executor,
        )

    def ask(self, question: str, history: History = (), filters: Filters | None = None) -> Answer:
        """Answer a question.

        Raises:
            WrongUseError: the question is empty or too long.
            NoIndexError: the index is gone or cannot be read.
        """
        (answer,) = (event.answer for event in self.stream(question, history, filters) if event.answer)
        return answer

    def stream(self, question: str, history: History = (), filters: Filters | None = None) -> Iterator[AnswerEvent]:
        """Answer a question in steps: what is going on, the text as far as it is verified, at last the answer.

        Text that was shown is never taken back. Closing the iterator ends the chat model's work.
        """
        pipeline = self._start(question, history, filters)
        step = next(pipeline)
        while isinstance(step, ModelCall | AnswerEvent):
            if isinstance(step, ModelCall):
                step = yield from _converse(pipeline, step)
            else:
                yield step
                step = next(pipeline, Signal.STOP)

    async def aask(self, question: str, history: History = (), filters: Filters | None = None) -> Answer:
        """`ask` without blocking the event loop."""
        (answer,) = [event.answer async for event in self.astream(question, history, filters) if event.answer]
        return answer

    async def astream(
        self, question: str, history: History = (), filters: Filters | None = None
    ) -> AsyncGenerator[AnswerEvent]:
        """`stream` without blocking the event loop. When its consumer is cancelled, so is the chat model's request."""
        loop = asyncio.get_running_loop()
        pipeline = await asyncio.to_thread(self._start, question, history, filters)
        step: Step = await loop.run_in_executor(self._executor, next, pipeline)
        while isinstance(step, ModelCall | AnswerEvent):
            if isinstance(step, AnswerEvent):
                yield step
                step = await loop.run_in_executor(self._executor, next, pipeline, Signal.STOP)
                continue
            resume: Callable[[], Step] = partial(pipeline.send, None)
            try:
                async with aclosing(step.chat_model.astream(step.request)) as pieces:
                    async for piece in pieces:
                        reply = await asyncio.to_thread(pipeline.send, piece)
                        if reply is Signal.STOP:
                            break
                        if isinstance(reply, AnswerEvent):
                            yield reply
            except ChatModelError as error:
                resume = partial(pipeline.throw, error)
            step = await loop.run_in_executor(self._executor, resume)

    def search(self, query: str, top_k: int = 10, filters: Filters | None = None) -> list[Passage]:
        """The `top_k` best records for a query, by one passage each, in the order in which the assistant ranks them.

        As many as an answer is made from are read and ranked by the reader; the rest follow as the search ranks them.

        Raises:
            WrongUseError: the query is empty or too long, or `top_k` is below 1.
            NoIndexError: the index is gone or cannot be read.
        """
        query = check_question(query)
        found = self.index.current().search(query, max(top_k, self.settings.top_k), filters)
        read = rank_passages(self._passage_reader.read(query, tuple(found[: self.settings.top_k])))
        rest = [
            replace(passage, score=read[-1].score * passage.score, rank=rank)  # below all that were read
            for rank, passage in enumerate(found[len(read) :], len(read) + 1)
        ]
        return [*read, *rest][:top_k]

    def tabulate(self, answer: Answer) -> CaseTable:
        """The case table of the records that an answer cites, in the order of first use; of a refusal, no rows."""
        return tabulate_cases(
            tuple(answer.cited_records), self._passage_reader.reader, answer.question, self.chat_model
        )

    def close(self) -> None:
        """Release the index."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self.index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _start(self, question: str, history: History, filters: Filters | None) -> Pipeline:
        resources = Resources(
            snapshot=self.index.current(),
            reader=self._passage_reader.reader,
            read_passages=self._passage_reader.read,
            chat_model=self.chat_model,
            top_k=self.settings.top_k,
            settings_id=self.settings.settings_id,
        )
        return answer_question(check_question(question), parse_history(history), filters, resources)


def _converse(pipeline: Pipeline, call: ModelCall) -> Generator[AnswerEvent, None, Step]:
    """Send the pipeline what the chat model writes, show what it replies, and return its next step."""
    try:
        with closing(call.chat_model.stream(call.request)) as pieces:
            for piece in pieces:
                reply = pipeline.send(piece)
                if reply is Signal.STOP:
                    break
                if isinstance(reply, AnswerEvent):
                    yield reply
    except ChatModelError as error:
        return pipeline.throw(error)
    return pipeline.send(None)


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
