"""Deployment files: the image, the compose file, the systemd unit, and their manual."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from assistant.api.settings import PageSettings
from assistant.settings import AssistantSettings
from index.fetch.settings import FetchSettings
from index.settings import IndexSettings
from tests.conftest import ROOT
from tests.support.chroma_server import run_chroma_server

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
SERVICES: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
UNIT = (DEPLOY / "casecite.service").read_text("utf-8")
MANUAL = (ROOT / "docs" / "deployment.md").read_text("utf-8")
USER = "10001:10001"
PROGRAM = "/opt/casecite/bin/casecite"
MOST_EXPOSED = 15  # tenths, of systemd's own 0 to 100


def test_every_setting_that_is_named_is_one() -> None:
    kinds = (IndexSettings, FetchSettings, AssistantSettings, PageSettings)
    settings = {f"CASECITE_{name.upper()}" for kind in kinds for name in kind.model_fields}
    for text in (DOCKERFILE, (DEPLOY / "compose.yaml").read_text("utf-8"), UNIT, MANUAL):
        named = set(re.findall(r"CASECITE_\w+", text))
        assert named
        assert named <= settings


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_accepts_the_unit_and_rates_it_confined(tmp_path: Path) -> None:
    unit = tmp_path / "casecite.service"
    unit.write_text(UNIT.replace(PROGRAM, str(Path(sys.executable).with_name("casecite"))), "utf-8")
    assert PROGRAM in UNIT
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, check=False, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", unit]
    judged = subprocess.run(command, capture_output=True, check=False, text=True)
    assert judged.returncode == 0, judged.stdout


def test_every_service_of_the_compose_file_is_confined() -> None:
    assert {"app", "chroma", "index"} <= SERVICES.keys()
    for service in SERVICES.values():
        assert service["user"] == USER
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service.get("privileged")
    assert all("mem_limit" in SERVICES[name] for name in ("app", "chroma", "index"))


def test_the_page_listens_on_loopback_only_and_chroma_is_not_published() -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["app"]["ports"])
    assert not any("ports" in service for name, service in SERVICES.items() if name != "app")
    networks = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["networks"]
    assert all(networks[name]["internal"] for name in SERVICES["chroma"]["networks"])


def test_the_chroma_server_has_the_version_of_its_client() -> None:
    (pinned,) = re.findall(r"^chromadb==(.+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    assert SERVICES["chroma"]["image"] == f"chromadb/chroma:{pinned}"


def test_the_image_runs_without_privileges_on_the_volume() -> None:
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (.+)$", last_stage, re.MULTILINE) == [USER]
    (volume,) = re.findall(r"^VOLUME (.+)$", last_stage, re.MULTILINE)
    assert re.findall(r"(?:HOME|CASECITE_INDEX_DIR)=(\S+)", last_stage) == [volume, f"{volume}/index"]
    assert f"casecite:{volume}" in SERVICES["app"]["volumes"]
    assert not re.search(r"^(COPY|ADD) \S*(\.env|environment)", DOCKERFILE, re.MULTILINE)


def test_the_image_is_built_of_the_package_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    let_in = {line[1:] for line in lines if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = project["tool"]["setuptools"]["packages"]["find"]["include"]
    parts = {pattern.rstrip("*") for pattern in packages}
    files = {"app.py", "constraints.txt", "LICENSE", "pyproject.toml", "README.md"}
    assert next(line for line in lines if not line.startswith("#")) == "*"
    assert let_in == parts | files


def test_no_secret_is_committed() -> None:
    secret = re.compile(r"(AUTH|KEY|TOKEN|PASSWORD|SECRET)\w*\s*[:=]\s*\S")
    files = [path for path in DEPLOY.iterdir() if path.is_file() and path.name != "casecite.env"]
    assert {"Dockerfile", "compose.yaml", "casecite.service"} == {path.name for path in files}
    assert not [path for path in files if secret.search(path.read_text("utf-8"))]
    env_files = [entry["path"] for service in SERVICES.values() for entry in service.get("env_file", ())]
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert env_files
    assert all(f"/deploy/{name}" in ignored for name in env_files)


def test_the_image_finds_the_page_healthy_when_it_is_served(page_url: str) -> None:
    (command,) = re.findall(r"^HEALTHCHECK .*\\\n\s+CMD (.+)$", DOCKERFILE, re.MULTILINE)
    _, *arguments = json.loads(command)

    def is_healthy(address: str) -> bool:
        code = [argument.replace("http://127.0.0.1:7860", address) for argument in arguments]
        assert code != arguments
        return subprocess.run([sys.executable, *code], capture_output=True, check=False).returncode == 0

    assert is_healthy(page_url)
    assert not is_healthy("http://127.0.0.1:9")


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_the_compose_file_finds_chroma_healthy_while_it_runs(tmp_path: Path) -> None:
    _, *command = SERVICES["chroma"]["healthcheck"]["test"]

    def is_healthy(port: int) -> bool:
        here = [part.replace("/8000", f"/{port}") for part in command]
        assert here != command
        return subprocess.run(here, capture_output=True, check=False, timeout=20).returncode == 0

    with run_chroma_server(tmp_path) as chroma:
        assert is_healthy(chroma.port)
    assert not is_healthy(chroma.port)
