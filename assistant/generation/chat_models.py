"""Chat models through LangChain: opened from `provider:model`, limited in tokens and time, failures with a remedy."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from assistant.redaction import redact
from assistant.types import Turn
from index.errors import CaseciteError, WrongUseError, first_line
from index.text.cleaning import clean_text

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessageChunk
    from langchain_core.runnables import RunnableConfig

# Between two pieces of an answer, and for a whole one.
TIMEOUT_S = 120.0
MAX_SECONDS = 240.0
MAX_RETRIES = 2
# If the window is not known: llama.cpp, LM Studio and vLLM are often started with no more.
DEFAULT_WINDOW = 4_096
# Ollama silently truncates a prompt at 2,048 or 4,096 tokens unless it is told otherwise.
OLLAMA_WINDOW = 8_192
# The answer gets at most this share of the window, and this many tokens: a reasoning model needs many.
ANSWER_SHARE = 0.25
MAX_ANSWER_TOKENS = 4_096
MAX_ANSWER_CHARS = 20_000
# Fewer than the usual four of prose: drug names and numbers are split into many tokens.
CHARS_PER_TOKEN = 3.0

# What providers call an answer that was cut off at the token limit.
_CUT = frozenset({"length", "max_tokens", "MAX_TOKENS"})

Messages = Sequence[tuple[str, str]]

# Providers that casecite has an extra for; these need a key, in one of these variables.
_KEYS = {
    "anthropic": ("ANTHROPIC_API_KEY",),
    "mistralai": ("MISTRAL_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
}
_EXTRAS = {*_KEYS, "ollama"}


class ChatModelError(CaseciteError):
    """The chat model failed; the answer is then made of quotes."""


class ModelRequest(NamedTuple):
    """What a model is asked: (role, text) pairs, and the prompt that they come from, for traces."""

    prompt: str
    version: int
    messages: Messages

    @property
    def config(self) -> RunnableConfig:
        """How LangChain's tracers name the request."""
        return {"run_name": f"casecite {self.prompt}", "metadata": {"prompt_version": self.version}}


class ChatModel(NamedTuple):
    """An open chat model: its name as given, LangChain's model, and its context window in tokens."""

    name: str
    model: BaseChatModel
    window: int

    @property
    def max_answer_tokens(self) -> int:
        """How many tokens of the window are reserved for the answer."""
        return _answer_tokens(self.window)

    @property
    def max_prompt_tokens(self) -> int:
        """How many tokens a prompt may have."""
        return self.window - self.max_answer_tokens

    def stream(self, request: ModelRequest) -> Generator[str]:
        """What the model writes, piece by piece. Closing the iterator ends the model's work.

        Raises:
            ChatModelError: it cannot be reached, breaks off, takes too long or does not stop.
        """
        limits = _Limits(self)
        try:
            for chunk in self.model.stream(request.messages, request.config):
                yield limits.check(chunk)
        except ChatModelError:
            raise
        except Exception as error:  # each provider has exceptions of its own
            raise explain_failure(error, self.name) from error

    async def astream(self, request: ModelRequest) -> AsyncGenerator[str]:
        """`stream` without blocking the event loop; cancelling the consumer cancels the model's request."""
        limits = _Limits(self)
        try:
            written = cast("AsyncGenerator[AIMessageChunk]", self.model.astream(request.messages, request.config))
            async with aclosing(written) as chunks:
                async for chunk in chunks:
                    _raise_if_cancelled()
                    yield limits.check(chunk)
        except ChatModelError:
            raise
        except Exception as error:  # each provider has exceptions of its own
            raise explain_failure(error, self.name) from error


def _raise_if_cancelled() -> None:
    """End a task whose cancellation was lost: `asyncio.wait_for` of Python 3.11 loses some."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class _Limits:
    """Ends an answer that is too long or takes too long."""

    def __init__(self, chat_model: ChatModel) -> None:
        self._name = chat_model.name
        self._started = time.monotonic()
        self._chars = 0

    def check(self, chunk: AIMessageChunk) -> str:
        piece = str(chunk.text)
        self._chars += len(piece)
        is_cut = not _CUT.isdisjoint(map(str, chunk.response_metadata.values()))
        if is_cut or self._chars > MAX_ANSWER_CHARS:
            raise ChatModelError(
                f"the chat model {self._name} does not come to an end", remedy="try another CASECITE_LLM"
            )
        if time.monotonic() - self._started > MAX_SECONDS:
            raise ChatModelError(
                f"the chat model {self._name} takes longer than {MAX_SECONDS:.0f} s",
                remedy="try a smaller model, or a faster machine",
            )
        return piece


def open_chat_model(spec: str, base_url: str | None = None, window: int | None = None) -> ChatModel:
    """The chat model of `provider:model`, at `base_url` if it is on a server of one's own.

    `window` is how many tokens it can take, prompt and answer together; where it is not given, what LangChain knows of
    the model counts, and 4,096 (Ollama: 8,192, and Ollama is told so) where it knows nothing.

    Raises:
        WrongUseError: the name has another form, the provider's package or key is missing, or it refuses the settings.
    """
    from langchain.chat_models import init_chat_model

    provider, colon, name = spec.partition(":")
    if not (provider and colon and name):
        raise WrongUseError(f"no chat model {spec!r}", remedy="name it as provider:model, such as ollama:qwen3:8b")
    _check_key(spec, provider, base_url)
    try:
        model: BaseChatModel = init_chat_model(spec, **_options(provider, base_url, window))
    except ImportError as error:
        extra = f"pip install 'casecite[{provider.replace('_', '-')}]'"
        remedy = extra if provider in _EXTRAS else _safe_reason(error)
        raise WrongUseError(f"the chat model {spec} needs a package that is not installed", remedy=remedy) from error
    except Exception as error:  # each provider has exceptions of its own for an unknown name or setting
        raise WrongUseError(
            f"the chat model {spec} cannot be opened: {_safe_reason(error)}", remedy="check CASECITE_LLM"
        ) from error
    return as_chat_model(model, spec, window)


def as_chat_model(model: BaseChatModel, name: str, window: int | None = None) -> ChatModel:
    """A chat model of LangChain as a `ChatModel`."""
    profile = model.profile or {}
    if profile.get("temperature") is False and getattr(model, "temperature", None) is not None:
        model = model.model_copy(update={"temperature": None})  # it refuses any but its own
    known = window or getattr(model, "num_ctx", None) or profile.get("max_input_tokens")
    return ChatModel(name=name, model=model, window=known or DEFAULT_WINDOW)


def _answer_tokens(window: int) -> int:
    return min(MAX_ANSWER_TOKENS, int(window * ANSWER_SHARE))


def count_tokens(messages: Messages) -> int:
    """How many tokens messages have: a conservative estimate that needs no tokenizer."""
    from langchain_core.messages import convert_to_messages
    from langchain_core.messages.utils import count_tokens_approximately

    return int(count_tokens_approximately(convert_to_messages(messages), chars_per_token=CHARS_PER_TOKEN))


def render_latest(turns: Sequence[Turn], max_tokens: int) -> str:
    """The latest turns that fit in `max_tokens`, each with its role."""
    from langchain_core.messages import AIMessage, HumanMessage, get_buffer_string, trim_messages
    from langchain_core.messages.utils import count_tokens_approximately

    kinds = {"user": HumanMessage, "assistant": AIMessage}
    latest = trim_messages(
        [kinds[turn.role](turn.content) for turn in turns],
        max_tokens=max_tokens,
        token_counter=partial(count_tokens_approximately, chars_per_token=CHARS_PER_TOKEN),
        strategy="last",
        allow_partial=True,
    )
    return get_buffer_string(latest, human_prefix="User", ai_prefix="Assistant")


def explain_failure(error: Exception, name: str) -> ChatModelError:
    """A provider's exception as an error of one line with a remedy."""
    provider, _, model = name.partition(":")
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    kinds = {kind.__name__ for kind in type(error).__mro__}
    is_ollama = provider == "ollama"
    if kinds & {"ModelTimeoutError", "TimeoutException", "TimeoutError"}:
        what, remedy = f"did not answer within {TIMEOUT_S:.0f} s", "try a smaller model, or a faster machine"
    elif kinds & {"ModelConnectionError", "ConnectError", "ConnectionError"}:
        start = "start it with: ollama serve" if is_ollama else "start its server, or check CASECITE_LLM_BASE_URL"
        what, remedy = "cannot be reached", start
    elif status == 404 or "ModelNotFoundError" in kinds:
        what = "is not on its server"
        remedy = f"ollama pull {model}" if is_ollama else "check the name in CASECITE_LLM"
    elif status in (401, 403) or kinds & {"ModelAuthenticationError", "ModelPermissionDeniedError"}:
        what, remedy = "refuses the key", f"check {' or '.join(_KEYS.get(provider, ('the key',)))}"
    elif status == 429 or "ModelRateLimitError" in kinds:
        what, remedy = "is asked too often", "wait a little, or raise the limit at the provider"
    elif "ContextOverflowError" in kinds:
        what, remedy = "takes fewer tokens than the prompt has", "set CASECITE_LLM_WINDOW to what it takes"
    else:
        what, remedy = f"failed: {_safe_reason(error)}", "see that it runs, or unset CASECITE_LLM"
    return ChatModelError(f"the chat model {name} {what}", remedy=remedy)


def _safe_reason(error: Exception) -> str:
    """Why a call failed, in one line. A server may have written it, and it may contain the API key."""
    return redact(clean_text(first_line(error)))[:300]


def _check_key(spec: str, provider: str, base_url: str | None) -> None:
    variables = _KEYS.get(provider, ())
    if variables and not base_url and not any(map(os.environ.get, variables)):
        own = ", or CASECITE_LLM_BASE_URL for a server of your own" if provider == "openai" else ""
        raise WrongUseError(f"the chat model {spec} needs a key", remedy=f"set {' or '.join(variables)}{own}")


def _options(provider: str, base_url: str | None, window: int | None) -> dict[str, Any]:
    """The options a model is opened with: providers name the same limits differently."""
    options: dict[str, Any] = {"temperature": 0.0}
    if base_url:
        options["base_url"] = base_url
    if provider == "ollama":
        import httpx

        window = window or OLLAMA_WINDOW
        return options | {
            "num_ctx": window,
            "num_predict": _answer_tokens(window),
            "reasoning": False,
            "client_kwargs": {"timeout": TIMEOUT_S},
            "sync_client_kwargs": {"transport": httpx.HTTPTransport(retries=MAX_RETRIES)},
            "async_client_kwargs": {"transport": httpx.AsyncHTTPTransport(retries=MAX_RETRIES)},
        }
    if base_url and provider == "openai":
        options["api_key"] = os.environ.get("OPENAI_API_KEY") or "none"  # the client insists on one
    if window is None and base_url:
        window = DEFAULT_WINDOW
    max_tokens = _answer_tokens(window) if window else MAX_ANSWER_TOKENS
    return options | {"timeout": TIMEOUT_S, "max_retries": MAX_RETRIES, "max_tokens": max_tokens}
