"""What a chat model is asked, and how its replies are parsed. It drafts; `assistant.verification` decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from assistant.clinical_text.medical_names import find_foreign_names
from assistant.generation.chat_models import ChatModel, ChatModelError, ModelRequest, count_tokens, render_latest
from assistant.reading.sentences import safe_title
from assistant.types import Evidence, Turn
from assistant.verification.facts import extract_facts, find_missing
from index.text.cleaning import clean_text
from index.text.normalisation import fold_text
from index.text.terms import analyse
from prompts import ABSTAIN_SENTENCE, load_prompt

MAX_OFFERED = 12
# Of other records than the best one, only those are offered whose best sentence is at least this share as likely.
OFFERED_RECORD_SHARE = 0.1
# The share of the prompt's tokens that the conversation may take.
HISTORY_SHARE = 0.5
MAX_CONDENSED_CHARS = 500
# A rewritten question must keep this share of the terms of the original.
KEPT_SHARE = 0.5

_WRAPPING = " \"'“”*`"
_LABELS = ("question:", "rewritten", "standalone")


def request_answer(
    question: str, evidence: Sequence[Evidence], chat_model: ChatModel
) -> tuple[ModelRequest, tuple[Evidence, ...]]:
    """The request for an answer, and the evidence offered in it: the best sentences that fit in the model's window.

    Raises:
        ChatModelError: none fits.
    """
    prompt = load_prompt("answer")
    chosen = select_offered(evidence)
    for count in range(len(chosen), 0, -1):
        offered = tuple(chosen[:count])
        messages = prompt.render(
            question=_neutralise(question), evidence=render_evidence(offered), abstain_sentence=ABSTAIN_SENTENCE
        )
        if count_tokens(messages) <= chat_model.max_prompt_tokens:
            return ModelRequest("answer", prompt.version, messages), offered
    raise ChatModelError(
        f"the chat model {chat_model.name} takes only {chat_model.window} tokens, too few for any evidence",
        remedy="set CASECITE_LLM_WINDOW if it takes more",
    )


def select_offered(evidence: Sequence[Evidence]) -> list[Evidence]:
    """The best sentences of the best record and of its rivals: the model cannot mix up what it is not shown."""
    likeliest: dict[str, float] = {}
    for item in evidence:
        likeliest.setdefault(item.record.record_id, item.score)
    limit = OFFERED_RECORD_SHARE * max(likeliest.values(), default=0.0)
    return [item for item in evidence if likeliest[item.record.record_id] >= limit][:MAX_OFFERED]


def request_condensed(question: str, history: Sequence[Turn], chat_model: ChatModel) -> ModelRequest:
    """The request to make a question one that can be understood by itself, with the latest turns that fit."""
    prompt = load_prompt("condense")
    latest = render_latest(history, int(chat_model.max_prompt_tokens * HISTORY_SHARE))
    messages = prompt.render(question=_neutralise(question), history=_neutralise(latest))
    return ModelRequest("condense", prompt.version, messages)


def parse_condensed(text: str, question: str, history: Iterable[Turn]) -> str | None:
    """The rewritten question, or None if the model wrote something else.

    It must keep most terms of the question; figures, drugs and names that it adds must be from the conversation.
    """
    line = next((line for line in clean_text(text).splitlines() if line.strip()), "").strip(_WRAPPING)
    rewritten = line.partition(":")[2].strip(_WRAPPING) if line.casefold().startswith(_LABELS) else line
    said = "\n".join([question, *(turn.content for turn in history)])
    terms, asked = set(analyse(rewritten)), set(analyse(question))
    is_kept = bool(terms) and len(terms & asked) >= KEPT_SHARE * len(asked)
    if not is_kept or any(find_foreign_names(rewritten, said)) or len(rewritten) > MAX_CONDENSED_CHARS:
        return None
    return None if find_missing(extract_facts(rewritten), extract_facts(said)) else rewritten


def render_evidence(evidence: Iterable[Evidence]) -> str:
    """The evidence as shown to the model: each record's sentences under its title, each with its key."""
    by_record: dict[str, list[Evidence]] = {}
    for item in evidence:
        by_record.setdefault(item.record.record_id, []).append(item)
    blocks = []
    for items in by_record.values():
        record = items[0].record
        head = f"Record: {safe_title(record) or 'without a title'}{f' ({record.year})' if record.year else ''}"
        lines = [f"[{item.key}] {item.quote}" for item in sorted(items, key=lambda item: (item.field, item.start))]
        blocks.append("\n".join([_neutralise(head), *map(_neutralise, lines)]))
    return "\n\n".join(blocks)


def is_abstention(text: str) -> bool:
    """Whether a statement is, or begins with, the sentence for "not in the evidence"."""
    said = fold_text(text).replace("’", "'").replace("do not", "don't")
    return said.startswith(fold_text(ABSTAIN_SENTENCE).rstrip("."))


def _neutralise(text: str) -> str:
    """Text that cannot close the block that it is quoted in, nor contain the marks that tell a model who speaks."""
    return text.replace("<", "‹").replace(">", "›").replace("[INST]", "(INST)").replace("[/INST]", "(/INST)")
