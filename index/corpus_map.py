"""A map of a library in the plane: similar records are near each other, in groups labelled with their words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log

import numpy as np
from numpy.typing import NDArray

from index.embedding.embedder import Vectors
from index.search.snapshot import Snapshot
from index.text.terms import analyse
from index.types import Chunk, Record

MAX_MAP_RECORDS = 2_000
MAX_GROUPS = 8
MIN_GROUP_RECORDS = 10  # on average
LABEL_WORDS = 3
BATCH_RECORDS = 500
MIN_TSNE_RECORDS = 10  # fewer records have no neighbourhoods to preserve
PRINCIPAL_COMPONENTS = 50

Places = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPoint:
    """The position of a record: `x` and `y` from 0 to 1, `group` the label of its group."""

    record_id: str
    name: str
    year: int | None
    retracted: bool
    x: float
    y: float
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusMap:
    """The points of a map and the labels of its groups, the largest first.

    `record_count` is the number of records of the library. If there are fewer points, they are a sample at even
    distances in the order of the library.
    """

    points: tuple[MapPoint, ...]
    groups: tuple[str, ...]
    record_count: int


def map_corpus(build: Snapshot, max_records: int = MAX_MAP_RECORDS) -> CorpusMap:
    """Map the records of a build, at most `max_records` of them. The same build gives the same map.

    2,000 records take about 4 seconds on one core; other threads continue meanwhile.
    """
    from threadpoolctl import threadpool_limits

    sample = _sample(build, max_records)
    records = [record for record, _ in sample]
    with threadpool_limits(1, user_api="openmp"):  # the other cores remain free for questions
        vectors = _reduce(_record_vectors(build, sample))
        places = _fit_into_unit_square(_project(vectors))
        groups = _group(vectors)
    labels = _label_groups(records, groups, build.term_weight)
    points = tuple(
        MapPoint(
            record_id=record.record_id,
            name=record.name,
            year=record.year,
            retracted=record.retracted,
            x=x,
            y=y,
            group=labels[group],
        )
        for record, (x, y), group in zip(records, places.tolist(), groups, strict=True)
    )
    by_size = tuple(labels[group] for group, _ in Counter(groups).most_common())
    return CorpusMap(points=points, groups=by_size, record_count=build.manifest.record_count)


def _sample(build: Snapshot, max_records: int) -> list[tuple[Record, list[Chunk]]]:
    """The records with their chunks, at most `max_records` at even distances."""
    total = build.manifest.record_count
    size = min(total, max(1, max_records))
    wanted = {number * total // size for number in range(size)}
    return [pair for position, pair in enumerate(build.iter_records()) if position in wanted]


def _record_vectors(build: Snapshot, sample: Sequence[tuple[Record, list[Chunk]]]) -> Vectors:
    """The mean of each record's chunk vectors, unit length, shape (len(sample), dimension)."""
    means = []
    for start in range(0, len(sample), BATCH_RECORDS):
        batch = [record.record_id for record, _ in sample[start : start + BATCH_RECORDS]]
        vectors = build.record_vectors(batch)
        means += [np.mean(vectors[record_id], axis=0) for record_id in batch]
    stacked = np.stack(means)
    lengths = np.linalg.norm(stacked, axis=1, keepdims=True)
    return np.asarray(stacked / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def _reduce(vectors: Vectors) -> Vectors:
    """The principal components of the vectors: at least two, filled with zeros if there are few records."""
    from sklearn.decomposition import PCA

    count = min(PRINCIPAL_COMPONENTS, *vectors.shape)
    reduced = np.zeros((len(vectors), max(2, count)), dtype=np.float32)
    if _count_distinct(vectors) > 1:
        reduced[:, :count] = PCA(count, random_state=0).fit_transform(vectors)
    return reduced


def _project(vectors: Vectors) -> Places:
    """Positions in the plane, shape (len(vectors), 2): by t-SNE, or the first components if there are few records."""
    if _count_distinct(vectors) < MIN_TSNE_RECORDS:
        return np.asarray(vectors[:, :2], dtype=np.float64)
    from sklearn.manifold import TSNE

    # A coarser angle and half of the default steps halve the time without a loss in `trustworthiness`.
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    tsne = TSNE(init="pca", perplexity=perplexity, angle=0.8, max_iter=500, random_state=0)
    return np.asarray(tsne.fit_transform(vectors), dtype=np.float64)


def _fit_into_unit_square(places: Places) -> Places:
    """Scale each axis to 0 to 1; identical values become 0.5."""
    low, high = places.min(axis=0), places.max(axis=0)
    extent = high - low
    return np.where(extent > 0, (places - low) / np.where(extent > 0, extent, 1), 0.5)


def _group(vectors: Vectors) -> list[int]:
    """The number of each record's group."""
    from sklearn.cluster import KMeans

    count = min(MAX_GROUPS, len(vectors) // MIN_GROUP_RECORDS, _count_distinct(vectors))
    if count < 2:
        return [0] * len(vectors)
    return [int(group) for group in KMeans(count, n_init=4, random_state=0).fit_predict(vectors)]


def _count_distinct(vectors: Vectors) -> int:
    return len(np.unique(vectors.round(3), axis=0))


def _label_groups(
    records: Sequence[Record], groups: Sequence[int], term_weight: Callable[[str], float]
) -> dict[int, str]:
    """A label for each group: its most distinctive words, each in one label only."""
    if len(set(groups)) < 2:
        return {0: "all records"}
    within: dict[int, Counter[str]] = {}
    for record, group in zip(records, groups, strict=True):
        within.setdefault(group, Counter()).update(_words(record.text))
    everywhere = sum(within.values(), Counter())
    best: dict[str, tuple[float, int]] = {}
    for group, size in Counter(groups).items():
        for word, count in within[group].items():
            if count > 1:
                score = count / size * log(count / size * len(records) / everywhere[word]) * term_weight(_stem(word))
                best[word] = max(best.get(word, (0.0, group)), (score, group))
    return {group: _label(group, best) for group in within}


def _label(group: int, best: Mapping[str, tuple[float, int]]) -> str:
    """The best words of this group, one per word stem."""
    own = sorted((-score, word) for word, (score, its_group) in best.items() if its_group == group)
    families = {_stem(word): word for _, word in reversed(own)}
    words = sorted(families.values(), key=lambda word: -best[word][0])[:LABEL_WORDS]
    return ", ".join(words) or f"group {group + 1}"


def _words(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.casefold()) if _stem(word)}


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    """The analysed term of a word; "" for a stop word."""
    return " ".join(analyse(word))


_WORD = re.compile(r"[^\W\d_]{3,}")
