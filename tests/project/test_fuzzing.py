"""Any bytes are read, split, parsed, searched and answered without an error; inputs that once failed stay fixed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from assistant.clinical_text.prompt_injection import gives_orders
from assistant.understanding.query_rewriting import MAX_QUESTION_CHARS, condense
from assistant.understanding.request import parse_history
from assistant.verification.draft_claims import DraftParser
from index import Rejection, open_index
from index.errors import WrongUseError
from index.ingest.formats.bibtex import read_bibtex
from index.ingest.formats.json_records import read_json
from index.ingest.formats.medline import read_medline
from index.search.query import expand_query
from index.storage.abbreviation_store import find_definitions
from index.types import Filters
from tests.conftest import ROOT
from tests.fuzzing.files import stream_of
from tests.fuzzing.inputs import inputs
from tests.fuzzing.targets import CORPUS, TARGETS, bind, corpus_of

CASES = [path for name in TARGETS for path in corpus_of(name)]
FOUND = (CORPUS.parent / "found.tsv").read_text("utf-8").splitlines()


@pytest.fixture
def check(request: pytest.FixtureRequest) -> Callable[[str], Callable[[bytes], None]]:
    """The check of a target by its name."""
    return lambda name: bind(TARGETS[name], lambda: request.getfixturevalue("demo_assistant"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_each_input_of_the_corpus_passes(check: Callable[[str], Callable[[bytes], None]], path: Path) -> None:
    check(path.parent.name)(path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_made_of_pieces_pass(check: Callable[[str], Callable[[bytes], None]], name: str) -> None:
    run, tried = check(name), 0

    @settings(
        max_examples=12 if TARGETS[name].needs_index else 60,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs(name))
    def run_one(data: bytes) -> None:
        nonlocal tried
        tried += 1
        run(data)

    run_one()
    assert tried >= 12


def test_every_case_that_was_found_is_kept_with_what_it_showed() -> None:
    listed = [line.partition("\t")[0] for line in FOUND]
    kept = [str(path.relative_to(CORPUS)) for path in CASES if not path.name.startswith("seed")]
    assert sorted(name for name in listed if name != "-") == sorted(kept)
    assert all(line.partition("\t")[2].endswith(".") for line in FOUND)


# Sets of words have another order in each process; what is written of a file must not.
READ_ALL = """
import hashlib, sys
from pathlib import Path
from index import read_records
items = [item.to_dict() for path in sys.argv[1:] for item in read_records([path])]
print(len(items), hashlib.sha256(repr(items).encode()).hexdigest())
"""


def test_what_is_read_and_rejected_is_the_same_in_every_process(tmp_path: Path) -> None:
    names = ("bibtex", "json", "table", "tagged", "xml")
    paths = [str(path) for path in CASES if path.parent.name in names and path.suffix]
    broken = tmp_path / "a.bib"
    broken.write_text("@article{k, title = {x}, doi = {none}, pmid = {none}, year = {none}}", "utf-8")
    outputs = {
        subprocess.run(
            [sys.executable, "-c", READ_ALL, *paths, str(broken)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1
    assert int(outputs.pop().split()[0]) >= len(paths)


# Each of these took minutes, or would have: the time grew with the square of the length or faster.
LONG = {
    "MEDLINE, an identifier without a blank": lambda: list(
        read_medline(stream_of(b"PMID- 1\nAID - " + b"x" * 300_000), "a")
    ),
    "JSON, objects in one line": lambda: list(read_json(stream_of(b"{}" * 40_000), "a")),
    "JSON, objects over two lines": lambda: list(read_json(stream_of(b'{\n"a": 1}\n' * 40_000), "a")),
    "BibTeX, blanks between dollars": lambda: list(
        read_bibtex(stream_of(b"@article{k, abstract = {$" + b" \n" * 3_000 + b"xx$}}"), "a")
    ),
    "BibTeX, words in LaTeX": lambda: list(
        read_bibtex(stream_of(b"@article{k, abstract = {" + b"\\'e" * 300_000 + b"}}"), "a")
    ),
    "a draft, an open bracket": lambda: DraftParser().feed("It rose. [" + " " * 100_000 + "x. "),
    "an abstract, open brackets": lambda: list(find_definitions("(" * 100_000)),
    "a sentence of blanks": lambda: gives_orders(" " * 100_000),
    "a sentence of digits": lambda: gives_orders("0" * 100_000),
}


@pytest.fixture
def five_seconds() -> Iterator[None]:
    """At most so much processor time."""
    before = time.process_time()
    yield
    assert time.process_time() - before < 5.0


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("five_seconds")
@pytest.mark.parametrize("name", LONG)
def test_the_same_many_times_over_costs_no_more_than_its_length(name: str) -> None:
    LONG[name]()


@pytest.mark.parametrize(
    "filters",
    [{"year_from": 10**20}, {"year_to": -1}, {"year_from": "2019"}, {"journals": ("\ud800",)}],
    ids=["a number too large", "below zero", "text", "half a character"],
)
def test_a_filter_that_means_nothing_is_wrong_use_and_no_damaged_index(filters: dict[str, object]) -> None:
    with pytest.raises(WrongUseError, match="is no"):
        Filters(**filters)


def test_of_an_earlier_question_no_more_is_searched_than_a_question_may_have() -> None:
    history = parse_history([{"role": "user", "content": "romosozumab " * 100_000}])
    query = condense("and her dose?", history)
    assert query.is_follow_up
    assert len(query.text) < 2 * MAX_QUESTION_CHARS


def test_half_a_character_in_a_query_does_not_make_the_index_damaged(demo_index_dir: Path) -> None:
    index = open_index(demo_index_dir)
    assert index.search("romosozumab\ud800") == index.search("romosozumab\ufffd") != []


def test_what_a_record_calls_an_abbreviation_is_never_read_as_a_pattern() -> None:
    read = expand_query("What was the BMD?", lambda _: [(r"bone \g<1> \d", 1)], lambda _: [], lambda _: [])
    assert read.text == r"What was the BMD (bone \g<1> \d)?"


def test_a_broken_macro_is_rejected_once_at_its_line_and_spoils_no_entry() -> None:
    content = b"@string{x = {no end\n@article{k, abstract = {x y}}\n@article{l, abstract = {x z}}\n"
    first, *others = read_bibtex(stream_of(content), "a.bib")
    assert isinstance(first, Rejection)
    assert first.line == 1
    assert [item.data["abstract"] for item in others] == ["x y", "x z"]
