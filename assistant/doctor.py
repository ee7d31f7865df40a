"""What is installed and in use, and what to fix."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from assistant.settings import AssistantSettings
from index.errors import CaseciteError
from index.settings import index_settings

PACKAGES = ("casecite", "chromadb", "gradio", "langchain", "sentence-transformers", "tantivy", "torch")
LOW_DISK_BYTES = 1_000_000_000


class Finding(NamedTuple):
    """One thing that was looked at: how it is, or what is wrong and what to do."""

    subject: str
    is_ok: bool
    detail: str


def examine(index_dir: Path | None = None, llm: str | None = None) -> Iterator[Finding]:
    """Look at the installation, the models, the index, the chat model and the disk, in this order."""
    yield Finding("python", sys.version_info >= (3, 11), sys.version.split()[0])
    for name in PACKAGES:
        yield _examine("package", partial(_describe_package, name))
    settings = index_settings(index_dir)
    yield _examine("embedding model", lambda: _describe_embedder(settings.embedder))
    yield _examine("reader", _describe_reader)
    if reranker := AssistantSettings().reranker:
        yield _examine("reranker", lambda: _describe_reranker(reranker))
    yield _examine("index", lambda: _describe_index(settings.index_dir))
    yield _examine("chat model", lambda: _describe_chat_model(llm or AssistantSettings().llm))
    folder = next(path for path in (settings.index_dir, *settings.index_dir.absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    yield Finding("disk", free > LOW_DISK_BYTES, f"{free / 1e9:.1f} GB free at {folder}")


def _examine(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, look())
    except CaseciteError as error:
        return Finding(subject, False, str(error))
    except PackageNotFoundError as error:
        return Finding(subject, False, f"{error.name} is not installed (pip install casecite)")


def _describe_package(name: str) -> str:
    return f"{name} {version(name)}"


def _describe_embedder(name: str) -> str:
    from index.embedding import has_fast_bfloat16, load_embedder

    precision = "bfloat16" if has_fast_bfloat16() else "float32"
    return f"{load_embedder(name).identity}, {precision}"


def _describe_reader() -> str:
    from assistant.reader import load_reader

    return f"packaged, weights {(load_reader().digest or '')[:12]}"


def _describe_reranker(name: str) -> str:
    from assistant.reranking import load_reranker

    load_reranker(name)
    return name


def _describe_index(index_dir: Path) -> str:
    from index.search import open_index

    manifest = open_index(index_dir).manifest
    return f"{manifest.record_count} records, built {manifest.age_days:.0f} days ago, in {index_dir}"


def _describe_chat_model(llm: str | None) -> str:
    from assistant.chat_models import open_chat_model

    if llm is None:
        return "none: answers are made of quotes (set CASECITE_LLM=provider:model for prose)"
    settings = AssistantSettings()
    chat_model = open_chat_model(llm, settings.llm_base_url, settings.llm_window)
    chat_model.check()
    return f"{llm} answers, and takes {chat_model.window:,} tokens"
