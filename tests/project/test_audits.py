"""The audits that CI runs: weaknesses in the code, known vulnerabilities of the pinned versions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import ROOT

CLOSED = "http://127.0.0.1:9/v1/query"
IMPORTS = {"B403", "B404", "B405"}
FLAW = {
    "id": "GHSA-0000-0000-0000",
    "modified": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"name": "gradio", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}],
        }
    ],
}


@contextmanager
def advise(flawed: str | None) -> Iterator[str]:
    """The address of a database of advisories that answers as osv.dev does and knows a flaw of one package."""

    class Database(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = json.dumps({"vulns": [FLAW]} if asked["package"]["name"] == flawed else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


def audit_pins(address: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PIP_AUDIT_VULNERABILITY_SERVICE": "osv", "PIP_AUDIT_OSV_URL": address}
    command = [sys.executable, ".ci/audit_pins.py"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False, text=True)


def count_pins() -> int:
    return (ROOT / "constraints.txt").read_text("utf-8").count("==")


def test_a_vulnerable_version_fails_the_audit() -> None:
    with advise("gradio") as address:
        run = audit_pins(address)
    assert run.returncode == 1
    assert f"{FLAW['id']}, fixed in 99.1" in run.stdout
    assert f"{count_pins()} pinned versions audited, 1 vulnerabilities known" in run.stdout


def test_an_audit_of_everything_passes_when_nothing_is_known() -> None:
    with advise(None) as address:
        run = audit_pins(address)
    assert run.returncode == 0
    assert run.stdout == f"{count_pins()} pinned versions audited, 0 vulnerabilities known\n"


def test_an_audit_without_advisories_says_that_it_was_not_done() -> None:
    run = audit_pins(CLOSED)
    assert run.returncode == 0
    assert run.stdout.startswith("NOT DONE: no advisories could be fetched")


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("import pickle\nx = pickle.loads(b'')\n", "S301"),
        ("import random\nx = random.random()\n", "S311"),
        ("import subprocess\nx = subprocess.run(['true', str(input())])\n", "S603"),
        ("x = 'SELECT ' + input() + ' FROM records'\n", "S608"),
        ("assert input()\n", "S101"),
        ("from xml.etree import ElementTree\nx = ElementTree.parse(input())\n", "S314"),
    ],
)
def test_ruff_finds_what_bandit_skips(code: str, rule: str) -> None:
    command = [Path(sys.executable).with_name("ruff"), "check", "--output-format=concise", "-"]
    command += ["--stdin-filename", "assistant/planted.py"]
    found = subprocess.run(command, cwd=ROOT, input=code, capture_output=True, check=False, text=True)
    assert f" {rule} " in found.stdout


def test_bandit_finds_what_ruff_does_not_know(tmp_path: Path) -> None:
    skips = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["bandit"]["skips"])
    assert skips == {"B101", "B301", "B311", "B603", "B608"} | IMPORTS
    planted = tmp_path / "planted.py"
    planted.write_text("import torch\nx = torch.load(input())\n", "utf-8")
    command = [Path(sys.executable).with_name("bandit"), "--quiet", "--configfile", ROOT / "pyproject.toml"]
    found = subprocess.run([*command, planted], capture_output=True, check=False, text=True)
    assert found.returncode == 1
    assert "B614" in found.stdout
