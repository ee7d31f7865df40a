"""The answer written by a chat model, through LangChain. What it writes is a draft; `assistant.verify` decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from assistant.types import Evidence
from index.errors import CaseciteError, WrongUseError
from prompts import ABSTAIN_SENTENCE, render_prompt

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

TIMEOUT_S = 120.0
MAX_RETRIES = 2


class ChatModelError(CaseciteError):
    """The chat model gave no usable draft; the answer is then made of quotes."""


def open_chat_model(spec: str, base_url: str | None = None) -> BaseChatModel:
    """The chat model of `provider:model`, at `base_url` if it is on a server of one's own.

    Raises:
        WrongUseError: the name has another form, the provider's package is missing, or it refuses the settings.
    """
    from langchain.chat_models import init_chat_model

    provider, colon, name = spec.partition(":")
    if not (provider and colon and name):
        raise WrongUseError(f"no chat model {spec!r}", remedy="name it as provider:model, such as ollama:qwen3:8b")
    options: dict[str, Any] = {"temperature": 0.0}
    if base_url:
        options["base_url"] = base_url
    if provider == "openai":
        options |= {"timeout": TIMEOUT_S, "max_retries": MAX_RETRIES}
        if base_url:
            options["api_key"] = "none"  # the client insists on one; a server of one's own asks for none
    try:
        model: BaseChatModel = init_chat_model(spec, **options)
    except ImportError as error:
        raise WrongUseError(
            f"the chat model {spec} needs a package: {error}", remedy=f"pip install 'casecite[{provider}]'"
        ) from error
    except Exception as error:  # each provider has exceptions of its own for a missing key or an unknown name
        raise WrongUseError(
            f"the chat model {spec} cannot be opened: {_first_line(error)}", remedy="check CASECITE_LLM and the key"
        ) from error
    return model


def write_draft(model: BaseChatModel, question: str, evidence: Sequence[Evidence]) -> str | None:
    """What the model answers from the evidence, with its citation keys; None where it says that it cannot.

    Raises:
        ChatModelError: the model does not answer, or answers nothing.
    """
    prompt = render_prompt(
        "answer", question=question, evidence=render_evidence(evidence), abstain_sentence=ABSTAIN_SENTENCE
    )
    try:
        text = model.invoke(prompt).text.strip()
    except Exception as error:  # each provider has exceptions of its own
        raise ChatModelError(
            f"the chat model failed: {_first_line(error)}", remedy="see that it runs, or unset CASECITE_LLM"
        ) from error
    if not text:
        raise ChatModelError("the chat model answered nothing", remedy="try another CASECITE_LLM")
    return None if ABSTAIN_SENTENCE.casefold() in text.casefold().replace("’", "'") else text


def render_evidence(evidence: Iterable[Evidence]) -> str:
    """The evidence as the model sees it: each record's sentences under its title, each with its key."""
    by_record: dict[str, list[Evidence]] = {}
    for item in evidence:
        by_record.setdefault(item.record.record_id, []).append(item)
    blocks = []
    for items in by_record.values():
        record = items[0].record
        head = f"Record: {record.title or 'without a title'}{f' ({record.year})' if record.year else ''}"
        lines = [f"[{item.key}] {item.quote}" for item in sorted(items, key=lambda item: (item.field, item.start))]
        blocks.append("\n".join([head, *lines]))
    # Angle brackets in a record must not end the block that says where quoted material is.
    return "\n\n".join(blocks).replace("<", "‹").replace(">", "›")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
