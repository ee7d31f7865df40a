"""The LangChain retriever and Runnable: types, streaming, and traces."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tracers import BaseTracer
from langchain_core.tracers.schemas import Run

from assistant import Assistant, Filters
from assistant.api.langchain import CaseReportChat, CaseReportRetriever
from index.errors import WrongUseError
from tests.conftest import ROOT

BMD = "What was the BMD change under romosozumab?"
PLO = "10.21037/acr-24-163"
GAIN = "Lumbar spine BMD stood 22.1% above baseline."


class Runs(BaseTracer):
    """Keeps the finished runs."""

    def __init__(self) -> None:
        super().__init__()
        self.roots: list[Run] = []

    def _persist_run(self, run: Run) -> None:
        self.roots.append(run)


@pytest.fixture(scope="module")
def writing(demo_index_dir: Path) -> Iterator[Assistant]:
    with Assistant.open(demo_index_dir, llm=FakeListChatModel(responses=[GAIN])) as assistant:
        yield assistant


def test_documents_carry_the_record_and_the_place_of_their_text(demo_assistant: Assistant) -> None:
    retriever = CaseReportRetriever(assistant=demo_assistant, top_k=3)
    documents = retriever.invoke("bone mineral density under romosozumab")
    assert [document.metadata["rank"] for document in documents] == [1, 2, 3]
    first = documents[0]
    assert first.metadata["doi"] == PLO
    assert first.metadata["journal"] == "AME Case Reports"
    record = demo_assistant.search(BMD, top_k=1)[0].record
    assert record.abstract[first.metadata["start"] : first.metadata["end"]] == first.page_content
    json.dumps(first.metadata)  # what stores and tracers do with it


def test_the_retriever_filters_and_works_asynchronously(demo_assistant: Assistant) -> None:
    retriever = CaseReportRetriever(assistant=demo_assistant, filters=Filters(year_from=2024))
    documents = asyncio.run(retriever.ainvoke(BMD))
    assert documents
    assert all(document.metadata["year"] >= 2024 for document in documents)


def test_a_message_comes_with_citations_and_documents(demo_assistant: Assistant) -> None:
    message = CaseReportChat(demo_assistant).invoke(BMD)
    assert "22.1%" in message.text
    annotations = message.content_blocks[0]["annotations"]
    for annotation in annotations:
        assert annotation["cited_text"] in message.text[annotation["start_index"] : annotation["end_index"]]
        assert annotation["url"] == f"https://doi.org/{PLO}"
    documents = message.additional_kwargs["documents"]
    assert [document.page_content for document in documents] == [item["cited_text"] for item in annotations]
    assert documents[0].metadata["doi"] == PLO
    assert message.response_metadata["status"] == "answered"


def test_earlier_messages_are_the_history(demo_assistant: Assistant) -> None:
    first = CaseReportChat(demo_assistant).invoke(BMD)
    follow_up = CaseReportChat(demo_assistant).invoke(
        [
            SystemMessage("Be brief."),
            HumanMessage(BMD),
            AIMessage(first.text),
            HumanMessage("for how long was it given?"),
        ]
    )
    assert "12 months" in follow_up.text
    assert follow_up.response_metadata["query"] != "how long was it given?"


def test_it_is_a_link_in_a_chain(demo_assistant: Assistant) -> None:
    prompt = ChatPromptTemplate.from_messages([("human", "What was the {what} under romosozumab?")])
    chain = prompt | CaseReportChat(demo_assistant) | StrOutputParser()
    assert "22.1%" in chain.invoke({"what": "BMD change"})


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        pytest.param([], "there is no message", id="none"),
        pytest.param([AIMessage("It rose.")], "of type 'ai'", id="not the user's"),
    ],
)
def test_there_must_be_a_question(demo_assistant: Assistant, messages: list[AIMessage], message: str) -> None:
    with pytest.raises(WrongUseError, match=message):
        CaseReportChat(demo_assistant).invoke(messages)


def test_chunks_add_up_to_the_answer(writing: Assistant) -> None:
    chat = CaseReportChat(writing)
    chunks = list(chat.stream(BMD))

    async def astream() -> list[AIMessage]:
        return [chunk async for chunk in chat.astream(BMD)]

    for given in (chunks, asyncio.run(astream())):
        assert "".join(chunk.text for chunk in given) == f"{GAIN} [1]"
        assert given[-1].additional_kwargs["documents"][0].metadata["doi"] == PLO


@pytest.mark.parametrize("how", ["invoke", "stream", "ainvoke"])
def test_the_request_to_the_model_is_a_child_of_the_run(writing: Assistant, how: str) -> None:
    runs = Runs()
    chat, config = CaseReportChat(writing), {"callbacks": [runs]}
    if how == "ainvoke":
        asyncio.run(chat.ainvoke(BMD, config))
    else:
        answer = getattr(chat, how)(BMD, config)
        list(answer)
    (root,) = runs.roots
    assert root.name == "CaseReportChat"
    (request,) = root.child_runs
    assert (request.name, request.run_type) == ("casecite answer", "llm")
    assert request.extra["metadata"]["prompt_version"] >= 1


class Collector(BaseHTTPRequestHandler):
    """Stores the requests of LangSmith's client."""

    def do_GET(self) -> None:
        self._reply(b"{}")

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        self._reply(b"{}")

    def _reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


TRACED = """
import sys, time
from langchain_core.language_models import FakeListChatModel
from langchain_core.tracers.langchain import wait_for_all_tracers
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from assistant import Assistant
spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
with Assistant.open(sys.argv[1], llm=FakeListChatModel(responses=["It rose."])) as assistant:
    assistant.ask("What was the BMD change under romosozumab?")
wait_for_all_tracers()
end = time.monotonic() + 10
while not spans.get_finished_spans() and time.monotonic() < end:
    time.sleep(0.1)
print(*[span.name for span in spans.get_finished_spans()], sep="\\n")
"""


def test_traces_go_to_langsmith_and_opentelemetry_when_they_are_configured(demo_index_dir: Path) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs langsmith[otel]: make test installs it")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    server.bodies = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LANGSMITH", "LANGCHAIN"))}
    environment |= {
        "LANGSMITH_TRACING": "true",
        "LANGSMITH_OTEL_ENABLED": "true",
        "LANGSMITH_ENDPOINT": f"http://127.0.0.1:{server.server_address[1]}",
        "LANGSMITH_API_KEY": "none",
    }
    command = [sys.executable, "-c", TRACED, str(demo_index_dir)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=110, check=False)
    finally:
        server.shutdown()
        server.server_close()
    assert run.returncode == 0, run.stderr
    assert "casecite answer" in run.stdout
    assert any(b"casecite answer" in body for body in server.bodies)


EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "chat-models.md").read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_in_the_docs_run(
    example: str, demo_index_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CASECITE_INDEX_DIR", str(demo_index_dir))
    exec(compile(example, "chat-models.md", "exec"), {})
    assert PLO in capsys.readouterr().out


def test_there_is_an_example_of_each() -> None:
    assert [("CaseReportRetriever" in example, "CaseReportChat" in example) for example in EXAMPLES] == [
        (True, False),
        (False, True),
    ]
