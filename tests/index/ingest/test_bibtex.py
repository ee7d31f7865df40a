"""BibTeX from other programs: markup, macros and names are decoded; broken entries are rejected alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.record_files import bibtex, pmids, read, write


def entry(**fields: str) -> str:
    return "@article{key,\n" + "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items()) + "}\n"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(r"22.1\% of A\&E, no \#1, x\_y", "22.1% of A&E, no #1, x_y", id="escaped"),
        pytest.param("22.1% of all, then more", "22.1% of all, then more", id="percent-is-no-comment"),
        pytest.param(r"M{\"u}ller's \'et\'e, na{\"\i}ve", "Müller's été, naïve", id="accents"),
        pytest.param(r"CO$_2$, Ca$^{2+}$, H\textsubscript{2}O", "CO₂, Ca²⁺, H₂O", id="scripts"),
        pytest.param(
            r"$\beta$-blocker at $\geq 5$~mg ($p < 0.05$)", "β-blocker at ≥ 5 mg (p < 0.05)", id="mathematics"
        ),
        pytest.param(r"\textit{in vivo} and {\bf bold {BMD}}", "in vivo and bold BMD", id="commands"),
        pytest.param("``so'' --- 3--4", "“so” — 3–4", id="signs"),
        pytest.param("wrapped\n     at a column", "wrapped at a column", id="wrapped"),
        pytest.param("one.\n\n  Two.", "one.\nTwo.", id="paragraphs"),
        pytest.param(r"a macro \href{x} alone", r"a macro \href{x} alone", id="what-the-decoder-fails-on-stays"),
        pytest.param("Harmless.\nOUTCOME: none", "Harmless.\nnone", id="labels-begin-lines"),
        pytest.param(r"BP 140\90, (~4 mm) or ~5, $\sim$6", r"BP 140\90, (~4 mm) or ~5, ∼6", id="signs-for-themselves"),
        pytest.param("Dr.~Ek gave 10~mg~daily", "Dr. Ek gave 10 mg daily", id="ties"),
        pytest.param(r"cost $5 and $6 of \textbf{all}", "cost $5 and $6 of all", id="dollars"),
        pytest.param("$n$ = $12$, $p<0.05$", "n = 12, p<0.05", id="short-mathematics"),
        pytest.param("p < 0.05 and > 3", "p < 0.05 and > 3", id="signs-of-html"),
    ],
)
def test_latex_becomes_text(tmp_path: Path, written: str, expected: str) -> None:
    (record,), rejected = read(write(tmp_path / "a.bib", entry(abstract=written)))
    assert (record.abstract, rejected) == (expected, [])


def test_names_are_given_name_first_whatever_their_form(tmp_path: Path) -> None:
    names = (
        r"Orr, Ann B. and Bo Ek and {Syrup and Sirup Group} and van der Berg, Jr., Jan and M{\"u}ller, J. and others"
    )
    (record,), _ = read(write(tmp_path / "a.bib", entry(author=names, abstract="x")))
    assert record.authors == ("Ann B. Orr", "Bo Ek", "Syrup and Sirup Group", "Jan van der Berg Jr.", "J. Müller")


def test_urls_and_dois_are_not_decoded_as_latex(tmp_path: Path) -> None:
    content = entry(url="https://example.org/~a/b%20c?d=e\\_f", doi="10.5555/a\\_b", abstract="x")
    (record,), _ = read(write(tmp_path / "a.bib", content))
    assert (record.url, record.doi) == ("https://example.org/~a/b%20c?d=e_f", "10.5555/a_b")


def test_broken_entries_are_rejected_at_their_lines_and_the_others_are_read(tmp_path: Path) -> None:
    content = (
        "Exported by a program\n"
        + bibtex(1)
        + bibtex(2, "{no end")
        + bibtex(3)
        + "@article{k, title = {no abstract}}\n"
        + "@article{k title = {no comma}}\n"
        + '@article{a, pmid = 6, abstract = "x"} @Article(b, pmid = 7, abstract = {x})\n'
        + "@article{twice, pmid = 8, note = {x}, abstract = {First.}, note = {y}, abstract = {Second.}}\n"
        + bibtex(9, "caf\udce9")
        + bibtex(10)[:50]
    )
    records, rejected = read(write(tmp_path / "a.bib", content.encode("utf-8", "surrogateescape")))
    assert pmids(records) == ["1", "3", "6", "7", "8"]
    assert records[-1].abstract == "First."
    assert [(item.line, item.field) for item in rejected] == [
        (6, None),
        (14, "abstract"),
        (15, None),
        (18, None),
        (22, None),
    ]
    assert "end of file" in rejected[0].reason
    assert "not UTF-8" in rejected[3].reason


def test_macros_are_applied_and_other_blocks_ignored(tmp_path: Path) -> None:
    content = '@string{j = "Invented"}\n@preamble{"x"}\n@comment{x}\n' + bibtex(1).replace("pmid", "journal = j, pmid")
    (record,), rejected = read(write(tmp_path / "a.txt", content))
    assert (record.journal, rejected) == ("Invented", [])
