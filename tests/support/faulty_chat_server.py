"""An OpenAI-compatible chat server on loopback with scripted faults."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers each request with the next behaviour of its server, and repeats the last one."""

    protocol_version = "HTTP/1.1"
    server: FaultyChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        server.requests.append(body)
        behaviour = server.behaviours.pop(0) if len(server.behaviours) > 1 else server.behaviours[0]
        try:
            behaviour(self)
        except (BrokenPipeError, ConnectionResetError):
            server.left_at.append(time.monotonic())
        self.close_connection = True

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()

    def send_piece(self, text: str, finish_reason: str | None = None) -> None:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
        event = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


class FaultyChatServer(ThreadingHTTPServer):
    """`requests` are those received, `left_at` the times at which it noticed a closed connection."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviours: list[Behaviour] = []
        self.requests: list[dict[str, Any]] = []
        self.left_at: list[float] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def run_faulty_chat_server() -> Iterator[FaultyChatServer]:
    server = FaultyChatServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def says(*pieces: str) -> Behaviour:
    """Writes the pieces and ends normally."""

    def behave(handler: Handler) -> None:
        handler.begin_stream()
        for piece in pieces:
            handler.send_piece(piece)
        handler.send_piece("", finish_reason="stop")
        handler.wfile.write(b"data: [DONE]\n\n")

    return behave


def breaks_off(*pieces: str) -> Behaviour:
    """Writes the pieces, then closes the connection within an event."""

    def behave(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        for piece in pieces:
            handler.send_piece(piece)

    return behave


def sends(body: bytes) -> Behaviour:
    """Answers with these bytes instead of a stream of events."""

    def behave(handler: Handler) -> None:
        handler.begin_stream()
        handler.wfile.write(body)

    return behave


def refuses(status: int, message: str = "refused") -> Behaviour:
    """Answers with a status and no text."""

    def behave(handler: Handler) -> None:
        body = json.dumps({"error": {"message": message, "type": "error", "code": status}}).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def never_ends(piece: str, pause_s: float = 0.0, seconds: float = 30.0) -> Behaviour:
    """Repeats a piece until the connection is closed, or for `seconds`."""

    def behave(handler: Handler) -> None:
        handler.begin_stream()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            handler.send_piece(piece)
            time.sleep(pause_s)

    return behave


def hangs(seconds: float = 30.0) -> Behaviour:
    """Sends no data."""

    def behave(handler: Handler) -> None:
        handler.begin_stream()
        time.sleep(seconds)

    return behave


def says_as_ollama(*pieces: str) -> Behaviour:
    """Writes the pieces as Ollama does: one JSON object a line."""

    def behave(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/x-ndjson")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for piece in [*pieces, ""]:
            message = {"role": "assistant", "content": piece}
            line = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": not piece}
            handler.wfile.write(json.dumps(line | ({} if piece else {"done_reason": "stop"})).encode() + b"\n")

    return behave
