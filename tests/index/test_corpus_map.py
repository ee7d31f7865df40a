"""The map of a library: similar records are near each other, it is deterministic, and works for any library."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from index import CorpusMap, MapPoint, build_index, map_corpus, open_index

TOPICS = {
    "eye": "The cornea of the {} eye was inflamed, vision fell and the retina was detached after {} days.",
    "bone": "A fracture of the {} femur healed slowly, the bone density was low and the hip hurt for {} weeks.",
    "heart": "The {} ventricle failed, the heart rhythm was irregular and the coronary artery closed within {} hours.",
    "skin": "A rash with blisters covered the {} arm, the skin peeled and itched for {} months after a cream.",
}
SIDES = ("left", "right")


def build(folder: Path, abstracts: list[str]) -> Path:
    lines = [json.dumps({"pmid": str(number), "abstract": text}) for number, text in enumerate(abstracts, start=1)]
    (folder / "in.jsonl").write_text("\n".join(lines), "utf-8")
    build_index([folder / "in.jsonl"], folder / "index")
    return folder / "index"


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.fixture(scope="module")
def topics_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve records of each of four subjects; record n has subject n modulo 4."""
    texts = list(TOPICS.values())
    abstracts = [texts[number % 4].format(SIDES[number % 3 % 2], number) for number in range(1, 49)]
    return build(tmp_path_factory.mktemp("topics"), abstracts)


@pytest.fixture(scope="module")
def topics_map(topics_dir: Path) -> CorpusMap:
    return map_corpus(open_index(topics_dir).current())


def subject(point: MapPoint) -> int:
    return int(point.record_id.removeprefix("pmid:")) % 4


def test_the_nearest_points_are_of_the_same_subject(topics_map: CorpusMap) -> None:
    assert len(topics_map.points) == topics_map.record_count == 48
    for point in topics_map.points:
        others = sorted(
            (other for other in topics_map.points if other is not point),
            key=lambda other: (other.x - point.x) ** 2 + (other.y - point.y) ** 2,
        )
        assert [subject(other) for other in others[:3]] == [subject(point)] * 3


def test_points_lie_in_the_unit_square_and_use_it(topics_map: CorpusMap) -> None:
    for values in ([point.x for point in topics_map.points], [point.y for point in topics_map.points]):
        assert (min(values), max(values)) == (0, 1)


def test_groups_are_the_subjects_and_named_by_their_words(topics_map: CorpusMap) -> None:
    of_group = {
        label: {subject(point) for point in topics_map.points if point.group == label} for label in topics_map.groups
    }
    assert sorted(map(sorted, of_group.values())) == [[0], [1], [2], [3]]
    for label, (number,) in of_group.items():
        text = list(TOPICS.values())[number].casefold()
        words = label.split(", ")
        assert len(words) == 3
        assert all(word in text for word in words)
        assert not any(word in other for word in words for other in TOPICS.values() if other.casefold() != text)


def test_the_same_build_gives_the_same_map(topics_dir: Path, topics_map: CorpusMap) -> None:
    assert map_corpus(open_index(topics_dir).current()) == topics_map


def test_more_records_than_are_asked_for_are_sampled_evenly(topics_dir: Path) -> None:
    sampled = map_corpus(open_index(topics_dir).current(), max_records=12)
    assert [point.record_id for point in sampled.points] == [f"pmid:{number}" for number in range(1, 49, 4)]
    assert sampled.record_count == 48
    assert len(map_corpus(open_index(topics_dir).current(), max_records=0).points) == 1


@pytest.mark.parametrize(
    "abstracts",
    [
        pytest.param(["A glazier lost his voice."], id="one"),
        pytest.param(["A glazier lost his voice.", "A baker had a rash."], id="two"),
        pytest.param(["A glazier lost his voice."] * 2, id="two-alike"),
        pytest.param([f"A baker had a rash for {number} days." for number in range(5)], id="five"),
        pytest.param(["A glazier lost his voice."] * 30, id="thirty-alike"),
        pytest.param(["A glazier lost his voice."] * 25 + ["A baker had a rash."] * 5, id="two-places"),
        pytest.param([f"{number} {number}" for number in range(30)], id="numbers-only"),
        pytest.param([f"A boy of {number}. " * 120 for number in range(11)], id="many-chunks"),
    ],
)
def test_any_library_has_a_map(tmp_path: Path, abstracts: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        index_dir = build(tmp_path, abstracts)
    found = map_corpus(open_index(index_dir).current())
    assert len(found.points) == len(abstracts)
    assert all(0 <= place <= 1 for point in found.points for place in (point.x, point.y))
    assert {point.group for point in found.points} == set(found.groups)
    assert len(found.groups) == len(set(found.groups))
    if len(set(abstracts)) == 1:
        assert {(point.x, point.y) for point in found.points} == {(0.5, 0.5)}


def test_titles_and_years_go_with_the_points(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps({"abstract": "A rash.", "title": "Rash", "year": 2001}), "utf-8")
    build_index([tmp_path / "in.jsonl"], tmp_path / "index")
    (point,) = map_corpus(open_index(tmp_path / "index").current()).points
    assert (point.name, point.year, point.group) == ("Rash", 2001, "all records")
