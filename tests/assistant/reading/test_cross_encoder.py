"""A cross-encoder of one's own takes the record ranking, by setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant import Assistant
from assistant.reading.cross_encoder import load_reranker
from index import Record
from index.embedding.embedder import packaged_model
from index.errors import WrongUseError


def save_cross_encoder(folder: Path, labels: int) -> str:
    """A real cross-encoder in a folder: random weights, one layer, the packaged vocabulary."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, num_labels=labels
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(packaged_model()).save_pretrained(folder)
    return str(folder)


def test_the_cross_encoder_decides_which_record_is_first(demo_index_dir: Path, tmp_path: Path) -> None:
    name = save_cross_encoder(tmp_path, labels=1)
    query = "what was the BMD change under romosozumab?"
    with Assistant.open(demo_index_dir, reranker=name) as assistant:
        ranked = [passage.record for passage in assistant.search(query, assistant.settings.top_k)]
        scores = load_reranker(name).score_records(query, ranked)
    assert len(set(scores)) > 1
    assert scores == sorted(scores, reverse=True)


def test_a_reranker_that_cannot_be_loaded_is_named_with_the_remedy(tmp_path: Path) -> None:
    name = str(tmp_path / "none")
    with pytest.raises(WrongUseError, match=f"{name} cannot be loaded.*CASECITE_RERANKER"):
        load_reranker(name)


def test_a_classifier_is_no_reranker(tmp_path: Path) -> None:
    with pytest.raises(WrongUseError, match="gives 3 scores for a pair"):
        load_reranker(save_cross_encoder(tmp_path, labels=3))


def test_a_score_for_each_record(tmp_path: Path) -> None:
    records = [Record(record_id=f"pmid:{n}", abstract="Gout. " * n, content_hash=str(n)) for n in (1, 400)]
    assert len(load_reranker(save_cross_encoder(tmp_path, labels=1)).score_records("gout?", records)) == 2
