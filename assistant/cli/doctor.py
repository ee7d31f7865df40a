"""`casecite doctor`: checks of the installation, the models, the index, the settings and the system."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple

from pydantic import ValidationError

from assistant.redaction import redact
from assistant.settings import AssistantSettings
from index.errors import BuildRunningError, CaseciteError, NoIndexError, WrongUseError
from index.settings import IndexSettings, index_settings
from index.storage.layout import IndexLayout

PACKAGES = ("casecite", "chromadb", "gradio", "langchain", "sentence-transformers", "tantivy", "torch")
LOW_DISK_BYTES = 1_000_000_000
MIN_OPEN_FILES = 1_024
CLOCK_ERROR = timedelta(hours=1)
# A chat model that needs longer for the simplest question makes every user wait.
SLOW_S = 20.0
MODEL_WAIT_S = 60.0
_FIGURE = "37.5"
_PROBE = (
    f"The patient took {_FIGURE} mg of the drug once a day. How many mg did the patient take? Answer in one sentence."
)

Check = Callable[[], str]
"""Describes the state of a subject, or raises what is wrong with it."""


class Finding(NamedTuple):
    """The result of one check: the state of a subject, or what is wrong and what to do."""

    subject: str
    is_ok: bool
    detail: str


def examine(index_dir: Path | None = None, llm: str | None = None) -> Iterator[Finding]:
    """Check the installation, the models, the index, the chat model, the settings and the system, in this order.

    Problems are returned, never raised.
    """
    yield Finding("python", sys.version_info >= (3, 11), sys.version.split()[0])
    for subject, check in _list_checks(partial(index_settings, index_dir), llm):
        yield _run_check(subject, check)


def _list_checks(settings: Callable[[], IndexSettings], llm: str | None) -> Iterator[tuple[str, Check]]:
    """The checks by subject; each loads the settings itself, as these may be what is wrong."""
    yield from (("package", partial(_check_package, name)) for name in PACKAGES)
    yield "embedding model", lambda: _check_embedder(settings().embedder)
    yield "reader", _check_reader
    yield "reranker", lambda: _check_reranker(AssistantSettings().reranker)
    yield "index", lambda: _check_index(settings().index_dir)
    yield "index files", lambda: _check_files(settings().index_dir)
    yield "index folder", lambda: _check_folder(settings().index_dir)
    yield "Chroma server", lambda: _check_chroma(settings().chroma_url)
    yield "chat model", lambda: _check_chat_model(llm or AssistantSettings().llm)
    yield "feedback", lambda: _check_feedback(AssistantSettings().feedback_path)
    yield "page", _check_page
    yield "clock", lambda: _check_clock(settings().index_dir)
    yield "open files", _check_open_files
    yield "disk", lambda: _check_disk(settings().index_dir)


def _run_check(subject: str, check: Check) -> Finding:
    try:
        return Finding(subject, True, redact(check()))
    except (KeyboardInterrupt, SystemExit):
        raise
    except PackageNotFoundError as error:
        message = f"{error.name} is not installed (pip install casecite)"
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        message = f"CASECITE_{str(first['loc'][0]).upper()}: {first['msg']} (docs/settings.md lists the settings)"
    except CaseciteError as error:
        message = str(error)
    except BaseException as error:  # a damaged installation may raise anything; a panic of Chroma is not an Exception
        message = f"{type(error).__name__}: {error} (pip install --force-reinstall casecite)"
    return Finding(subject, False, redact(" ".join(message.split())))


def _check_package(name: str) -> str:
    return f"{name} {version(name)}"


def _check_embedder(name: str) -> str:
    from index.embedding.embedder import has_fast_bfloat16, load_embedder

    precision = "bfloat16" if has_fast_bfloat16() else "float32"
    return f"{load_embedder(name).identity}, {precision}"


def _check_reader() -> str:
    from assistant.reading.reader import load_reader

    return f"packaged, weights {(load_reader().digest or '')[:12]}"


def _check_reranker(name: str | None) -> str:
    from assistant.reading.cross_encoder import load_reranker

    if name is None:
        return "none: the reader ranks"
    load_reranker(name)
    return name


def _check_index(index_dir: Path) -> str:
    from index.search.search import open_index

    manifest = open_index(index_dir).manifest
    return f"{manifest.record_count} records, built {manifest.age_days:.0f} days ago, in {index_dir}"


def _check_files(index_dir: Path) -> str:
    from index.maintenance.verify import verify_index

    if not IndexLayout(index_dir).finished_builds():
        return "none"
    report = verify_index(index_dir)
    if report.findings:
        raise NoIndexError("; ".join(map(str, report.findings)), remedy=str(report.remedy))
    return f"{report.file_count} unchanged since the build"


def _check_folder(index_dir: Path) -> str:
    """Whether the index can be updated."""
    layout = IndexLayout(index_dir)
    if not os.access(_find_existing(index_dir), os.W_OK):
        message = f"{index_dir} cannot be written: the index there answers, but it cannot be updated"
        raise WrongUseError(message, remedy="give this user the right to write it, unless that is meant")
    if not layout.builds_dir.is_dir():
        return "can be created"
    try:
        with layout.writing():
            left = layout.unfinished_builds()
    except BuildRunningError:
        return "is being written by another process"
    if left:
        names = ", ".join(folder.name for folder in left)
        raise WrongUseError(f"left by builds that were killed: {names}", remedy="casecite index gc removes it")
    return "can be written"


def _check_chroma(url: str | None) -> str:
    from index.storage.vector_store import check_server

    if url is None:
        return "none: vectors are in the index"
    check_server(url)
    return f"answers at {url}"


def _check_chat_model(llm: str | None) -> str:
    from assistant.generation.chat_models import ModelRequest, open_chat_model

    if llm is None:
        return "none: answers are made of quotes (set CASECITE_LLM=provider:model for prose)"
    settings = AssistantSettings()
    chat_model = open_chat_model(llm, settings.llm_base_url, settings.llm_window)
    request = ModelRequest("check", 2, [("user", _PROBE)])
    reply, seconds = _time(lambda: "".join(chat_model.stream(request)), f"the chat model {llm}")
    if seconds > SLOW_S:
        raise WrongUseError(f"the chat model {llm} took {seconds:.0f} s for one sentence", remedy="try a smaller one")
    if _FIGURE not in reply:
        raise WrongUseError(
            f"the chat model {llm} was told of {_FIGURE} mg, and asked how many: {reply[:80]!r}",
            remedy="its answers will mostly be replaced by quotes: try another CASECITE_LLM",
        )
    return f"{llm} answers in {seconds:.1f} s, its window is {chat_model.window:,} tokens"


def _time(ask: Callable[[], str], name: str) -> tuple[str, float]:
    """The reply and the seconds until it was complete; gives up after MODEL_WAIT_S."""
    replies: SimpleQueue[str | BaseException] = SimpleQueue()

    def wait() -> None:
        try:
            replies.put(ask())
        except BaseException as error:  # raised below
            replies.put(error)

    started = time.monotonic()
    Thread(target=wait, daemon=True).start()
    try:
        reply = replies.get(timeout=MODEL_WAIT_S)
    except Empty:
        raise WrongUseError(f"{name} said nothing in {MODEL_WAIT_S:.0f} s", remedy="see that it runs") from None
    if isinstance(reply, BaseException):
        raise reply
    return reply, time.monotonic() - started


def _check_feedback(path: Path) -> str:
    from assistant.feedback import FeedbackStore

    parent = _find_existing(path.parent)
    if not all(os.access(place, os.W_OK) for place in (parent, path) if place.exists()):
        remedy = "give this user the right to write it, or set CASECITE_FEEDBACK_PATH to another file"
        raise WrongUseError(f"feedback cannot be kept in {path}", remedy=remedy)
    return f"{sum(1 for _ in FeedbackStore(path))} verdicts in {path}"


def _check_page() -> str:
    known = {f"CASECITE_{name.upper()}" for name in (*IndexSettings.model_fields, *AssistantSettings.model_fields)}
    if not any(name.startswith("CASECITE_") and name not in known for name in os.environ):
        return "default settings"  # without importing Gradio, which is slow

    from assistant.api.settings import page_settings

    settings = page_settings()
    if unknown := [name for name in settings.editors if name not in settings.auth]:
        raise WrongUseError(
            f"CASECITE_EDITORS names who has no login: {', '.join(unknown)}",
            remedy="add them to CASECITE_AUTH, or take them out",
        )
    return f"{len(settings.auth) or 'no'} logins, {len(settings.editors) or 'no'} editors"


def _check_clock(index_dir: Path) -> str:
    from index.storage.manifest import read_manifest

    live = IndexLayout(index_dir).live_build()
    now = datetime.now(UTC)
    if live and live.is_dir() and (built := read_manifest(live).created_at) > now + CLOCK_ERROR:
        raise WrongUseError(
            f"it is {now:%Y-%m-%d %H:%M} UTC, and the index was built at {built:%Y-%m-%d %H:%M}",
            remedy="set the clock of this machine, or of the one that built the index",
        )
    return f"{now:%Y-%m-%d %H:%M} UTC"


def _check_open_files() -> str:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return "no limit"
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit < MIN_OPEN_FILES:
        raise WrongUseError(f"a process may open {limit}", remedy=f"raise the limit: ulimit -n {4 * MIN_OPEN_FILES}")
    return f"a process may open {limit:,}"


def _check_disk(index_dir: Path) -> str:
    folder = _find_existing(index_dir)
    free = shutil.disk_usage(folder).free
    state = f"{free / 1e9:.1f} GB free at {folder}"
    if free < LOW_DISK_BYTES:
        raise WrongUseError(state, remedy="free some space: a new build needs as much as the one in use")
    return state


def _find_existing(path: Path) -> Path:
    """The path, or its nearest parent folder that exists."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())
