"""Whether records of the same report are found to be, and others are not: writes docs/results/identity.json.

    python -m benchmarks.measure_identity ../shared/data

Real corpora, whose records bear ids that tell which report they are of, are taken one by one and all together. For the
test of two sources real records come twice: with a DOI alone, and with a PubMed number alone and typeset otherwise.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.results import write_result
from index import Record, read_records
from index.building.deduplication import identity_keys, is_news, merge_records, same_reports, shared_words
from index.building.merging import Intake
from index.ingest.readers import read_sources
from index.storage.record_store import RecordStore

CORPORA = ("cases", "phee", "scifact", "scale")
SAMPLE = 1_000
RANDOM_PAIRS = 200_000
CUT_CHARS = 500
MIN_CHARS = 600  # of an abstract that is cut

Typeset = Callable[[dict[str, Any]], dict[str, Any]]


def main(data: str) -> None:
    """Measure all and write the results."""
    files = {name: Path(data) / name / "records.jsonl.gz" for name in CORPORA}
    figures = {
        "corpora": {name: measure_corpora([path]) for name, path in files.items()},
        "together": measure_corpora(list(files.values())),
        "two_sources": measure_two_sources(files["cases"]),
        "shared_words": measure_shared_words(files["scale"]),
        "intake": measure_intake(files["scale"]),
    }
    write_result("identity", "python -m benchmarks.measure_identity ../shared/data", figures)


class _Taken:
    """The records of an intake in a folder that goes away, and what its parts were called."""

    def __init__(self, folder: str, before: Path | None = None) -> None:
        self.path = Path(folder) / ("again.sqlite" if before else "records.sqlite")
        self.store = RecordStore.create(self.path, before)
        self.intake = Intake(Path(folder), self.store)

    def take(self, paths: Sequence[Path]) -> None:
        for item in read_sources(paths):
            self.intake.take(item)
        self.intake.close()

    def groups(self) -> list[set[str]]:
        """The ids that came in, by the record that they are in now."""
        return [{str(record.source_id), record.record_id, *record.other_ids} for record, _ in self.store]


def measure_corpora(paths: Sequence[Path]) -> dict[str, Any]:
    """What was joined, and which of it bears ids of different reports."""
    with TemporaryDirectory() as folder:
        taken = _Taken(folder)
        taken.take(paths)
        tally = taken.intake.tally
        joined = [sorted({_report_of(name) for name in group if _is_own_id(name)}) for group in taken.groups()]
        return {
            "records": tally.added,
            "duplicates": tally.duplicates,
            "merged": tally.merged,
            "rejected": tally.rejected_count,
            "joined_by_text": [names for names in joined if len(names) > 1],
        }


def _is_own_id(name: str) -> bool:
    """Whether an id is one that the corpora give, not made of a DOI or a text."""
    return not name.startswith(("doi:", "sha256:"))


def _report_of(name: str) -> str:
    """The report that an id means: one corpus is part of another, under a prefix."""
    return name.removeprefix("scifact:")


def measure_two_sources(path: Path) -> dict[str, Any]:
    """How many of the pairs were joined, by what the second source does to them, and how many wrong records arose."""
    sample = _sample(path)
    kinds = {number: sorted(TYPESETTING)[number % len(TYPESETTING)] for number in range(len(sample))}
    first = [{"doi": f"10.5555/{number}", **raw} for number, raw in enumerate(sample)]
    second = [{"pmid": str(number + 1), **TYPESETTING[kinds[number]](raw)} for number, raw in enumerate(sample)]
    with TemporaryDirectory() as folder:
        taken = _Taken(folder)
        taken.take([_write(Path(folder) / "first.jsonl", first), _write(Path(folder) / "second.jsonl", second)])
        records = [record for record, _ in taken.store]
    joined = [record for record in records if record.doi and record.pmid]
    right = [record for record in joined if record.doi == f"10.5555/{int(str(record.pmid)) - 1}"]
    right_by_kind = Counter(kinds[int(str(record.pmid)) - 1] for record in right)
    pairs_by_kind = Counter(kinds.values())
    return {
        "pairs": len(sample),
        "joined": len(right),
        "wrong": len(joined) - len(right),
        "by_kind": {kind: {"pairs": count, "joined": right_by_kind[kind]} for kind, count in pairs_by_kind.items()},
    }


def _sample(path: Path) -> list[dict[str, Any]]:
    """Titles and abstracts of records that are long enough to be cut: half of them have a title."""
    records = [item for item in read_records([path]) if isinstance(item, Record) and len(item.abstract) >= MIN_CHARS]
    titled = [record for record in records if record.title][: SAMPLE // 2]
    untitled = [record for record in records if not record.title][: SAMPLE - len(titled)]
    chosen = [{"title": record.title, "abstract": record.abstract} for record in (*titled, *untitled)]
    random.Random(0).shuffle(chosen)
    return chosen


def _write(path: Path, raws: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(raw, ensure_ascii=False) + "\n" for raw in raws), "utf-8")
    return path


def _both(change: Callable[[str], str]) -> Typeset:
    """A source that changes title and abstract alike."""
    return lambda raw: {name: change(text) if text else text for name, text in raw.items()}


def _abstract(change: Callable[[str], str]) -> Typeset:
    return lambda raw: raw | {"abstract": change(raw["abstract"])}


def _drop_words(text: str) -> str:
    """A text without every twentieth word, as one that was corrected in many places."""
    words = text.split()
    return " ".join(word for number, word in enumerate(words, 1) if number % 20)


TYPESETTING: dict[str, Typeset] = {
    "as it is": _both(str),
    "title in brackets and capitals": lambda raw: raw | {"title": raw["title"] and f"[{raw['title'].upper()}]."},
    "hyphens and quotes changed": _both(lambda text: text.replace("-", "\u2010").replace("'", "\u2019")),
    "markup": _abstract(lambda text: "<jats:p>" + text.replace(". ", ".</jats:p> <jats:p>") + "</jats:p>"),
    "lower case, accents lost": _both(lambda text: text.lower().encode("ascii", "ignore").decode()),
    "cut at 500 characters": _abstract(lambda text: text[:CUT_CHARS] + "..."),
    "cut at 250 words": _abstract(lambda text: " ".join(text.split()[:70]) + " (ABSTRACT TRUNCATED AT 250 WORDS)"),
    "no title": lambda raw: raw | {"title": None},
    "no title, cut": lambda raw: {"title": None, "abstract": raw["abstract"][:CUT_CHARS]},
    "words dropped": _abstract(_drop_words),
}


def measure_shared_words(path: Path) -> dict[str, Any]:
    """The share of the shorter abstract's words that stand in the longer: pairs that a key brings together, and any."""
    records = [item for item in read_records([path]) if isinstance(item, Record)]
    by_key: dict[str, list[Record]] = {}
    for record in records:
        for key in identity_keys(record):
            by_key.setdefault(key, []).append(record)
    pairs = {
        (one.source_id, other.source_id): (one, other)
        for group in by_key.values()
        for one, other in combinations(group, 2)
    }
    chosen = random.Random(0)
    any_two = (chosen.sample(records, 2) for _ in range(RANDOM_PAIRS))
    shares = sorted(_share(one, other) for one, other in any_two if (one.source_id, other.source_id) not in pairs)
    return {
        "other_reports_with_a_key": sorted((round(_share(*pair), 2), *names) for names, pair in pairs.items()),
        "random_pairs": RANDOM_PAIRS,
        "random_median": round(shares[len(shares) // 2], 2),
        "random_most": round(shares[-1], 2),
        "told_by_text_alone": sum(_are_told_by_text(one, other) for one, other in pairs.values()),
    }


def _share(one: Record, other: Record) -> float:
    return shared_words(one.abstract, other.abstract)


def _are_told_by_text(one: Record, other: Record) -> bool:
    """Whether two records would be one, if the one had only a DOI and the other only a PubMed number."""
    bare = {"pmcid": None, "source_id": None}
    return bool(
        same_reports(replace(one, doi="10.5555/1", pmid=None, **bare), [replace(other, doi=None, pmid="1", **bare)])
    )


def measure_intake(path: Path) -> dict[str, Any]:
    """Seconds of processor time: to parse, to recognise and store, and to recognise the same again."""
    records: list[Record] = []
    parsing = _timed(lambda: records.extend(item for item in read_records([path]) if isinstance(item, Record)))
    with TemporaryDirectory() as folder:
        store = RecordStore.create(Path(folder) / "records.sqlite")
        storing = _timed(lambda: [_store(record, store) for record in records])
        again = _timed(lambda: [_recognise(record, store) for record in records])
        store.close()
    return {
        "records": len(records),
        "parsing_s": round(parsing, 1),
        "storing_s": round(storing, 1),
        "recognising_s": round(again, 1),
    }


def _store(record: Record, store: RecordStore) -> None:
    _recognise(record, store)
    store.put(record, [], identity_keys(record))


def _recognise(record: Record, store: RecordStore) -> None:
    found = [known for known, _ in store.find(identity_keys(record))]
    for known in same_reports(record, found):
        is_news(known, merge_records(known, record))


def _timed(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


if __name__ == "__main__":
    main(sys.argv[1])
