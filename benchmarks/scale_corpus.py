"""Corpora of any size made of real records, and a stand-in for the embedding model that costs next to nothing.

A made record joins the first half of the sentences of one record to the second half of another's, under a title made
the same way: the words, lengths and sections of real abstracts, and no text twice.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from index import Record, read_records
from index.embedding.embedder import load_embedder, packaged_model
from index.text.sentences import split_sentences


def write_corpus(source: str, count: int, target: Path) -> None:
    """Write `count` records to a JSONL file: the first ones of the source, then made ones."""
    records = [item for item in read_records([source]) if isinstance(item, Record)]
    with target.open("w", encoding="utf-8") as lines:
        for record in records[:count]:
            lines.write(json.dumps(record.to_dict(), ensure_ascii=False) + "\n")
        for made in itertools.islice(_make_records(records), max(0, count - len(records))):
            lines.write(json.dumps(made, ensure_ascii=False) + "\n")


def _make_records(records: list[Record]) -> Iterator[dict[str, Any]]:
    draw = random.Random(1)
    for number in itertools.count():
        first, second = draw.sample(records, 2)
        begin, end = _halves(first.abstract)[0], _halves(second.abstract)[1]
        if not end:  # of one sentence: the record would be a copy, cut off
            continue
        yield {
            "pmid": str(500_000_000 + number),
            "title": f"{_halve_words(first.name)[0]} {_halve_words(second.name)[1]}",
            "abstract": f"{begin} {end}",
            "journal": first.journal,
            "year": second.year,
            "publication_types": list(first.publication_types),
        }


def _halves(abstract: str) -> tuple[str, str]:
    sentences = [abstract[start:end] for start, end in split_sentences(abstract)]
    middle = (len(sentences) + 1) // 2
    return " ".join(sentences[:middle]), " ".join(sentences[middle:])


def _halve_words(title: str) -> tuple[str, str]:
    words = title.split()
    return " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])


def find_stand_in(work: Path) -> Path:
    """A static model of the packaged one's vocabulary and dimension, made in the folder `work` if it is not there.

    It embeds a text as the mean of its words' vectors.
    """
    if not (work / "stand-in").exists():
        _save_stand_in(work / "stand-in")
    return work / "stand-in"


def _save_stand_in(folder: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(packaged_model() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    words = sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])
    vectors = load_embedder().embed_documents([word.removeprefix("##") for word, _ in words])
    # Around their mean, or all texts would be alike.
    static = StaticEmbedding(tokenizer, embedding_weights=vectors - vectors.mean(axis=0))
    SentenceTransformer(modules=[static]).save(str(folder))
