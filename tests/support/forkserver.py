"""The process that others are forked from: it has imported all, and run nothing of it. There can be only one."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    [
        "assistant.reading.network",
        "chromadb.api.rust",
        "chromadb.telemetry.product.posthog",
        "index.embedding.packed_bert",
        "index.building.build",
        "nupunkt",
        "pytest",
        "sentence_transformers",
        "tests.support.crash_workers",
        "tests.index.storage.test_store",
    ]
)


def own_settings() -> dict[str, str]:
    """The settings of this process, for one that is forked."""
    return {name: value for name, value in os.environ.items() if name.startswith("CASECITE_")}


def take_settings(settings: Mapping[str, str]) -> None:
    """Have these settings, and none of the test in which the first process was forked."""
    for name in own_settings():
        del os.environ[name]
    os.environ.update(settings)
