"""The assistant as a LangChain retriever and Runnable.

`CaseReportRetriever` returns documents; `CaseReportChat` takes messages and returns one. Callbacks and tracers see
both, and the chat model that they call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, convert_to_messages
from langchain_core.messages.content import create_citation, create_text_block
from langchain_core.prompt_values import PromptValue
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import ConfigDict, Field

from assistant.answers import NOT_ADVICE, Answer, AnswerEvent
from assistant.assistant import Assistant
from assistant.references.text import with_marks
from assistant.types import Citation, Turn
from index.errors import WrongUseError
from index.types import Filters, Passage, Record


class CaseReportRetriever(BaseRetriever):
    """The passages of the `top_k` best records as documents, best first.

    A document's text is `abstract[start:end]`; its metadata are the record's data, `start`, `end`, `section`, `score`
    (higher is better) and `rank` (from 1).
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    assistant: Assistant
    top_k: int = Field(default=8, ge=1)
    filters: Filters | None = None

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [_as_document(passage) for passage in self.assistant.search(query, self.top_k, self.filters)]


class CaseReportChat(Runnable[LanguageModelInput, AIMessage]):
    """Answers the last message of a conversation like a chat model, from the records that pass `filters`.

    The message has one text block, the answer, annotated with LangChain citations (the cited sentence, its record's
    title and URL, and the part of the text that it supports). `additional_kwargs["documents"]` are the cited sentences
    as documents. `response_metadata` has status, confidence, mode, model, query, warnings, and the notice that it is
    not medical advice (not in the text, since that is passed back as history).
    """

    def __init__(self, assistant: Assistant, filters: Filters | None = None) -> None:
        self.assistant = assistant
        self.filters = filters

    def invoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **_: Any) -> AIMessage:
        """The answer to the last message.

        Raises:
            WrongUseError: the last message is not the user's, or is empty.
            NoIndexError: the index is missing or cannot be read.
        """
        return self._call_with_config(self._answer, input, config)

    async def ainvoke(self, input: LanguageModelInput, config: RunnableConfig | None = None, **_: Any) -> AIMessage:
        """`invoke` without blocking the event loop."""
        return await self._acall_with_config(self._aanswer, input, config)

    def stream(self, input: LanguageModelInput, config: RunnableConfig | None = None, **_: Any) -> Iterator[AIMessage]:
        """The verified text in chunks; the last chunk carries citations and metadata."""
        yield from self._transform_stream_with_config(iter([input]), self._chunks, config)

    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **_: Any
    ) -> AsyncIterator[AIMessage]:
        """`stream` without blocking the event loop."""

        async def inputs() -> AsyncIterator[LanguageModelInput]:
            yield input

        async for chunk in self._atransform_stream_with_config(inputs(), self._achunks, config):
            yield chunk

    def _answer(self, messages: LanguageModelInput) -> AIMessage:
        question, history = _as_question(messages)
        answer = self.assistant.ask(question, history, self.filters)
        return AIMessage(**_message_fields(answer, answer.text))

    async def _aanswer(self, messages: LanguageModelInput) -> AIMessage:
        question, history = _as_question(messages)
        answer = await self.assistant.aask(question, history, self.filters)
        return AIMessage(**_message_fields(answer, answer.text))

    def _chunks(self, inputs: Iterator[LanguageModelInput]) -> Iterator[AIMessage]:
        for messages in inputs:
            question, history = _as_question(messages)
            shown = ""
            for event in self.assistant.stream(question, history, self.filters):
                if chunk := _as_chunk(event, shown):
                    yield chunk
                shown = event.text or shown

    async def _achunks(self, inputs: AsyncIterator[LanguageModelInput]) -> AsyncIterator[AIMessage]:
        async for messages in inputs:
            question, history = _as_question(messages)
            shown = ""
            async for event in self.assistant.astream(question, history, self.filters):
                if chunk := _as_chunk(event, shown):
                    yield chunk
                shown = event.text or shown


def _as_question(messages: LanguageModelInput) -> tuple[str, list[Turn]]:
    """The last message as the question, earlier ones as the history without system messages."""
    if isinstance(messages, str):
        return messages, []
    given = messages.to_messages() if isinstance(messages, PromptValue) else convert_to_messages(messages)
    if not given or not isinstance(given[-1], HumanMessage):
        last = f"the last message is of type {given[-1].type!r}" if given else "there is no message"
        raise WrongUseError(last, remedy="end with the user's question, a HumanMessage")
    *before, asked = given
    return str(asked.text), [_as_turn(message) for message in before if isinstance(message, HumanMessage | AIMessage)]


def _as_turn(message: HumanMessage | AIMessage) -> Turn:
    """A message as a turn, with the records of the documents that `CaseReportChat` attached."""
    if isinstance(message, HumanMessage):
        return Turn(role="user", content=str(message.text))
    documents = message.additional_kwargs.get("documents", ())
    record_ids = dict.fromkeys(str(document.metadata["record_id"]) for document in documents)
    return Turn(role="assistant", content=str(message.text), record_ids=tuple(record_ids))


def _as_chunk(event: AnswerEvent, shown: str) -> AIMessageChunk | None:
    """The text that an event adds to `shown`; the last event adds citations and metadata."""
    if event.answer is not None:
        return AIMessageChunk(**_message_fields(event.answer, event.text[len(shown) :]))
    return AIMessageChunk(content=event.text[len(shown) :]) if event.text else None


def _message_fields(answer: Answer, text: str) -> dict[str, Any]:
    """The fields of a message with `text`, the answer or the end of it; citations are of the whole answer."""
    by_number = {citation.number: citation for citation in answer.citations}
    annotations, start = [], 0
    for line in answer.text.split("\n"):
        end = start + len(line)
        annotations += [
            create_citation(
                url=citation.url,
                title=with_marks(citation.record.name, citation.record),
                start_index=start,
                end_index=end,
                cited_text=citation.quote,
            )
            for number, citation in by_number.items()
            if f"[{number}]" in line
        ]
        start = end + 1
    return {
        "content": [create_text_block(text, annotations=list(annotations))],
        "additional_kwargs": {"documents": list(map(_as_cited_document, answer.citations))},
        "response_metadata": {
            "status": answer.status,
            "confidence": answer.confidence,
            "mode": answer.mode,
            "model_name": answer.model,
            "query": answer.query,
            "warnings": list(answer.warnings),
            "notice": NOT_ADVICE,
            "index_id": answer.index_id,
        },
    }


def _as_document(passage: Passage) -> Document:
    chunk = passage.chunk
    found = {"start": chunk.start, "end": chunk.end, "section": chunk.section, "field": "abstract"}
    ranked = {"score": passage.score, "rank": passage.rank, "stage": passage.stage}
    return Document(id=chunk.chunk_id, page_content=chunk.text, metadata=_record_data(passage.record) | found | ranked)


def _as_cited_document(citation: Citation) -> Document:
    cited = {"number": citation.number, "start": citation.start, "end": citation.end, "field": citation.field}
    return Document(page_content=citation.quote, metadata=_record_data(citation.record) | cited)


def _record_data(record: Record) -> dict[str, Any]:
    """The record's bibliographic data, without missing fields."""
    data = record.to_dict()
    return {
        key: value
        for key, value in data.items()
        if key not in ("abstract", "sections", "content_hash") and value is not None
    }
