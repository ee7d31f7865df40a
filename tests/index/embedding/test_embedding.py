"""Vectors are those of the unmodified model, deterministic, and of the right shape, for packaged and other models."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, StaticEmbedding, Transformer
from transformers import BertConfig, BertModel

from index import DEMO_RECORDS, Record, read_records
from index.embedding import packed_bert as bert
from index.embedding.embedder import Vectors, load_embedder, packaged_model
from index.embedding.packed_bert import PackedEncoder
from index.ingest.chunking import chunk_record, embedding_text

SAME = 0.999
PROMPTS = {"query": "Represent this question: ", "document": "Represent this report: "}


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """A tenth of the chunks of the demo, one text longer than the model's limit, and short ones."""
    records = [record for record in read_records([DEMO_RECORDS]) if isinstance(record, Record)]
    chunks = [embedding_text(record, chunk) for record in records[::10] for chunk in chunk_record(record)]
    return [*chunks, " ".join(chunks[:4]), "Fever.", "BMD under romosozumab", "10 μg/m²", " ", ""]


@pytest.fixture
def small_bert(tmp_path: Path) -> Callable[..., str]:
    """Writes a random BERT with two layers, prompts and CLS pooling."""

    def write(**config: Any) -> str:
        tokenizer = load_embedder().model.tokenizer
        torch.manual_seed(7)
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
        # With smaller weights the vectors of all texts would be similar.
        made = BertModel(BertConfig(vocab_size=len(tokenizer), initializer_range=0.2, **sizes, **config))
        made.save_pretrained(tmp_path / "bert")
        tokenizer.save_pretrained(tmp_path / "bert")
        words = Transformer(str(tmp_path / "bert"), max_seq_length=64)
        model = SentenceTransformer(modules=[words, Pooling(32, pooling_mode="cls"), Normalize()], prompts=PROMPTS)
        model.save(str(tmp_path / "model"))
        return str(tmp_path / "model")

    return write


def plain_model(folder: str | Path) -> SentenceTransformer:
    return SentenceTransformer(str(folder), local_files_only=True, model_kwargs={"dtype": torch.float32})


def similarities(some: Any, others: Any) -> Vectors:
    some, others = (np.asarray(vectors, dtype=np.float64) for vectors in (some, others))
    return (some * others).sum(-1) / np.linalg.norm(some, axis=-1) / np.linalg.norm(others, axis=-1)


def test_vectors_are_those_of_the_plain_model_in_float32(texts: list[str]) -> None:
    embedder, plain = load_embedder(), plain_model(packaged_model())
    vectors = embedder.embed_documents(texts)
    folded = [unicodedata.normalize("NFKC", text) for text in texts]
    assert similarities(vectors, plain.encode_document(folded)).min() >= SAME
    assert (vectors.shape, vectors.dtype) == ((len(texts), 384), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    question = "what was the BMD change under romosozumab?"
    assert similarities(embedder.embed_query(question), plain.encode_query(question)) >= SAME


def test_the_packaged_model_does_no_work_on_padding() -> None:
    """No other test would fail without the packed layers, only the speed would."""
    packed = isinstance(load_embedder().model[0].auto_model.encoder, PackedEncoder)
    assert packed == bert._has_fused_kernels()


def test_the_same_texts_give_the_same_bytes_in_any_thread(texts: list[str]) -> None:
    embedder = load_embedder()
    here = embedder.embed_documents(texts).tobytes()
    with ThreadPoolExecutor(2) as pool:
        there = [vectors.tobytes() for vectors in pool.map(embedder.embed_documents, [texts, texts])]
    assert there == [here, here]


def test_no_texts_give_no_vectors_and_empty_texts_one_each() -> None:
    embedder = load_embedder()
    assert embedder.embed_documents([]).shape == (0, 384)
    vectors = embedder.embed_documents(["", "Fever.", " \n "])
    assert similarities(vectors[0], vectors[2]) >= SAME
    assert similarities(vectors[0], vectors[1]) < SAME


@pytest.mark.parametrize("activation", ["gelu", "relu"])
def test_another_model_keeps_its_prompts_and_pooling(
    activation: str, small_bert: Callable[..., str], texts: list[str]
) -> None:
    folder = small_bert(hidden_act=activation)
    embedder, plain = load_embedder(folder), plain_model(folder)
    texts = [text for text in texts if text.isascii()]
    assert similarities(embedder.embed_documents(texts), plain.encode_document(texts)).min() >= SAME
    query = "what was the BMD change?"
    assert similarities(embedder.embed_query(query), plain.encode_query(query)) >= SAME
    assert similarities(embedder.embed_query(query), embedder.embed_documents([query])[0]) < SAME, "prompts differ"


def test_without_the_kernels_the_model_keeps_its_own_layers(
    small_bert: Callable[..., str], texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bert, "_has_fused_kernels", lambda: False)
    folder = small_bert()
    embedder, plain = load_embedder(folder), plain_model(folder)
    assert not isinstance(embedder.model[0].auto_model.encoder, PackedEncoder)
    assert similarities(embedder.embed_documents(texts[:3]), plain.encode_document(texts[:3])).min() >= SAME


def test_a_static_model_works(tmp_path: Path) -> None:
    words = StaticEmbedding(load_embedder().model.tokenizer.backend_tokenizer, embedding_dim=16)
    SentenceTransformer(modules=[words]).save(str(tmp_path))
    embedder, plain = load_embedder(str(tmp_path)), plain_model(tmp_path)
    vectors = embedder.embed_documents(["A fall.", "Fever after a long flight", ""])
    assert (vectors.shape, embedder.identity.dimension) == ((3, 16), 16)
    assert similarities(vectors[:2], plain.encode_document(["A fall.", "Fever after a long flight"])).min() >= SAME
