"""The reader model with the packaged weights: which record answers a query, and which of its sentences."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from index.embedding.embedder import has_fast_bfloat16, packaged_model
from index.errors import NoIndexError

if TYPE_CHECKING:
    from assistant.reading.network import ReaderNetwork
    from assistant.reading.rows import Report, RowMaker

WEIGHTS = "reader.safetensors"
CARD = "reader.json"
_REMEDY = "pip install --force-reinstall casecite"
# Training leaves this weight of the packaged MiniLM unchanged, so it is loaded from there and not stored twice.
WORD_EMBEDDINGS = "encoder.embeddings.word_embeddings.weight"


class Reading(NamedTuple):
    """The reader's output for one record, as logits against "not answered here" (0).

    Attributes:
        record: that the record answers.
        title: that the answer, if the record has it, is in the title.
        sentences: the same for each sentence of the abstract, in order.
    """

    record: float
    title: float
    sentences: tuple[float, ...]


class Reader:
    """Scores records for a query. Safe to share between threads.

    `digest` is the SHA-256 of the weights, if they come from a file.
    """

    def __init__(self, network: ReaderNetwork, rows: RowMaker, digest: str | None = None) -> None:
        self._network = network
        self._rows = rows
        self.digest = digest

    def read(self, query: str, reports: Sequence[Report]) -> list[Reading]:
        """One reading for each record, in order."""
        import torch

        if not reports:
            return []
        rows = [self._rows.make_rows(query, report) for report in reports]
        with torch.inference_mode():
            records, spans = self._network([row for rows_of_one in rows for row in rows_of_one])
        records_left, spans_left = iter(records.tolist()), iter(spans)
        readings = []
        for report, rows_of_one in zip(reports, rows, strict=True):
            sentences = [-float("inf")] * len(report.sentences)
            title = record = -float("inf")
            for row in rows_of_one:
                title_logit, *logits = next(spans_left).tolist()
                record, title = max(record, next(records_left)), max(title, title_logit)
                for place, logit in enumerate(logits, row.first_sentence):
                    sentences[place] = max(sentences[place], logit)
            readings.append(Reading(record=record, title=title, sentences=tuple(sentences)))
        return readings


_loading = threading.Lock()


def load_reader() -> Reader:
    """The packaged reader, loaded once in a process.

    Raises:
        NoIndexError: the packaged weights are damaged.
    """
    with _loading:
        return _load_reader()


@lru_cache(maxsize=1)
def _load_reader() -> Reader:
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    from assistant.reading.network import make_network
    from assistant.reading.rows import RowMaker

    base = packaged_model()
    network = make_network(base)
    weights, digest = _check_weights()
    missing, unknown = network.load_state_dict(load_file(weights), strict=False)
    if missing != [WORD_EMBEDDINGS] or unknown:
        raise NoIndexError(f"the packaged reader does not fit its network: {missing}, {unknown}", remedy=_REMEDY)
    if has_fast_bfloat16():
        network.encoder.bfloat16()
    return Reader(network.eval(), RowMaker(Tokenizer.from_file(str(base / "tokenizer.json"))), digest)


def _check_weights() -> tuple[Path, str]:
    """The file of the weights and its SHA-256, checked against the model card."""
    folder = Path(str(files("assistant.reading")))
    stated = json.loads((folder / CARD).read_text("utf-8"))["sha256"]
    with (folder / WEIGHTS).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != stated:
        raise NoIndexError(
            f"the packaged reader in {folder} is damaged: SHA-256 {digest}, should be {stated}", remedy=_REMEDY
        )
    return folder / WEIGHTS, digest
