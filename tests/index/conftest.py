"""A small embedding model for tests of the index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index.embedding.embedder import packaged_model


@pytest.fixture(scope="session")
def static_embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fast model: a text is the mean of one random vector per word, so shared words mean similarity."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(packaged_model() / "tokenizer.json"))
    words = np.random.default_rng(0).normal(size=(tokenizer.get_vocab_size(), 32)).astype(np.float32)
    folder = tmp_path_factory.mktemp("embedder") / "static"
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=words)]).save(str(folder))
    return folder
