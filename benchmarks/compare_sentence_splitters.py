"""Compare `index.text.sentences` with other sentence splitters as shipped; write docs/experiments/sentences.md."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from index.text.sentences import split_sentences

ROOT = Path(__file__).resolve().parent.parent
CASES_PATH = ROOT / "tests" / "data" / "sentence_cases.jsonl"
REPORT_PATH = ROOT / "docs" / "experiments" / "sentences.md"
TIMED_SECONDS = 3.0
OURS = "index.text.sentences"

Span = tuple[int, int]
Split = Callable[[str], Iterable[Span]]

MARKER = "<!-- All below is written by benchmarks/compare_sentence_splitters.py. -->\n"
HEADER = """
| splitter | version | development | held-out | precision | recall | F1 | characters/s | only it / only ours | p |
|---|---|---|---|---|---|---|---|---|---|
"""
ERRORS_HEADER = f"\nThe cases that `{OURS}` gets wrong, with `//` where it splits:\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A text and the spans of its sentences; the word lists were fixed before the held-out cases were written."""

    case_id: str
    text: str
    spans: tuple[Span, ...]
    held_out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a splitter made of each case, and how many characters it read in a second."""

    spans: tuple[tuple[Span, ...], ...]
    chars_per_second: float


def load_cases(path: Path) -> list[Case]:
    """The cases of a JSONL file, which gives `text` only where it is not the sentences joined by spaces."""
    cases = []
    for row in map(json.loads, path.read_text("utf-8").splitlines()):
        text = row.get("text", " ".join(row["sentences"]))
        spans = tuple(locate(text, row["sentences"]))
        cases.append(Case(case_id=row["id"], text=text, spans=spans, held_out=row.get("held_out", False)))
    return cases


def locate(text: str, sentences: Iterable[str]) -> Iterable[Span]:
    """The spans of `sentences` in `text`, without white space at their ends."""
    end = 0
    for sentence in filter(None, map(str.strip, sentences)):
        start = text.index(sentence, end)
        end = start + len(sentence)
        yield start, end


def load_blingfire() -> Split:
    """Blingfire's spans."""
    library = import_module("blingfire")
    return lambda text: library.text_to_sentences_and_offsets(text)[1]


def load_nupunkt() -> Split:
    """The spans of nupunkt with its own statistics."""
    spans: Split = import_module("nupunkt").segmenter("sentence").spans
    return spans


def load_pysbd() -> Split:
    """The spans of pysbd for English."""
    segmenter = import_module("pysbd").Segmenter(language="en", clean=False, char_span=True)
    return lambda text: [(part.start, part.end) for part in segmenter.segment(text)]


def load_segtok() -> Split:
    """Segtok's sentences, located in the text."""
    split = import_module("segtok.segmenter").split_multi
    return lambda text: locate(text, split(text))


def load_sentencex() -> Split:
    """Sentencex's sentences for English, located in the text."""
    library = import_module("sentencex")
    return lambda text: locate(text, library.segment("en", text))


def load_syntok() -> Split:
    """Syntok's sentences, from their first token to their last."""
    analyze = import_module("syntok.segmenter").analyze
    return lambda text: [
        (tokens[0].offset, tokens[-1].offset + len(tokens[-1].value))
        for paragraph in analyze(text)
        for tokens in paragraph
    ]


LIBRARIES = {
    "nupunkt": load_nupunkt,
    "segtok": load_segtok,
    "syntok": load_syntok,
    "blingfire": load_blingfire,
    "sentencex": load_sentencex,
    "pysbd": load_pysbd,
}


def run_splitter(split: Split, cases: Sequence[Case]) -> Result:
    """Split every case, then all of them again and again for TIMED_SECONDS."""
    spans = tuple(tuple(locate(case.text, [case.text[start:end] for start, end in split(case.text)])) for case in cases)
    read, began = 0, time.perf_counter()
    while (seconds := time.perf_counter() - began) < TIMED_SECONDS:
        for case in cases:
            list(split(case.text))
            read += len(case.text)
    return Result(spans=spans, chars_per_second=read / seconds)


def score_boundaries(cases: Sequence[Case], result: Result) -> tuple[float, float, float]:
    """Precision, recall and F1 of the starts of every sentence but the first."""
    expected = {(case.case_id, start) for case in cases for start, _ in case.spans[1:]}
    pairs = zip(cases, result.spans, strict=True)
    found = {(case.case_id, start) for case, spans in pairs for start, _ in spans[1:]}
    right = len(expected & found)
    return right / len(found), right / len(expected), 2 * right / (len(found) + len(expected))


def mcnemar_p(first: int, second: int) -> float:
    """The exact two-sided p-value of so many discordant cases on either side."""
    tail = sum(math.comb(first + second, k) for k in range(min(first, second) + 1))
    return min(1.0, tail / math.pow(2, first + second - 1))


def right_ids(cases: Sequence[Case], result: Result) -> set[str]:
    """The ids of the cases that are split exactly as expected."""
    return {case.case_id for case, spans in zip(cases, result.spans, strict=True) if spans == case.spans}


def render_row(name: str, cases: Sequence[Case], result: Result, ours: Result) -> str:
    """One row of the table, `ours` being the result that this one is set against."""
    right, ours_right = right_ids(cases, result), right_ids(cases, ours)
    held_out = {case.case_id for case in cases if case.held_out}
    cells = [name, "" if name == OURS else version(name)]
    cells += [f"{len(right - held_out)}/{len(cases) - len(held_out)}", f"{len(right & held_out)}/{len(held_out)}"]
    cells += [f"{score:.3f}" for score in score_boundaries(cases, result)]
    cells.append(f"{float(f'{result.chars_per_second:.2g}'):,.0f}")
    only_it, only_ours = len(right - ours_right), len(ours_right - right)
    cells += ["", ""] if name == OURS else [f"{only_it} / {only_ours}", f"{mcnemar_p(only_it, only_ours):.2g}"]
    return f"| {' | '.join(cells)} |\n"


def render_errors(cases: Sequence[Case], result: Result) -> str:
    """The cases that are split wrongly, and how."""
    right = right_ids(cases, result)
    return "".join(
        f"- {case.case_id}: {' // '.join(case.text[start:end] for start, end in spans)}\n"
        for case, spans in zip(cases, result.spans, strict=True)
        if case.case_id not in right
    )


def main() -> None:
    """Run every splitter that is installed; write the report below its prose, which is kept."""
    cases = load_cases(CASES_PATH)
    ours = run_splitter(split_sentences, cases)
    rows = [render_row(OURS, cases, ours, ours)]
    for name, load in LIBRARIES.items():
        try:
            split = load()
        except ModuleNotFoundError as error:
            rows.append(f"| {name} | not run: {error.name} is not installed |{' |' * 8}\n")
        else:
            rows.append(render_row(name, cases, run_splitter(split, cases), ours))
    prose = REPORT_PATH.read_text("utf-8").partition(MARKER)[0]
    parts = [prose, MARKER, HEADER, *rows, ERRORS_HEADER, render_errors(cases, ours)]
    REPORT_PATH.write_text("".join(parts), "utf-8")


if __name__ == "__main__":
    main()
