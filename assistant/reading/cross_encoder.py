"""An optional cross-encoder, such as MedCPT's or a bge-reranker, that ranks the records instead of the reader."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from index.errors import WrongUseError, first_line
from index.types import Record

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

BATCH_SIZE = 16
_loading = threading.Lock()


class Reranker:
    """Scores records for a query with a cross-encoder that has one output. Safe to share between threads."""

    def __init__(self, model: CrossEncoder) -> None:
        self._model = model

    def score_records(self, query: str, records: Sequence[Record]) -> list[float]:
        """One score for each record, higher for better; a record that is too long for the model is truncated."""
        pairs = [(query, record.text) for record in records]
        return [float(score) for score in self._model.predict(pairs, batch_size=BATCH_SIZE, show_progress_bar=False)]


def load_reranker(name: str) -> Reranker:
    """A cross-encoder by its name on the hub or its folder, loaded once in a process.

    Raises:
        WrongUseError: there is no such model, it cannot be fetched, or it does not give one score for a pair.
    """
    with _loading:
        return _load_reranker(name)


@lru_cache(maxsize=1)
def _load_reranker(name: str) -> Reranker:
    from sentence_transformers import CrossEncoder

    remedy = "set CASECITE_RERANKER to a cross-encoder of the hub or to its folder, or unset it"
    try:
        model = CrossEncoder(name)
    except (OSError, ValueError, ImportError) as error:
        raise WrongUseError(f"the reranker {name} cannot be loaded: {first_line(error)}", remedy=remedy) from error
    if model.num_labels != 1:
        raise WrongUseError(f"the reranker {name} gives {model.num_labels} scores for a pair, not one", remedy=remedy)
    return Reranker(model)
