"""Embed on the machines of a Ray cluster, through Ray Data."""

from __future__ import annotations

import logging
import os
import pickle
import platform
import re
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from index.building.indexing import CHUNKS_A_PART, Step
from index.embedding.embedder import Embedder, EmbedderIdentity, Vectors, load_embedder
from index.errors import BuildFailedError, CaseciteError, WrongUseError

if TYPE_CHECKING:
    import pyarrow

Embed = Callable[[Iterable[Step], Embedder, Callable[[int], None]], Iterator[tuple[Step, dict[str, Vectors]]]]
"""Embeds the steps of a build, in order: `index.building.indexing.embed_ahead`, or what `embed_with_ray` returns."""

LOCAL, AUTO = "local", "auto"
CONNECT_TIMEOUT_S = 10
_REASON = re.compile(r"^(?:\w+\.)*(\w+(?:Error|Exception): .+)", re.MULTILINE)


def embed_with_ray(address: str, folder: Path) -> Embed:
    """Embed on the Ray cluster at `address`, or on one that is started for the build on this machine (`local`).

    The steps wait in `folder` until they are embedded, so memory does not grow with their number. A worker embeds the
    same batches as `embed_ahead`, but on one thread and perhaps another processor, so the last bits of a vector may
    differ from those that this process would compute (docs/experiments/building.md, "Vectors of Ray workers").

    Raises:
        WrongUseError: Ray is not installed.
    """
    if find_spec("ray") is None:
        raise WrongUseError(
            "CASECITE_RAY_ADDRESS is set, but Ray is not installed",
            remedy="pip install 'casecite[ray]', or unset CASECITE_RAY_ADDRESS",
        )
    return partial(_embed_steps, address=address, folder=folder)


def _embed_steps(
    steps: Iterable[Step], embedder: Embedder, report: Callable[[int], None], *, address: str, folder: Path
) -> Iterator[tuple[Step, dict[str, Vectors]]]:
    folder.mkdir()
    try:
        files, new = _write_steps(steps, folder)
        with _connection(address) if new else nullcontext():
            embedded = _embed_files(new, embedder.identity)
            for path in files:
                step = _read_step(path)
                vectors = next(embedded) if step.texts else ()
                report(len(step.chunks))
                yield step, step.vectors | dict(zip(_chunk_ids(step), vectors, strict=True))
    finally:
        shutil.rmtree(folder)


def _write_steps(steps: Iterable[Step], folder: Path) -> tuple[list[str], list[str]]:
    """The files of all steps, and of those with texts to embed."""
    files, new = [], []
    for number, step in enumerate(steps):
        path = folder / str(number)
        path.write_bytes(pickle.dumps(step))
        files.append(str(path))
        new += [str(path)] if step.texts else []
    return files, new


def _read_step(path: str) -> Step:
    step: Step = pickle.loads(Path(path).read_bytes())  # noqa: S301 - written above
    return step


def _chunk_ids(step: Step) -> list[str]:
    return [chunk_id for part in step.parts() for chunk_id in part]


@contextmanager
def _connection(address: str) -> Iterator[None]:
    """A connection to the cluster, without Ray's usage reports.

    Raises:
        WrongUseError: no cluster answers.
        BuildFailedError: a Ray task failed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray
    from ray.exceptions import RayError

    _connect(address)
    try:
        yield
    except RayError as error:
        reason = (_REASON.findall(str(error)) or str(error).splitlines())[-1].removeprefix("RuntimeError: ")
        raise BuildFailedError(
            f"embedding with Ray failed: {reason}; the index in use is unchanged",
            remedy="fix that and build again, or unset CASECITE_RAY_ADDRESS",
        ) from error
    finally:
        ray.shutdown()


def _connect(address: str) -> None:
    import ray

    if address not in (LOCAL, AUTO):
        _check_somebody_listens(address)
    dashboard = False if address == LOCAL else None
    try:
        ray.init(address, include_dashboard=dashboard, log_to_driver=False, logging_level=logging.CRITICAL)
    except ConnectionError as error:
        remedy = (
            "join this machine to it (ray start); where it has a token, set RAY_AUTH_MODE=token and give that token"
        )
        raise WrongUseError(f"this process cannot join the Ray cluster at {address}", remedy=remedy) from error


def _check_somebody_listens(address: str) -> None:
    """`ray.init` would wait for ever."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        remedy = f"start one (ray start --head) and give its HOST:PORT, or set CASECITE_RAY_ADDRESS to {LOCAL}"
        raise WrongUseError(f"no Ray cluster answers at {address}", remedy=remedy) from error


def _embed_files(files: Sequence[str], identity: EmbedderIdentity) -> Iterator[Vectors]:
    """The vectors of the texts of each step, in the order of the steps.

    A worker that dies is replaced, and its unfinished step is embedded again.
    """
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = DataContext()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    with DataContext.current(context):
        paths = ray.data.from_items([{"path": path} for path in files], override_num_blocks=len(files))
        here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}  # the files are on this machine
        texts = paths.map(_read_texts, num_cpus=0, concurrency=1, label_selector=here)
        resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
        processor = "GPU" if resources.get("GPU") else "CPU"
        workers = min(int(resources.get(processor, 1)), len(files))
        rows = texts.map_batches(
            _StepEmbedder,
            fn_constructor_args=[identity],
            batch_size=1,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(size=workers),
            num_cpus=1 if processor == "CPU" else None,
            num_gpus=1 if processor == "GPU" else None,
        )
        for row in rows.iter_rows():
            yield np.frombuffer(row["vectors"], dtype=np.float32).reshape(-1, identity.dimension)


def _read_texts(row: dict[str, Any]) -> dict[str, Any]:
    step = _read_step(row["path"])
    return {"texts": [step.texts[chunk_id] for chunk_id in _chunk_ids(step)]}


class _StepEmbedder:
    """A worker process on any machine of the cluster that embeds one step after another."""

    def __init__(self, identity: EmbedderIdentity) -> None:
        try:
            self._embedder = load_embedder(identity.name)
        except CaseciteError as error:
            raise RuntimeError(f"on {platform.node()} {error}") from None
        if self._embedder.identity != identity:
            raise RuntimeError(f"the model is {self._embedder.identity} on {platform.node()}, here {identity}")

    def __call__(self, batch: pyarrow.Table) -> pyarrow.Table:
        import pyarrow

        return pyarrow.table({"vectors": [self._embed(texts).tobytes() for texts in batch["texts"].to_pylist()]})

    def _embed(self, texts: Sequence[str]) -> Vectors:
        """In the same parts as `embed_ahead`, so that batches are the same."""
        parts = [texts[start : start + CHUNKS_A_PART] for start in range(0, len(texts), CHUNKS_A_PART)]
        return np.concatenate([self._embedder.embed_documents(part) for part in parts])
