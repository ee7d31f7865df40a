"""The MCP tools with a real client, on an app of the tests and on the page as it is served."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from mcp import Client
from mcp_types import CallToolResult, Tool

from assistant import Assistant
from assistant.api.admission import AdmissionControl
from assistant.api.mcp_server import INSTRUCTIONS, mount_mcp
from tests.conftest import CASECITE, ROOT

BMD = "What was the BMD change under romosozumab?"
ROMOSOZUMAB = "doi:10.21037/acr-24-163"
DOCUMENT = (ROOT / "docs" / "programs.md").read_text("utf-8")
LIST_TOOLS = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
ACCEPT = {"Accept": "application/json, text/event-stream"}


@contextmanager
def _run(app: FastAPI) -> Iterator[int]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def port(demo_assistant: Assistant) -> Iterator[int]:
    """The port of an app with the tools and, as the page is, something else at the root."""
    app = FastAPI()
    mount_mcp(app, demo_assistant, AdmissionControl(64, 1_000))
    app.mount("/", FastAPI())
    with _run(app) as port:
        yield port


def _list_tools(url: str) -> dict[str, Tool]:
    async def ask() -> dict[str, Tool]:
        async with Client(url) as client:
            return {tool.name: tool for tool in (await client.list_tools()).tools}

    return asyncio.run(ask())


def _call(url: str, name: str, mode: str = "auto", **arguments: Any) -> CallToolResult:
    async def ask() -> CallToolResult:
        async with Client(url, mode=mode) as client:
            return await client.call_tool(name, arguments)

    return asyncio.run(ask())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_question_is_answered_with_quotes_as_structured_content(port: int, mode: str) -> None:
    result = _call(f"http://127.0.0.1:{port}/mcp", "ask_case_reports", mode, question=BMD)
    assert not result.is_error
    answer = result.structured_content
    assert answer["status"] == "answered"
    assert {citation["record_id"] for citation in answer["citations"]} == {ROMOSOZUMAB}
    assert any("22.1%" in citation["quote"] for citation in answer["citations"])
    assert json.loads(result.content[0].text) == answer  # for clients that read text only


def test_there_are_three_tools_that_only_read_with_typed_input_and_output(port: int) -> None:
    tools = _list_tools(f"http://localhost:{port}/mcp")
    assert set(tools) == {"ask_case_reports", "search_case_reports", "get_record"}
    for tool in tools.values():
        assert tool.title
        assert tool.annotations.read_only_hint
        assert tool.annotations.idempotent_hint
        assert not tool.annotations.open_world_hint
        assert all(argument["description"] for argument in tool.input_schema["properties"].values())
    ask = tools["ask_case_reports"]
    assert ask.input_schema["required"] == ["question"]
    assert set(ask.output_schema["required"]) >= {"answer", "status", "confidence", "statements", "citations"}
    assert "do not add to them" in " ".join(ask.description.split())


def test_the_server_says_how_its_answers_are_to_be_passed_on(port: int) -> None:
    async def ask() -> str | None:
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            return client.instructions

    assert asyncio.run(ask()) == INSTRUCTIONS


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        pytest.param("ask_case_reports", {"question": "?"}, "the question is empty", id="empty question"),
        pytest.param("ask_case_reports", {"question": BMD, "year_from": "soon"}, "year_from", id="no year"),
        pytest.param("search_case_reports", {"query": "zinc", "limit": 51}, "less than or equal to 50", id="limit"),
        pytest.param("get_record", {"record_id": "10.5555/none"}, "no record '10.5555/none' in this", id="no record"),
    ],
)
def test_an_invalid_call_is_a_tool_error_with_the_reason(
    port: int, name: str, arguments: dict[str, Any], message: str
) -> None:
    result = _call(f"http://127.0.0.1:{port}/mcp", name, **arguments)
    assert result.is_error
    assert message in result.content[0].text


def test_questions_asked_at_once_are_all_answered(port: int) -> None:
    async def ask() -> list[CallToolResult]:
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            calls = (client.call_tool("search_case_reports", {"query": f"a woman of {age}"}) for age in range(20, 26))
            return await asyncio.gather(*calls)

    assert [len(result.structured_content["records"]) for result in asyncio.run(ask())] == [10] * 6


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="plain"),
        pytest.param({"Host": "localhost"}, 200, id="loopback name without a port"),
        pytest.param({"Host": "[::1]:9"}, 200, id="loopback of IPv6 behind another port"),
        pytest.param({"Host": "rebound.example"}, 421, id="rebound name"),
        pytest.param({"Host": "localhost.rebound.example"}, 421, id="name that begins like a loopback one"),
        pytest.param({"Origin": "http://rebound.example"}, 403, id="page of another site"),
        pytest.param({"Origin": "http://localhost:6274"}, 200, id="page on this machine"),
    ],
)
def test_only_requests_to_a_loopback_name_are_served(port: int, headers: dict[str, str], status: int) -> None:
    response = httpx.post(f"http://127.0.0.1:{port}/mcp", headers=ACCEPT | headers, json=LIST_TOOLS)
    assert response.status_code == status


@pytest.mark.parametrize(
    ("host", "name"), [("192.0.2.7", "192.0.2.7:7860"), ("fe80::1", "[fe80::1]:7860"), ("0.0.0.0", "localhost:7860")]
)
def test_a_server_on_another_address_accepts_that_and_loopback_names(
    demo_assistant: Assistant, host: str, name: str
) -> None:
    app = FastAPI()
    mount_mcp(app, demo_assistant, AdmissionControl(64, 1_000), host)
    with _run(app) as port:
        codes = [
            httpx.post(f"http://127.0.0.1:{port}/mcp", headers=ACCEPT | {"Host": called}, json=LIST_TOOLS).status_code
            for called in (name, "rebound.example:7860")
        ]
    assert codes == [200, 421]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_there_is_no_session_to_open_or_end(port: int, method: str) -> None:
    response = httpx.request(method, f"http://127.0.0.1:{port}/mcp", headers=ACCEPT)
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


def test_the_lifespan_of_the_app_itself_still_runs(demo_assistant: Assistant) -> None:
    steps = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> Any:
        steps.append("started")
        yield
        steps.append("ended")

    app = FastAPI(lifespan=lifespan)
    mount_mcp(app, demo_assistant, AdmissionControl(64, 1_000))
    with _run(app) as port:
        assert _list_tools(f"http://127.0.0.1:{port}/mcp")
        assert steps == ["started"]
    assert steps == ["started", "ended"]


@pytest.fixture(scope="module")
def served(demo_index_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page on the demo index, served with its tools by the installed command."""
    kept = tmp_path_factory.mktemp("kept") / "feedback.sqlite"
    process = subprocess.Popen(
        [CASECITE, "serve", "--mcp", "--port", "0", "--index", str(demo_index_dir)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"CASECITE_FEEDBACK_PATH": str(kept), "HF_HUB_OFFLINE": "1"},
    )
    line = process.stdout.readline()
    yield re.search(r"http://127\.0\.0\.1:\d+", line)[0]
    process.terminate()
    assert process.wait(timeout=30) in (0, -15)


def test_the_page_its_endpoints_and_the_tools_are_served_together(served: str) -> None:
    from gradio_client import Client as PageClient

    assert '"title":"casecite"' in httpx.get(served).text
    offered = PageClient(served, verbose=False).view_api(return_format="dict", print_info=False)
    assert set(offered["named_endpoints"]) == {"/ask", "/search", "/index_info"}
    assert offered["unnamed_endpoints"] == {}
    (configuration,) = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    url = json.loads(configuration)["mcpServers"]["casecite"]["url"].replace("http://127.0.0.1:7860", served)
    assert set(_list_tools(url)) == {"ask_case_reports", "search_case_reports", "get_record"}


EXPECTED = {
    "from assistant import Assistant, Filters": "stood 22.1% above baseline",
    "async def ask_twice": "back pain eased",
    "from gradio_client import Client": "stood 22.1% above baseline",
    "from mcp import Client": ROMOSOZUMAB,
}


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL))
def test_the_python_examples_of_the_docs_run(
    example: str, served: str, demo_index_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CASECITE_INDEX_DIR", str(demo_index_dir))
    exec(compile(example.replace("http://127.0.0.1:7860", served), "programs.md", "exec"), {})
    (expected,) = [text for beginning, text in EXPECTED.items() if beginning in example]
    assert expected in capsys.readouterr().out


def test_the_shell_example_of_the_docs_runs(demo_index_dir: Path, tmp_path: Path) -> None:
    (example,) = re.findall(r"```bash\n(.*?)```", DOCUMENT, re.DOTALL)
    environment = os.environ | {
        "CASECITE_INDEX_DIR": str(demo_index_dir),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    subprocess.run(["bash", "-e", "-c", example], cwd=tmp_path, env=environment, check=True, timeout=100)
    assert json.loads((tmp_path / "answer.json").read_text("utf-8"))["status"] == "answered"
    assert json.loads((tmp_path / "index.json").read_text("utf-8"))["record_count"] == 40
