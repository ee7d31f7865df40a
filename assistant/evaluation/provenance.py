"""Provenance of a run: version, commit, machine, index."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.evaluation.questions import QuestionSet
from assistant.evaluation.report import IndexInfo, MachineInfo, RunInfo
from index.storage.manifest import Manifest

if TYPE_CHECKING:
    from assistant.assistant import Assistant


def describe_run(assistant: Assistant, manifest: Manifest, questions: QuestionSet) -> RunInfo:
    """The details that are needed to repeat a run of these questions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return RunInfo(
        mode="ranking" if questions.qrels else "answers",
        questions=questions.source,
        qrels=questions.qrels,
        index=IndexInfo(
            build_id=manifest.build_id, record_count=manifest.record_count, embedder=str(manifest.embedder)
        ),
        settings_id=assistant.settings.settings_id,
        llm=assistant.settings.llm,
        casecite_version=version("casecite"),
        git_commit=find_commit(Path(__file__)),
        date=datetime.now(UTC).replace(microsecond=0),
        machine=MachineInfo(cores=cores, system=platform.platform(), python=platform.python_version()),
    )


def find_commit(source: Path) -> str | None:
    """The commit of the checkout that tracks a source file, with -dirty if the checkout was changed; or None."""
    git = shutil.which("git")
    if git is None or _run_git(git, source.parent, "ls-files", "--error-unmatch", source.name) is None:
        return None
    return _run_git(git, source.parent, "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*")


def _run_git(git: str, folder: Path, *arguments: str) -> str | None:
    command = [git, "-C", str(folder), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no user input
    return run.stdout.strip() if run.returncode == 0 else None
