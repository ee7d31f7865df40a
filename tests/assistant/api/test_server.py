"""The server of the page: logins, limits, monitoring, logs, and that secrets stay secret."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import expect
from pydantic import SecretStr

from assistant import Assistant
from assistant.api.guard import MAX_BODY_BYTES, WRONG_LOGINS_PER_MINUTE
from assistant.api.request_log import SECURITY_HEADERS
from assistant.api.settings import PageSettings, page_settings
from assistant.redaction import HIDDEN, redact
from index import build_index
from index.errors import WrongUseError
from tests.conftest import CASECITE
from tests.support.faulty_chat_server import FaultyChatServer, never_ends, refuses
from tests.support.page_server import (
    BMD,
    MANY_QUESTIONS,
    OpenPage,
    ServePage,
    answers,
    ask,
    open_part,
    question_box,
    serve,
    wait_for_answer,
    wait_until,
)

USERS = {"ana": SecretStr("first password"), "ben": SecretStr("second password"), "eve": SecretStr("third password")}
ANA, BEN = ("ana", "first password"), ("ben", "second password")
API_KEY = "sk-test-0123456789abcdef"
MEGABYTE = 1_000_000
ANSWERED = 'casecite_questions_total{channel="api",outcome="answered"}'
HOST = "reports.example.org"


@pytest.fixture(scope="module")
def restricted_url(demo_assistant: Assistant) -> Iterator[str]:
    """A page with logins, an editor, a second host name and small uploads."""
    settings = PageSettings(
        auth=USERS,
        editors=("ana",),
        allowed_hosts=(HOST,),
        max_upload_mb=1,
        questions_per_minute=MANY_QUESTIONS,
    )
    with serve(demo_assistant, settings) as url:
        yield url


def sample(url: str, name: str, auth: tuple[str, str] | None = None) -> float:
    """The value of a metric, with its labels as Prometheus writes them."""
    text = httpx.get(f"{url}/metrics", auth=auth).raise_for_status().text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize("path", ["/", "/health", "/gradio_api/info", "/nothing", "/gradio_api/upload"])
def test_every_reply_has_the_security_headers(page_url: str, path: str) -> None:
    reply = httpx.get(f"{page_url}{path}")
    assert {name: reply.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/runs",
        "/gradio_api/run-history/buckets",
        "/gradio_api/deep_link?session_hash=x",
        "/gradio_api/proxy=http://example.org/",
        "/gradio_api/vibe-code/",
        "/gradio_api/dev/reload",
        "/gradio_api/stream/x/y/1/playlist.m3u8",
        "/gradio_api/custom_component/x/client/component/index.js",
        "/monitoring",
        "/docs",
        "/openapi.json",
        "/../../etc/passwd",
    ],
)
def test_other_paths_of_gradio_are_not_served(page_url: str, path: str) -> None:
    assert httpx.get(f"{page_url}{path}").status_code == 404


@pytest.mark.parametrize("path", ["/gradio_api/file=/etc/passwd", "/gradio_api/file=pyproject.toml"])
def test_files_of_the_server_cannot_be_read(page_url: str, restricted_url: str, path: str) -> None:
    assert httpx.get(f"{page_url}{path}").status_code == 403
    with httpx.Client(base_url=restricted_url) as editor:
        log_in(editor, *ANA).raise_for_status()
        assert editor.get(path).status_code in (403, 404)


def test_a_server_on_loopback_accepts_its_own_host_names_only(page_url: str, restricted_url: str) -> None:
    port = page_url.rpartition(":")[2]

    def call(url: str, name: str) -> int:
        return httpx.get(f"{url}/health", headers={"Host": name}).status_code

    for name in (f"127.0.0.1:{port}", f"localhost:{port}", "LOCALHOST", "[::1]:80"):
        assert call(page_url, name) == 200, name
    for name in (f"rebound.example:{port}", "127.0.0.1.example", "[::1", "", "localhost@rebound.example"):
        assert call(page_url, name) == 421, name
    assert call(restricted_url, HOST) == 200
    assert call(restricted_url, "rebound.example") == 421


def test_pages_of_other_servers_may_not_send_requests(page_url: str, restricted_url: str) -> None:
    def call(url: str, origin: str) -> int:
        return httpx.post(
            f"{url}/gradio_api/call/index_info", json={"data": []}, headers={"Origin": origin}
        ).status_code

    assert call(page_url, page_url) == 200
    for origin in (
        "https://evil.example",
        "null",
        "http://127.0.0.1.evil.example:80",
        "https://evil.example/127.0.0.1",
    ):
        assert call(page_url, origin) == 403, origin
    assert call(restricted_url, "https://evil.example") == 403
    assert call(restricted_url, f"https://{HOST}") == 401, "only the login is missing, though a proxy uses another host"


def log_in(client: httpx.Client, name: str, password: str) -> httpx.Response:
    return client.post("/login", data={"username": name, "password": password})


def test_wrong_passwords_are_rate_limited(
    serve_page: ServePage, demo_assistant: Assistant, restricted_url: str
) -> None:
    with httpx.Client(base_url=serve_page(demo_assistant, PageSettings(auth=USERS))) as client:
        tried = [log_in(client, "ana", f"guess {number}").status_code for number in range(WRONG_LOGINS_PER_MINUTE + 2)]
        assert tried == [400] * WRONG_LOGINS_PER_MINUTE + [429] * 2
        assert log_in(client, *ANA).status_code == 429
        assert client.get("/metrics", auth=ANA).status_code == 429
    with httpx.Client(base_url=restricted_url) as client:
        asked_without = [client.get("/metrics").status_code for _ in range(WRONG_LOGINS_PER_MINUTE + 2)]
        assert set(asked_without) == {401}, "a request without a password is not counted"
        logged_in = [log_in(client, *ANA).status_code for _ in range(WRONG_LOGINS_PER_MINUTE + 2)]
        assert set(logged_in) == {200}, "nor are logins that succeed"


def test_requests_that_are_too_large_are_refused(page_url: str, restricted_url: str) -> None:
    call = "/gradio_api/call/ask"
    assert httpx.post(f"{page_url}{call}", content=b"x" * (MAX_BODY_BYTES + 1)).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(30):
            yield b"x" * 100_000

    assert httpx.post(f"{page_url}{call}", content=endless()).status_code == 413, "also without a content length"
    with httpx.Client(base_url=restricted_url) as editor:
        log_in(editor, *ANA)
        sent = [
            editor.post("/gradio_api/upload", files={"files": ("a.nbib", b"x" * size)}).status_code
            for size in (MEGABYTE // 2, 4 * MEGABYTE)
        ]
    assert sent == [200, 413]


def test_the_rate_limit_is_per_user_and_its_error_says_when_to_retry(
    serve_page: ServePage, demo_assistant: Assistant
) -> None:
    url = serve_page(demo_assistant, PageSettings(auth=USERS, questions_per_minute=2))
    ana, ben = (Client(url, auth=login, verbose=False) for login in (ANA, BEN))
    for _ in range(2):
        ana.predict("lithium", api_name="/search")
    for endpoint in ("/search", "/ask"):
        with pytest.raises(AppError, match=r"you have asked 2 times within a minute \(try again in \d+ s\)"):
            ana.predict("lithium", api_name=endpoint)
    assert ben.predict(BMD, api_name="/ask")["status"] == "answered"
    assert sample(url, 'casecite_refused_total{channel="api",reason="too often"}', BEN) == 2


@pytest.fixture
def modelled(demo_index_dir: Path, server: FaultyChatServer, tmp_path: Path) -> Iterator[Assistant]:
    feedback = tmp_path / "feedback.sqlite"
    with Assistant.open(demo_index_dir, llm="openai:any", llm_base_url=server.url, feedback_path=feedback) as assistant:
        yield assistant


def test_a_question_beyond_the_concurrency_limit_is_refused_at_once(
    open_page: OpenPage, serve_page: ServePage, modelled: Assistant, server: FaultyChatServer
) -> None:
    server.behaviours = [never_ends("Well, ", pause_s=0.05)]
    url = serve_page(modelled, PageSettings(max_questions=1))
    page, other = open_page(url), open_page(url)
    question_box(page).fill(BMD)
    question_box(page).press("Enter")
    wait_until(lambda: server.requests)
    assert sample(url, "casecite_questions_in_progress") == 1
    started = time.monotonic()
    with pytest.raises(AppError, match=r"busy: 1 questions are being answered \(try again in a few seconds\)"):
        Client(url, verbose=False).predict(BMD, api_name="/ask")
    assert time.monotonic() - started < 10
    expect(ask(other, BMD)).to_contain_text("try again in a few seconds")
    page.get_by_test_id("stop-button").click()
    expect(wait_for_answer(page, 0)).to_have_text("Stopped.")
    wait_until(lambda: sample(url, "casecite_questions_in_progress") == 0)
    assert sample(url, 'casecite_questions_total{channel="page",outcome="stopped"}') == 1
    open_part(other, "Search options")
    other.get_by_label("Quotes").check()
    expect(ask(other, BMD)).to_contain_text("22.1%")
    expect(answers(other)).to_have_count(2)


def test_metrics_count_questions_and_require_the_login_of_the_page(page_url: str, restricted_url: str) -> None:
    before = sample(page_url, ANSWERED)
    Client(page_url, verbose=False).predict(BMD, api_name="/ask")
    assert sample(page_url, ANSWERED) == before + 1
    assert sample(page_url, "casecite_index_records") == 40
    assert sample(page_url, "process_resident_memory_bytes") > 100 * MEGABYTE
    assert sample(restricted_url, "casecite_index_records", ANA) == 40
    for auth in (None, ("ana", "wrong"), ("nobody", "first password")):
        assert httpx.get(f"{restricted_url}/metrics", auth=auth).status_code == 401
    assert httpx.get(f"{restricted_url}/metrics", headers={b"Authorization": b"Basic \xa4"}).status_code == 401
    assert httpx.get(f"{restricted_url}/health").json()["status"] == "ok", "the health check needs no login"


def test_health_reports_a_missing_index_without_its_path(
    serve_page: ServePage, demo_index_dir: Path, tmp_path: Path
) -> None:
    shutil.copytree(demo_index_dir, tmp_path / "index")
    with Assistant.open(tmp_path / "index") as assistant:
        url = serve_page(assistant)
        shutil.rmtree(tmp_path / "index")
        reply = httpx.get(f"{url}/health")
        assert (reply.status_code, reply.json()) == (503, {"status": "unavailable", "reason": "NoIndexError"})
        with pytest.raises(AppError):
            Client(url, verbose=False).predict(BMD, api_name="/ask")
    assert str(tmp_path) not in reply.text


@contextmanager
def run_serve(log: Path, **environment: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`casecite serve` as an operator runs it; gives its address and process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [CASECITE, "serve", "--port", str(port)], stderr=stderr, env=os.environ | environment
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: can_connect("127.0.0.1", port), seconds=60)
        httpx.get(f"{url}/health", timeout=60).raise_for_status()  # the models are loaded
        yield url, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def can_connect(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def test_logs_are_json_with_request_ids_and_hold_neither_questions_nor_secrets(
    demo_index_dir: Path, server: FaultyChatServer, tmp_path: Path
) -> None:
    server.behaviours = [refuses(400, f"Incorrect API key provided: {API_KEY} or Bearer {API_KEY}")]
    log = tmp_path / "log"
    settings = {
        "CASECITE_INDEX_DIR": str(demo_index_dir),
        "CASECITE_LOG_FORMAT": "json",
        "CASECITE_AUTH": json.dumps({name: password.get_secret_value() for name, password in USERS.items()}),
        "CASECITE_LLM": "openai:any",
        "CASECITE_LLM_BASE_URL": server.url,
        "OPENAI_API_KEY": API_KEY,
    }
    with run_serve(log, **settings) as (url, process):
        assert not can_connect("127.0.0.2", int(url.rpartition(":")[2])), "it listens on 127.0.0.1 only"
        result = Client(url, auth=ANA, verbose=False).predict(BMD, api_name="/ask")
        page = httpx.get(f"{url}/config", auth=ANA).text + httpx.get(f"{url}/").text
        refused = httpx.get(f"{url}/nothing", headers={"X-Request-ID": "from-the-proxy-1"})
    assert process.returncode in (0, -signal.SIGTERM), "it shuts down cleanly"
    assert "made of quotes" in " ".join(result["warnings"])
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    (question,) = [line for line in lines if line["message"] == "question"]
    assert (question["user"], question["channel"], question["outcome"]) == ("ana", "api", "answered")
    assert question["ms"] > 0
    (join,) = [line for line in lines if line.get("path", "").endswith("/queue/join")]
    assert join["request_id"] == question["request_id"]
    (missed,) = [line for line in lines if line.get("path") == "/nothing"]
    assert missed["request_id"] == refused.headers["x-request-id"] == "from-the-proxy-1"
    everything = log.read_text("utf-8") + json.dumps(result) + page
    assert "romosozumab" not in log.read_text("utf-8")
    assert [secret for secret in (API_KEY, "first password", "second password") if secret in everything] == []
    assert HIDDEN in " ".join(result["warnings"])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("CASECITE_AUTH", '{"ana": "secret password"', "CASECITE_AUTH: it is not JSON"),
        ("CASECITE_AUTH", '["secret password"]', "CASECITE_AUTH: Input should be a valid dictionary"),
        ("CASECITE_AUTH", '{"ana": ["secret password"]}', "CASECITE_AUTH: Input should be a valid string"),
        ("CASECITE_LOG_FORMAT", "xml", "CASECITE_LOG_FORMAT: Input should be 'text' or 'json'"),
        ("CASECITE_MAX_QUESTIONS", "0", "CASECITE_MAX_QUESTIONS: Input should be greater than or equal to 1"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(WrongUseError, match=re.escape(message)) as caught:
        page_settings()
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None, "nor in a traceback"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("key sk-abcdefghijklmnop refused", f"key {HIDDEN} refused"),
        ("http://user:pass@host:8000/v1 is down", f"http://{HIDDEN}@host:8000/v1 is down"),
        ("Authorization: Bearer abc.def-ghi", f"Authorization: Bearer {HIDDEN}"),
        ("the secret is correct horse, twice: correct horse", f"the secret is {HIDDEN}, twice: {HIDDEN}"),
        ("MY_TOKEN is short", "MY_TOKEN is short"),
        ("A woman took risperidone 2 mg for 12 weeks.", "A woman took risperidone 2 mg for 12 weeks."),
    ],
)
def test_secrets_are_redacted(monkeypatch: pytest.MonkeyPatch, text: str, redacted: str) -> None:
    monkeypatch.setenv("SOME_PASSWORD", "correct horse")
    monkeypatch.setenv("MY_TOKEN", "short")
    assert redact(text) == redacted


def test_every_answer_is_from_one_build_while_the_index_is_replaced_twice(
    serve_page: ServePage, tmp_path: Path
) -> None:
    """The load test of docs/reliability.md on a small scale: eight users, and another dose in each build."""

    def publish(version: int, mode: str = "update") -> str:
        abstract = f"A 40-year-old glazier had a rash. The glazier took lamotrigine {version}00 mg daily for a year."
        record = {"doi": "10.5555/load", "title": "Rash in a glazier on lamotrigine", "abstract": abstract}
        (tmp_path / "records.json").write_text(json.dumps([record]), "utf-8")
        return build_index([tmp_path / "records.json"], tmp_path / "index", mode).build_id

    doses = {publish(1, "rebuild"): "100 mg"}
    with Assistant.open(tmp_path / "index") as assistant:
        url = serve_page(assistant)
        is_over = False

        def wait_for_answers(count: int) -> None:
            end = sample(url, ANSWERED) + count
            wait_until(lambda: sample(url, ANSWERED) > end)

        def be_user() -> list[tuple[str, str]]:
            client, found = Client(url, verbose=False), []
            while not is_over:
                result = client.predict("What dose of lamotrigine did the glazier take?", api_name="/ask")
                found.append((result["index_id"], result["answer"]))
            return found

        with ThreadPoolExecutor(8) as pool:
            users = [pool.submit(be_user) for _ in range(8)]
            try:
                for version in (2, 3):
                    wait_for_answers(8)
                    doses[publish(version)] = f"{version}00 mg"
                wait_until(lambda: assistant.index.manifest.build_id == list(doses)[-1])
                wait_for_answers(16)
            finally:
                is_over = True
            answered = [item for user in users for item in user.result()]
    assert {index_id for index_id, _ in answered} == set(doses)
    assert [(index_id, text) for index_id, text in answered if doses[index_id] not in text] == []
