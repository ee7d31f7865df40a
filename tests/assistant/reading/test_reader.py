"""The reader on its packaged weights: what it sees, what it says, and that damaged weights are refused."""

from __future__ import annotations

import json
import shutil
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from tokenizers import Tokenizer

from assistant.reading import reader as model
from assistant.reading.reader import Reader, load_reader
from assistant.reading.rows import MAX_ROW_TOKENS, Report, RowMaker, length_batches, make_windows
from index.embedding import embedder as embedding
from index.embedding.embedder import packaged_model
from index.errors import NoIndexError

QUESTION = "how long was the woman with scurvy given vitamin C?"
SCURVY = Report(
    "",
    (
        "A 54-year-old woman was admitted with bleeding gums and bruises on both legs.",
        "Her plasma ascorbic acid could not be detected, and scurvy was diagnosed.",
        "She was given vitamin C by mouth for three weeks.",
        "The bruises had gone at the next visit.",
    ),
)
GOUT = Report("Gout in a young man", ("A 23-year-old man had a swollen toe.", "He was given colchicine for five days."))


@pytest.fixture(scope="module")
def reader() -> Reader:
    return load_reader()


@cache
def row_maker() -> RowMaker:
    return RowMaker(Tokenizer.from_file(str(packaged_model() / "tokenizer.json")))


@pytest.fixture
def rows() -> RowMaker:
    return row_maker()


def test_the_record_asked_about_and_its_sentence_that_answers_come_first(reader: Reader) -> None:
    scurvy, gout = reader.read(QUESTION, [SCURVY, GOUT])
    assert scurvy.record > gout.record
    assert max(scurvy.sentences) == scurvy.sentences[2]


def test_a_reading_has_a_logit_for_every_sentence_of_every_record(reader: Reader) -> None:
    readings = reader.read(QUESTION, [GOUT, SCURVY, Report("Only a title", ())])
    assert [len(reading.sentences) for reading in readings] == [2, 4, 0]


def test_nothing_to_read_gives_nothing(reader: Reader) -> None:
    assert reader.read(QUESTION, []) == []


def test_a_record_is_read_alike_alone_and_beside_others(reader: Reader) -> None:
    (alone,) = reader.read(QUESTION, [SCURVY])
    beside = reader.read(QUESTION, [GOUT, SCURVY])[1]
    assert beside.record == pytest.approx(alone.record, abs=0.2)  # bfloat16 rounds padded batches differently
    assert beside.sentences == pytest.approx(alone.sentences, abs=0.2)


def test_the_end_of_a_long_record_is_read_too(reader: Reader) -> None:
    padding = tuple(f"On day {day} the wound was clean and the dressing was changed once more." for day in range(40))
    long = Report("", (*SCURVY.sentences[:2], *padding, *SCURVY.sentences[2:]))
    (reading,) = reader.read(QUESTION, [long])
    assert len(reading.sentences) == 44
    assert max(reading.sentences) == reading.sentences[42]


def test_a_row_is_the_question_the_title_and_the_sentences_each_closed(rows: RowMaker) -> None:
    (row,) = rows.make_rows("gout?", GOUT)
    sep = row.ids[-1]
    assert row.ids[row.question_end - 1] == sep
    assert [row.ids[end - 1] for _, end in row.spans] == [sep] * 3
    assert [start for start, _ in row.spans] == [row.question_end, *(end for _, end in row.spans[:-1])]


def test_a_record_without_a_title_has_an_empty_title_span(rows: RowMaker) -> None:
    (row,) = rows.make_rows("scurvy?", SCURVY)
    start, end = row.spans[0]
    assert end - start == 1
    assert len(row.spans) == 5


@settings(deadline=None)
@given(st.text(max_size=60), st.lists(st.text(max_size=900), max_size=30), st.text(max_size=2_000))
def test_no_row_is_longer_than_the_model_reads(title: str, sentences: list[str], question: str) -> None:
    made = row_maker().make_rows(question, Report(title, tuple(sentences)))
    assert made
    assert all(len(row.ids) <= MAX_ROW_TOKENS for row in made)
    read = {row.first_sentence + place for row in made for place in range(len(row.spans) - 1)}
    assert read == set(range(len(sentences)))


@given(st.lists(st.integers(0, 60), max_size=40), st.integers(62, 200))
def test_windows_cover_every_sentence_in_order_and_fit(lengths: list[int], room: int) -> None:
    sentences = [[0] * length for length in lengths]
    windows = make_windows(sentences, room)
    assert windows[0][0] == 0
    assert windows[-1][1] == len(sentences)
    for (first, end), (after, last) in pairwise(windows):
        assert first < after <= end < last
    assert all(sum(lengths[first:end]) + end - first <= room for first, end in windows)


def test_a_seam_is_read_on_both_sides() -> None:
    assert make_windows([[0] * 9] * 5, room=30) == [(0, 3), (2, 5)]


def test_batches_go_from_short_to_long_and_stay_within_the_tokens(rows: RowMaker) -> None:
    made = [row for report in (SCURVY, GOUT, SCURVY, GOUT) for row in rows.make_rows(QUESTION, report)]
    batches = length_batches(made, max_tokens=200)
    assert sorted(number for batch in batches for number in batch) == [0, 1, 2, 3]
    assert batches[0][0] in (1, 3)
    assert all(len(batch) * max(len(made[number].ids) for number in batch) <= 200 for batch in batches)


def test_word_embeddings_are_not_stored_twice_and_the_weights_are_small() -> None:
    path = Path(model.__file__).with_name(model.WEIGHTS)
    assert path.stat().st_size < 50_000_000
    assert model.WORD_EMBEDDINGS not in load_file(path)


@pytest.mark.fault(
    part="reader",
    tried="a bit of its packaged weights is flipped",
    happens="it is not used: an error with the remedy, in casecite doctor too",
)
def test_damaged_weights_are_refused_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(model.__file__).parent
    for name in (model.WEIGHTS, model.CARD):
        shutil.copy(source / name, tmp_path / name)
    damaged = bytearray((tmp_path / model.WEIGHTS).read_bytes())
    damaged[-100] ^= 1
    (tmp_path / model.WEIGHTS).write_bytes(damaged)
    monkeypatch.setattr(model, "files", lambda _: tmp_path)
    model._load_reader.cache_clear()
    with pytest.raises(NoIndexError, match=r"reader .* is damaged.*pip install") as raised:
        load_reader()
    assert json.loads((source / model.CARD).read_text("utf-8"))["sha256"] in str(raised.value)


def test_the_packaged_weights_are_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = []
    digest = embedding._weights_digest
    monkeypatch.setattr(embedding, "_weights_digest", lambda folder: hashed.append(folder) or digest(folder))
    packaged_model.cache_clear()
    assert packaged_model() == packaged_model()
    assert len(hashed) == 1
