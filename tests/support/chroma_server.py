"""A real Chroma server on loopback, which tests can take down and bring back."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

START_TIMEOUT_S = 60
ESTABLISHED = "01"  # in the kernel's table of connections


class ChromaServer:
    """`chroma run` on a folder and a port of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        program = Path(sys.executable).with_name("chroma")
        command = [program, "run", "--path", self._folder / "data", "--host", "127.0.0.1", "--port", str(self.port)]
        environment = os.environ | {"ANONYMIZED_TELEMETRY": "False"}
        with (self._folder / "log").open("a") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder, env=environment)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=30)

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def connections(self) -> int:
        """How many connections to it are open."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text("ascii").splitlines()]
        return sum(row[2] == f"0100007F:{self.port:04X}" and row[3] == ESTABLISHED for row in rows)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def collections(self) -> set[str]:
        """The names of all that is on it."""
        path = "/api/v2/tenants/default_tenant/databases/default_database/collections"
        return {collection["name"] for collection in httpx.get(f"{self.url}{path}").raise_for_status().json()}


@contextmanager
def run_chroma_server(folder: Path) -> Iterator[ChromaServer]:
    server = ChromaServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
