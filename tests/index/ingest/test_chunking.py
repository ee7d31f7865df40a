"""Chunks are windows of whole sentences within one section; together they are the abstract."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.ingest.chunking import MAX_UNCUT_CHARS, WINDOW_CHARS, chunk_record, embedding_text
from index.text.sentences import split_sentences
from index.types import Record, Section

SENTENCE = "The ferret took pill number {} in the evening and slept for a long while."


def record_with(abstract: str, sections: tuple[Section, ...] = (), title: str | None = None) -> Record:
    return Record(record_id="pmid:1", abstract=abstract, content_hash="", sections=sections, title=title)


def prose(sentences: int) -> str:
    return " ".join(SENTENCE.format(number) for number in range(sentences))


@st.composite
def _records(draw: st.DrawFn) -> Record:
    """Any text, with any sections that do not overlap."""
    alphabet = st.one_of(
        st.characters(exclude_categories=["Cs"]), st.sampled_from(". \nAe\u0301\U0001f9a0\U00020000。")
    )
    text = draw(st.text(alphabet, min_size=1, max_size=60)) * draw(st.sampled_from([1, 3, 40]))
    edges = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    spans = zip(edges[::2], edges[1::2], strict=False)
    return record_with(text, tuple(Section(draw(st.sampled_from(["Aim", "Case"])), *span) for span in spans))


@settings(deadline=None)
@given(_records())
def test_chunks_rebuild_the_abstract_and_keep_to_sections(record: Record) -> None:
    """Every character is in exactly one chunk, at its place, under the label of its section."""
    chunks = chunk_record(record)
    assert "".join(chunk.text for chunk in chunks) == record.abstract
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    assert all(chunk.text and chunk.text == record.abstract[chunk.start : chunk.end] for chunk in chunks)
    for label, start, end in record.sections:
        inside = [chunk for chunk in chunks if record.abstract[max(start, chunk.start) : min(end, chunk.end)].strip()]
        assert {chunk.section for chunk in inside} <= {label}


def test_windows_are_near_the_wanted_length_and_of_whole_sentences() -> None:
    record = record_with(prose(60))
    chunks = chunk_record(record)
    starts = {start for start, _ in split_sentences(record.abstract)}
    assert all(chunk.start in starts for chunk in chunks)
    assert all(0.7 * WINDOW_CHARS < len(chunk.text) < 1.3 * WINDOW_CHARS for chunk in chunks)


def test_a_short_abstract_is_one_chunk() -> None:
    [chunk] = chunk_record(record_with(prose(3)))
    assert (chunk.text, chunk.section, chunk.chunk_id) == (prose(3), None, "pmid:1#0")


def test_text_before_between_and_after_sections_has_no_section() -> None:
    text = "One. Two. Three. Four. Five."
    record = record_with(text, (Section("Aim", 5, 9), Section("Case", 17, 22)))
    assert [(chunk.section, chunk.text.strip()) for chunk in chunk_record(record)] == [
        (None, "One."), ("Aim", "Two."), (None, "Three."), ("Case", "Four."), (None, "Five."),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("word " * 2_000, id="one-endless-sentence"),
        pytest.param("x" * 20_000, id="no-space"),
        pytest.param("e\u0301" * 5_000, id="combining"),
        pytest.param("患者は回復し" * 2_000, id="no-space-script"),
    ],
)
def test_an_overlong_sentence_is_cut_to_fit_the_model(text: str) -> None:
    chunks = chunk_record(record_with(text))
    assert "".join(chunk.text for chunk in chunks) == text
    assert max(len(chunk.text) for chunk in chunks) <= MAX_UNCUT_CHARS + WINDOW_CHARS // 2


def test_a_cut_does_not_separate_a_letter_from_its_accents() -> None:
    chunks = chunk_record(record_with("xe\u0301\u0323ee\u0301\u0323" * 2_000))
    assert all(chunk.text[0] in "xe" for chunk in chunks)


@pytest.mark.parametrize("unit", ["a. ", "?!", "\n\n", "e.g. ", "(", ".", "A.B", " "], ids=repr)
def test_hostile_text_takes_no_time(unit: str) -> None:
    record = record_with((unit * 100_000)[:100_000])
    started = time.thread_time()
    chunk_record(record)
    assert time.thread_time() - started < 2


def test_the_embedded_text_starts_with_the_title() -> None:
    record = record_with("It\nslept.", title="A ferret")
    [chunk] = chunk_record(record)
    assert embedding_text(record, chunk) == "A ferret\nIt slept."
    assert embedding_text(record_with("It\nslept."), chunk) == "It slept."
