"""A chat model that cannot be opened or fails says why in one line, with what to do; none can hold up an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from assistant.generation import chat_models
from assistant.generation.chat_models import (
    ChatModel,
    ChatModelError,
    ModelRequest,
    as_chat_model,
    count_tokens,
    open_chat_model,
    render_latest,
)
from assistant.types import Turn
from index.errors import WrongUseError
from tests.support.faulty_chat_server import (
    FaultyChatServer,
    breaks_off,
    hangs,
    never_ends,
    refuses,
    says,
    says_as_ollama,
)

REQUEST = ModelRequest("test", 1, [("user", "Say something.")])


def open_on(server: FaultyChatServer) -> ChatModel:
    return open_chat_model("openai:any", server.url)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param("gpt-5", "name it as provider:model", id="no provider"),
        pytest.param("nowhere:model", "cannot be opened", id="unknown provider"),
        pytest.param("mistralai:small", r"pip install 'casecite\[mistralai\]'", id="missing extra"),
        pytest.param("groq:llama", "langchain-groq", id="missing package without an extra"),
        pytest.param("openai:gpt-5", "needs a key .set OPENAI_API_KEY", id="missing key"),
        pytest.param("anthropic:claude", "needs a key .set ANTHROPIC_API_KEY", id="missing key of another"),
    ],
)
def test_a_chat_model_that_cannot_be_opened_says_why(spec: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MISTRAL_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    if spec.startswith("mistralai"):
        monkeypatch.setenv("MISTRAL_API_KEY", "none")
    with pytest.raises(WrongUseError, match=message) as caught:
        open_chat_model(spec)
    assert "\n" not in str(caught.value)


def test_ollama_is_told_its_window_and_how_much_to_write() -> None:
    opened = open_chat_model("ollama:qwen3:8b", window=16_384)
    assert opened.window == 16_384
    assert (opened.model.num_ctx, opened.model.num_predict) == (16_384, 4_096)
    assert opened.model.temperature == 0.0
    assert open_chat_model("ollama:qwen3:8b").window == 8_192


def test_windows_are_what_is_set_or_known_or_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    assert open_chat_model("openai:gpt-4.1").window > 100_000
    assert open_chat_model("openai:any", "http://127.0.0.1:9/v1").window == 4_096
    assert open_chat_model("openai:any", "http://127.0.0.1:9/v1", window=2_048).window == 2_048


def test_a_model_that_takes_no_temperature_is_given_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    assert open_chat_model("openai:gpt-5").model.temperature is None
    assert open_chat_model("openai:gpt-4.1").model.temperature == 0.0


@pytest.mark.fault(
    part="chat model",
    tried="its server is not there",
    happens="an error that says how to start it; answers are made of quotes",
)
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param("openai:any", "cannot be reached .start its server", id="openai"),
        pytest.param("ollama:qwen3:8b", "cannot be reached .start it with: ollama serve", id="ollama"),
    ],
)
def test_a_server_that_is_not_there(spec: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_models, "MAX_RETRIES", 0)
    opened = open_chat_model(spec, "http://127.0.0.1:9/v1")
    with pytest.raises(ChatModelError, match=message) as caught:
        next(opened.stream(REQUEST))
    assert "\n" not in str(caught.value)


@pytest.mark.fault(
    part="chat model",
    tried="it refuses the key, is not on its server, is asked too often, or fails",
    happens="an error that says which, and what to do",
)
@pytest.mark.parametrize(
    ("status", "message"),
    [
        pytest.param(401, "refuses the key .check OPENAI_API_KEY", id="key"),
        pytest.param(404, "is not on its server .check the name", id="model"),
        pytest.param(429, "asked too often", id="limit"),
        pytest.param(500, "failed", id="fault"),
    ],
)
def test_a_refusal_says_what_to_do(
    server: FaultyChatServer, status: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_models, "MAX_RETRIES", 0)
    server.behaviours = [refuses(status)]
    with pytest.raises(ChatModelError, match=message):
        next(open_on(server).stream(REQUEST))


def test_ollama_is_asked_in_its_own_way(server: FaultyChatServer) -> None:
    server.behaviours = [says_as_ollama("It ", "rose.")]
    opened = open_chat_model("ollama:qwen3:8b", server.url.removesuffix("/v1"))
    assert "".join(opened.stream(REQUEST)) == "It rose."
    (request,) = server.requests
    assert request["options"] == {"num_ctx": 8_192, "num_predict": 2_048, "temperature": 0.0}
    assert request["think"] is False


def test_a_model_that_is_not_pulled_is_named_with_the_command(server: FaultyChatServer) -> None:
    server.behaviours = [refuses(404, "model 'qwen3:8b' not found")]
    with pytest.raises(ChatModelError, match="ollama pull qwen3:8b"):
        next(open_chat_model("ollama:qwen3:8b", server.url.removesuffix("/v1")).stream(REQUEST))


def test_a_passing_fault_is_tried_again(server: FaultyChatServer) -> None:
    server.behaviours = [refuses(429), refuses(500), says("It ", "rose.")]
    assert "".join(open_on(server).stream(REQUEST)) == "It rose."
    assert len(server.requests) == 3


def test_what_it_is_asked_is_bounded_and_not_left_to_chance(server: FaultyChatServer) -> None:
    server.behaviours = [says("Yes.")]
    next(open_on(server).stream(REQUEST))
    (request,) = server.requests
    assert request["temperature"] == 0.0
    assert request["max_completion_tokens"] == 1_024


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        pytest.param(breaks_off("It rose"), "any (failed|cannot be reached)", id="connection cut"),
        pytest.param(never_ends("It rose. "), "does not come to an end", id="endless"),
        pytest.param(hangs(), "did not answer within", id="silent"),
    ],
)
def test_a_draft_that_goes_wrong_ends(
    server: FaultyChatServer, behaviour: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_models, "TIMEOUT_S", 1.0)
    monkeypatch.setattr(chat_models, "MAX_RETRIES", 0)
    server.behaviours = [behaviour]
    with pytest.raises(ChatModelError, match=message):
        list(open_on(server).stream(REQUEST))


@pytest.mark.fault(
    part="chat model",
    tried="it writes, but so slowly that it would take longer than four minutes",
    happens="it is given up, and the error says so; answers are made of quotes",
)
def test_a_slow_draft_ends(server: FaultyChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_models, "MAX_SECONDS", 0.5)
    server.behaviours = [never_ends("It ", pause_s=0.1)]
    with pytest.raises(ChatModelError, match="takes longer"):
        list(open_on(server).stream(REQUEST))


class _Deaf(GenericFakeChatModel):
    """A model that loses every cancellation, as `asyncio.wait_for` of Python 3.11 loses some."""

    async def _astream(self, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
            yield ChatGenerationChunk(message=AIMessageChunk(content="Well, "))


def test_a_cancelled_reader_ends_even_a_model_that_loses_the_cancellation() -> None:
    async def read() -> None:
        pieces: list[str] = []

        async def read_all() -> None:
            async for piece in as_chat_model(_Deaf(messages=iter(())), "test:deaf").astream(REQUEST):
                pieces.append(piece)

        reading = asyncio.ensure_future(read_all())
        while not pieces:
            await asyncio.sleep(0.01)
        reading.cancel()
        done, _ = await asyncio.wait((reading,), timeout=10)
        assert done
        assert reading.cancelled()

    asyncio.run(read())


def test_tokens_are_counted_without_a_tokenizer() -> None:
    assert 100 < count_tokens([("user", "nitrofurantoin " * 30)]) < 200


def test_only_the_latest_of_a_long_conversation_is_told() -> None:
    turns = [Turn(role="user", content=f"question {number} " + "word " * 20) for number in range(50)]
    told = render_latest(turns, max_tokens=200)
    assert "question 49" in told
    assert "question 40" not in told
    assert count_tokens([("user", told)]) <= 220
