"""Abstracts in HTML, JATS or plain text are parsed to plain text with labelled sections; no text is lost."""

from __future__ import annotations

import time
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.ingest.html_blocks import KNOWN_TAGS
from index.ingest.markup import read_abstract, read_inline
from index.text.cleaning import clean_text


def sections_of(markup: str) -> list[tuple[str, str]]:
    text, sections = read_abstract(markup)
    return [(label, text[start:end]) for label, start, end in sections]


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        pytest.param("<p>A dog bit &amp; ran.</p>", "A dog bit & ran.", id="entity"),
        pytest.param("ki&szlig;t &#945; &#x3b2;", "kißt α β", id="entities-in-plain-text"),
        pytest.param("<p>18 mg/m<sup>2</sup> in H<sub>2</sub>O</p>", "18 mg/m² in H₂O", id="super-and-subscript"),
        pytest.param("Ca<sup>2+</sup>, 10<sup>-9</sup>, 10<sup>5.5</sup>", "Ca²⁺, 10⁻⁹, 10^5.5", id="powers"),
        pytest.param("the 4<sup>th</sup> toe", "the 4th toe", id="superscript-letters"),
        pytest.param("<p>TNF-α, 患者は回復した, пациент</p>", "TNF-α, 患者は回復した, пациент", id="non-latin"),
        pytest.param("a<b", "a<b", id="less-than-letter"),
        pytest.param("when a<b and c>d", "when a<b and c>d", id="comparison-that-looks-like-a-tag"),
        pytest.param("<p>IgG<IgM, p<0.05</p>", "IgG<IgM, p<0.05", id="less-than-inside-html"),
        pytest.param("<p>&lt; 5 and &gt; 3</p>", "< 5 and > 3", id="escaped-comparison"),
        pytest.param("doses of <5 mg> only", "doses of <5 mg> only", id="unknown-tag-is-text"),
        pytest.param("a <wobble>b</wobble> c", "a <wobble>b</wobble> c", id="unknown-element-is-text"),
        pytest.param("<p>&lt;i&gt;E. ursi&lt;/i&gt;</p>", "E. ursi", id="markup-escaped-in-markup"),
        pytest.param("one &lt;b&gt;two&lt;/b&gt;", "one two", id="escaped-bold"),
        pytest.param("&amp;lt;p&amp;gt;Twice.&amp;lt;/p&amp;gt;", "Twice.", id="escaped-twice"),
        pytest.param("<<b>b>odd", "odd", id="tag-around-a-tag"),
        pytest.param("a<script>if (x<y) { z() }</script> b", "a b", id="script"),
        pytest.param("<style>p { color: red }</style>Red.", "Red.", id="style"),
        pytest.param("the <style> of walking", "the <style> of walking", id="style-that-never-ends"),
        pytest.param("<!-- <b>note</b> -->Seen.", "Seen.", id="comment"),
        pytest.param("x <!-- y", "x <!-- y", id="comment-that-never-ends"),
        pytest.param("<p>one <b>two <i>three", "one two three", id="unclosed"),
        pytest.param("<b><i>one</b></i> two</p></div>", "one two", id="crossed-and-stray-ends"),
        pytest.param('<a title="x>y" href="#">link</a>', "link", id="greater-than-in-an-attribute"),
        pytest.param("<IMG SRC=x ONERROR='go()'>pic", "pic", id="capitals"),
        pytest.param("<?xml version='1.0'?><!DOCTYPE html><p>x</p>", "x", id="prologue"),
        pytest.param("<jats:p>x <mml:math><mml:mi>y</mml:mi></mml:math></jats:p>", "x y", id="jats-and-mathml"),
        pytest.param("<td>one</td><td>two</td>", "one two", id="cells-stay-apart"),
        pytest.param("one<br/>two<p>three", "one\ntwo\nthree", id="blocks-are-lines"),
        pytest.param("\ufeffone\r\ntwo\x00\u200b", "one two", id="bom-crlf-nul"),
        pytest.param("\ud800 &#xD800; &#x202e;x", "\ufffd \ufffd x", id="lone-surrogates-and-bidi"),
        pytest.param("e\u0301 \U0001f9a0 \U00020000", "e\u0301 \U0001f9a0 \U00020000", id="combining-and-astral"),
        pytest.param("", "", id="empty"),
        pytest.param("<p> </p><br>", "", id="only-markup"),
    ],
)
def test_markup_becomes_plain_text(markup: str, expected: str) -> None:
    assert read_abstract(markup).text == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        pytest.param(
            "<p><strong>Background: </strong>Owls hoot.</p><p><strong>Odd name: </strong>Bats do not.</p>",
            [("Background", "Owls hoot."), ("Odd name", "Bats do not.")],
            id="bold-with-colon",
        ),
        pytest.param("<b>Methods</b>: We rang.", [("Methods", "We rang.")], id="colon-after-bold"),
        pytest.param(
            "<b>Methods:</b> Rang.<b>Results:</b> Heard.", [("Methods", "Rang."), ("Results", "Heard.")], id="b"
        ),
        pytest.param("<p><b>Results</b><br>It rang.</p>", [("Results", "It rang.")], id="bold-alone-in-its-line"),
        pytest.param("<p><b>Case</b></p><p>One.</p><p>Two.</p>", [("Case", "One.\nTwo.")], id="bold-paragraph"),
        pytest.param("<b>CASE</b> A cat.", [("CASE", "A cat.")], id="bold-before-a-sentence"),
        pytest.param("<b>Patients</b> were cats.", [], id="bold-first-word-of-a-sentence"),
        pytest.param("It took <b>exactly: </b>9 days.", [], id="bold-within-a-sentence"),
        pytest.param("<h3><b>Case</b></h3><p>A cat.</p>", [("Case", "A cat.")], id="bold-in-heading"),
        pytest.param("<h2>Abstract</h2><h3>Aim</h3><p>To purr.</p>", [("Aim", "To purr.")], id="abstract-is-no-label"),
        pytest.param("<jats:title>Aim</jats:title><jats:p>To purr.</jats:p>", [("Aim", "To purr.")], id="jats"),
        pytest.param("&lt;p&gt;&lt;b&gt;Aim:&lt;/b&gt; Purr.&lt;/p&gt;", [("Aim", "Purr.")], id="escaped"),
        pytest.param("Aim: To purr.\nResults: It did.", [("Aim", "To purr."), ("Results", "It did.")], id="lines"),
        pytest.param("Abstract\nAim\nTo purr\nsoftly.", [("Aim", "To purr softly.")], id="heading-lines"),
        pytest.param("A cat. METHODS: We sat.", [("METHODS", "We sat.")], id="capitals-after-a-sentence"),
        pytest.param("Aim: Purr. Case report: Tom.", [("Aim", "Purr."), ("Case report", "Tom.")], id="one-line"),
        pytest.param("Aim:Purr.Methods:Sat.", [("Aim", "Purr."), ("Methods", "Sat.")], id="no-space-at-all"),
        pytest.param("AIM:Purr.", [("AIM", "Purr.")], id="no-space"),
        pytest.param("Case: A tom cat.", [("Case", "A tom cat.")], id="sentence-that-begins-with-a-label"),
        pytest.param("We saw the patient: he sat. Patient: he left.", [], id="label-word-in-prose"),
        pytest.param(
            "Aim: Ask the Patient: he knows. Patient: he left.",
            [("Aim", "Ask the Patient: he knows. Patient: he left.")],
            id="label-word-in-a-section",
        ),
        pytest.param("The case:control ratio was 2.", [], id="ratio"),
        pytest.param(
            "Aim: H<sub>2</sub>O.\n\nMethods: CO<sub>2</sub>.",
            [("Aim", "H₂O."), ("Methods", "CO₂.")],
            id="lines-with-inline-tags",
        ),
    ],
)
def test_headings_become_labels_and_leave_the_text(markup: str, expected: list[tuple[str, str]]) -> None:
    assert sections_of(markup) == expected


@pytest.mark.parametrize(
    ("markup", "kept"),
    [
        pytest.param("<p>Text.</p><h3>Keywords</h3>", "Keywords", id="heading-at-the-end"),
        pytest.param("<h2>Cat 1</h2><p><b>History:</b> It sat.</p>", "Cat 1", id="heading-over-a-heading"),
        pytest.param(f"<h2>{'Long ' * 30}</h2><p>Text.</p>", "Long Long", id="heading-too-long"),
        pytest.param("<h1>Only this", "Only this", id="nothing-but-a-heading"),
    ],
)
def test_a_heading_that_labels_nothing_stays_text(markup: str, kept: str) -> None:
    assert kept in read_abstract(markup).text


def test_a_title_is_one_line_of_plain_text() -> None:
    assert read_inline("A <i>Bacillus\n</i> &amp; <b>me</b>: p<sub>1</sub>") == "A Bacillus & me: p₁"


LABELS = files("index.ingest").joinpath("section_labels.txt").read_text("utf-8").splitlines()


@pytest.mark.parametrize("label", [label for label in LABELS if label != "abstract"])  # that one heads the whole
def test_every_listed_label_is_read_as_one(label: str) -> None:
    assert sections_of(f"{label.upper()}: A cough.") == [(label.upper(), "A cough.")]
    assert sections_of(f"{label.capitalize()}: A cough.") == [(label.capitalize(), "A cough.")]


_PLAIN = st.text(st.characters(exclude_characters="&<>"), max_size=80)


def _seen(text: str) -> str:
    return "".join(clean_text(text).split())


@settings(deadline=None)
@given(_PLAIN)
def test_plain_text_is_kept_except_white_space_and_invisible_characters(text: str) -> None:
    text = text.replace(":", ";")  # no label
    plain, sections = read_abstract(text)
    assert sections == ()
    assert _seen(plain) == _seen(text)


@settings(deadline=None)
@given(st.lists(_PLAIN, max_size=5), st.sampled_from(["<", " < ", ">", "<5 mg> ", "<zz>"]))
def test_angle_brackets_that_are_no_tags_are_kept(parts: list[str], sign: str) -> None:
    text = sign.join(["x", *(f"1{part}".replace(":", ";").replace("\n", " ") for part in parts)])
    assert _seen(read_abstract(text).text) == _seen(text)


_SOUP = st.sampled_from(sorted(KNOWN_TAGS - {"script", "style"})).flatmap(
    lambda tag: st.sampled_from([f"<{tag}>", f"</{tag}>", f"<{tag}/>", f"&lt;{tag}&gt;", "word", " ", "<", "x: "])
)


@settings(deadline=None)
@given(st.lists(_SOUP, max_size=25))
def test_no_tag_is_left_and_no_word_is_lost_in_any_tag_soup(pieces: list[str]) -> None:
    text, sections = read_abstract("".join(pieces))
    assert not any(f"<{tag}>" in text for tag in KNOWN_TAGS)
    assert all(0 <= start < end <= len(text) for _, start, end in sections)
    assert "".join(pieces).count("word") == text.count("word") + sum(s.label.count("word") for s in sections)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_reading_is_idempotent(text: str) -> None:
    once = read_inline(text)
    assert read_inline(once) == once


@pytest.mark.parametrize(
    "unit",
    ["<", "<a ", "<!--", "</", "<![", "<p>", "<b>x:", "<sub>2", "&", "&lt;", "<script>", '<a b="', "\n \n",
     "Done. AIM: ", "Case: ", "<h1>a", "<p x='", "&amp;lt;", "<a '\"", "<!", "<?", "x" * 40 + " <b>y</b>"],
)  # fmt: skip
def test_hostile_input_takes_no_time(unit: str) -> None:
    hostile = (unit * 100_000)[:100_000]
    started = time.thread_time()
    read_abstract(hostile)
    assert time.thread_time() - started < 2  # of this thread; quadratic work would take minutes
