import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import bibtexparser
import pytest
import rispy
from bibtexparser.middlewares import LatexDecodingMiddleware, SeparateCoAuthors, SplitNameParts
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant import Assistant
from assistant.references import format_references, to_bibtex, to_csl_json, to_ris
from assistant.references.author_names import parse_name
from assistant.references.csl import citation_keys, split_pages
from assistant.references.text import DIGEST_NOTE, RETRACTED_NOTE
from index import DEMO_RECORDS, read_records
from index.text.cleaning import clean_text
from index.types import Record

SMITH = Record(
    record_id="doi:10.1000/xyz_1",
    abstract="The fracture healed.",
    content_hash="0",
    title="Bone & joint: 5% of α-blockers under $10?",
    authors=("Ann-Marie Smith", "Ludwig van der Berg", "Jones KL Jr", "ARISE Study Group"),
    journal="J. Bone Cases",
    year=2025,
    volume="9",
    pages="1268-72",
    doi="10.1000/xyz_1",
    pmid="123",
    pmcid="PMC45",
    url="https://doi.org/10.1000/xyz_1",
)
BARE = Record(record_id="sha256:0", abstract="A man coughed.", content_hash="1")

hostile = st.text(
    alphabet=st.one_of(st.sampled_from("{}\\\"$%#&_~^<>[]`'-?!,;=@ \n\r\t\x00\x0b\x85\u2028\u202e"), st.characters())
)
hostile_field = st.one_of(
    hostile,
    st.tuples(
        hostile,
        st.sampled_from(["\nER  - \nTY  - JOUR\nTI  - x", "},\n}\n@article{x, title={y", "}", "{", "\\"]),
        hostile,
    ).map("".join),
)


def parse_bibtex(text: str) -> list:
    library = bibtexparser.parse_string(text, append_middleware=[LatexDecodingMiddleware()])
    assert not library.failed_blocks
    return library.entries


def fields_of(entry: bibtexparser.model.Entry) -> dict[str, str]:
    return {field.key: field.value for field in entry.fields}


def plain(text: str) -> str:
    """A title as it must come back: what cannot be seen or stored is gone, white space is single spaces."""
    return " ".join(clean_text(text).split())


class TestNames:
    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("Hiroshi Nomura", {"family": "Nomura", "given": "Hiroshi"}),
            ("Nomura, Hiroshi", {"family": "Nomura", "given": "Hiroshi"}),
            ("Nomura HK", {"family": "Nomura", "given": "H K"}),
            ("Nomura H K", {"family": "Nomura", "given": "H K"}),
            ("H K Nomura", {"family": "Nomura", "given": "H K"}),
            ("HK Nomura", {"family": "Nomura", "given": "H K"}),
            ("H. K. Nomura", {"family": "Nomura", "given": "H. K."}),
            ("Bak-Pedersen-K", {"family": "Bak-Pedersen", "given": "K"}),
            ("Gill-J-R-Jr", {"family": "Gill", "given": "J R", "suffix": "Jr"}),
            ("Ludwig van der Berg", {"family": "Berg", "given": "Ludwig", "non-dropping-particle": "van der"}),
            ("van der Berg L", {"family": "Berg", "given": "L", "non-dropping-particle": "van der"}),
            ("van der Berg, Ludwig", {"family": "Berg", "given": "Ludwig", "non-dropping-particle": "van der"}),
            ("John Hill Jr.", {"family": "Hill", "given": "John", "suffix": "Jr"}),
            ("Hill, John, Jr", {"family": "Hill", "given": "John", "suffix": "Jr"}),
            ("Hill JA 3rd", {"family": "Hill", "given": "J A", "suffix": "3rd"}),
            ("ARISE Study Group", {"literal": "ARISE Study Group"}),
            ("Marks and Spencer", {"literal": "Marks and Spencer"}),
            ("Avicenna", {"literal": "Avicenna"}),
            ("田中太郎", {"literal": "田中太郎"}),
            ("a, b, c, d", {"literal": "a, b, c, d"}),
            ("A {} \\B", {"literal": "A {} \\B"}),
        ],
    )
    def test_the_forms_of_the_sources(self, text, parts):
        assert parse_name(text) == parts

    @given(hostile)
    def test_no_name_loses_a_letter_or_gains_one(self, text):
        letters = sorted(filter(str.isalpha, "".join(parse_name(text).values())))
        assert letters == sorted(filter(str.isalpha, plain(text)))


class TestKeys:
    def test_repeated_keys_get_suffixes_and_all_are_unique(self):
        titles = [*["Bone loss"] * 60, "Bonea loss"]
        keys = citation_keys([replace(SMITH, record_id=str(n), title=title) for n, title in enumerate(titles)])
        assert keys[:3] == ["smith2025bone", "smith2025bonea", "smith2025boneb"]
        assert keys[26:28] == ["smith2025bonez", "smith2025bonea2"]
        assert len(set(keys)) == 61

    @pytest.mark.parametrize(
        ("changes", "key"),
        [
            ({"authors": ("Bo Løfgren",), "title": None}, "lofgren2025"),
            ({"authors": ("Bernard Noël",), "title": "A case of Ménière disease"}, "noel2025meniere"),
            ({"authors": (), "year": None, "title": "Amiodarone-induced coma"}, "amiodaroneinduced"),
            ({"authors": ("田中太郎",), "year": None, "title": "症例"}, "record"),
        ],
    )
    def test_what_is_missing_is_left_out(self, changes, key):
        assert citation_keys([replace(SMITH, **changes)]) == [key]


@pytest.mark.parametrize(
    ("pages", "split"),
    [
        ("1268-72", ("1268", "1272")),
        ("1268–1272", ("1268", "1272")),
        ("S12-4", ("S12", "S14")),
        ("S12-S14", ("S12", "S14")),
        ("68", ("68", None)),
        ("e001-e3", ("e001", "e003")),
        ("12, 15-17", ("12, 15-17", None)),
    ],
)
def test_a_page_range_ends_in_full(pages, split):
    assert split_pages(pages) == split


class TestCslJson:
    def test_every_field(self):
        (item,) = json.loads(json.dumps(to_csl_json([SMITH])))
        assert item == {
            "id": "smith2025bone",
            "type": "article-journal",
            "title": SMITH.title,
            "container-title": "J. Bone Cases",
            "volume": "9",
            "page": "1268-1272",
            "DOI": "10.1000/xyz_1",
            "PMID": "123",
            "PMCID": "PMC45",
            "URL": "https://doi.org/10.1000/xyz_1",
            "author": [
                {"family": "Smith", "given": "Ann-Marie"},
                {"family": "Berg", "given": "Ludwig", "non-dropping-particle": "van der"},
                {"family": "Jones", "given": "K L", "suffix": "Jr"},
                {"literal": "ARISE Study Group"},
            ],
            "issued": {"date-parts": [[2025]]},
        }

    def test_what_the_record_does_not_give_is_left_out(self):
        assert to_csl_json([BARE]) == [{"id": "record", "type": "article-journal"}]

    def test_a_record_comes_once(self):
        assert [item["id"] for item in to_csl_json([SMITH, BARE, SMITH])] == ["smith2025bone", "record"]


class TestBibtex:
    def test_reads_back(self):
        (entry,) = parse_bibtex(to_bibtex([SMITH]))
        assert (entry.entry_type, entry.key) == ("article", "smith2025bone")
        assert fields_of(entry) == {
            "author": "Smith, Ann-Marie and van der Berg, Ludwig and Jones, Jr, K L and ARISE Study Group",
            "title": SMITH.title,
            "year": "2025",
            "journal": "J. Bone Cases",
            "volume": "9",
            "pages": "1268–1272",
            "pmid": "123",
            "pmcid": "PMC45",
            "doi": "10.1000/xyz_1",
            "url": "https://doi.org/10.1000/xyz_1",
        }

    def test_bibtex_finds_the_parts_of_the_names(self):
        library = bibtexparser.parse_string(
            to_bibtex([SMITH]), append_middleware=[SeparateCoAuthors(), SplitNameParts()]
        )
        names = library.entries[0]["author"]
        assert [(name.von, name.last, name.jr) for name in names] == [
            ([], ["Smith"], []),
            (["van", "der"], ["Berg"], []),
            ([], ["Jones"], ["Jr"]),
            ([], ["{ARISE Study Group}"], []),
        ]

    def test_special_characters_and_ligatures_are_escaped_and_capitals_are_kept(self):
        assert r"title = {{Bone \& joint: 5\% of \ensuremath{\alpha}-blockers under \$10?}}" in to_bibtex([SMITH])
        title = "Vasculitis--cause or ``coincidence''?`"
        text = to_bibtex([replace(SMITH, title=title)])
        assert "-{}-" in text
        assert parse_bibtex(text)[0]["title"] == title

    @given(hostile_field, hostile_field, st.sampled_from(["10.1000/a_b", "10.1002/(sici)1<2::aid>3.0;2-x"]))
    @settings(max_examples=150, deadline=None)
    def test_no_field_leads_out_of_its_entry(self, title, name, doi):
        record = replace(SMITH, title=title, authors=(name, "Ann Smith"), journal=name, volume=title, doi=doi)
        text = to_bibtex([record, BARE])
        assert text.count("{") == text.count("}")  # BibTeX counts them all
        first, second = parse_bibtex(text)
        assert second.key == "record"
        # The decoder knows the command for "^" as an accent only, and a tilde as a space.
        assert fields_of(first).get("title", "").replace("ˆ", "^") == plain(title).replace("ˆ", "^")
        assert first["doi"] == doi
        assert fields_of(first).keys() <= fields_of(parse_bibtex(to_bibtex([SMITH]))[0]).keys()


class TestRis:
    def test_reads_back(self):
        text = to_ris([SMITH])
        (entry,) = rispy.loads(text)
        assert text.startswith("TY  - JOUR\n")
        assert text.endswith("ER  - \n")
        assert all(line[2:6] == "  - " for line in to_ris([SMITH, BARE]).splitlines() if line)
        assert entry == {
            "type_of_reference": "JOUR",
            "id": "smith2025bone",
            "authors": ["Smith, Ann-Marie", "van der Berg, Ludwig", "Jones, K L, Jr", "ARISE Study Group,"],
            "title": SMITH.title,
            "secondary_title": "J. Bone Cases",
            "year": "2025",
            "volume": "9",
            "start_page": "1268",
            "end_page": "1272",
            "doi": "10.1000/xyz_1",
            "accession_number": "123",
            "custom2": "PMC45",
            "urls": ["https://doi.org/10.1000/xyz_1"],
            "notes_abstract": "The fracture healed.",
        }

    @given(hostile_field, hostile_field)
    @settings(max_examples=150, deadline=None)
    def test_no_field_leads_out_of_its_entry(self, title, name):
        record = replace(SMITH, title=title, abstract=title, authors=(name,), journal=name, volume=title, pages=name)
        first, second = rispy.loads(to_ris([record, BARE]))
        assert second["id"] == "record"
        assert first.get("title", "") == plain(title)
        assert first["doi"] == SMITH.doi
        assert "unknown_tag" not in first


class TestStyles:
    @pytest.mark.parametrize(
        ("style", "ending"),
        [
            ("ama", "1268-1272. doi:10.1000/xyz_1"),
            ("vancouver", "1268–72. doi:10.1000/xyz_1 PubMed PMID: 123; PubMed Central PMCID: PMC45."),
        ],
    )
    def test_every_field(self, style, ending):
        assert format_references([SMITH], style) == [
            "Smith AM, van der Berg L, Jones KL Jr, ARISE Study Group. Bone & joint: 5% of α-blockers under $10? "
            f"J Bone Cases. 2025;9:{ending}"
        ]

    @pytest.mark.parametrize(("style", "shown"), [("ama", 3), ("vancouver", 6)])
    def test_seven_authors_are_cut_and_six_are_not(self, style, shown):
        names = [f"Ann {letter}son" for letter in "BCDFGHJ"]
        seven, six = format_references(
            [replace(SMITH, authors=tuple(names)), replace(SMITH, authors=tuple(names[:6]))], style
        )
        assert seven.startswith(", ".join(f"{name.split()[1]} A" for name in names[:shown]) + ", et al. Bone")
        assert "et al" not in six

    @pytest.mark.parametrize("style", ["ama", "vancouver"])
    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({"authors": ()}, "A cough. J Lung. 2020;1"),
            ({"title": None}, "Smith A. (no title in the record). J Lung. 2020;1"),
            ({"journal": None}, "Smith A. A cough. 2020;1"),
            ({"volume": None}, "Smith A. A cough. J Lung. 2020"),
            ({"year": None, "volume": None}, "Smith A. A cough. J Lung"),
        ],
    )
    def test_what_is_missing_leaves_no_trace(self, style, changes, text):
        record = Record(
            record_id="doi:10.1/a",
            abstract="x",
            content_hash="0",
            title="A cough.",
            authors=("Ann Smith",),
            journal="J Lung",
            year=2020,
            volume="1",
            doi="10.1/a",
        )
        assert format_references([replace(record, **changes)], style) == [f"{text}. doi:10.1/a"]

    def test_a_bare_record_and_one_with_a_pubmed_number_alone(self):
        assert format_references([BARE], "ama") == format_references([BARE], "vancouver")
        assert format_references([BARE], "ama") == ["(no title in the record)."]
        record = replace(BARE, title="A cough", pmid="77", url="https://pubmed.ncbi.nlm.nih.gov/77/")
        assert format_references([record], "ama") == ["A cough. https://pubmed.ncbi.nlm.nih.gov/77/"]
        assert format_references([record], "vancouver") == ["A cough. PubMed PMID: 77."]

    @pytest.mark.parametrize("style", ["ama", "vancouver"])
    @pytest.mark.parametrize(
        "title",
        [
            'x <span class="nocase">y</span> z',
            'x <span class="nocase">y',
            "a < b & c > d &amp; e",
            "<i>E. coli</i>",
            "p {53} $x$ \\n",
            "Why?",
            "Stop!",
        ],
    )
    def test_a_title_is_shown_as_it_is(self, style, title):
        (text,) = format_references([replace(BARE, title=title)], style)
        assert text in (title, f"{title}.")

    def test_the_order_is_kept_and_threads_do_not_mix_references(self):
        records = [replace(SMITH, title=f"Title {number}", authors=()) for number in range(40)]
        expected = format_references(records, "ama")
        assert all(text.startswith(f"Title {number}. ") for number, text in enumerate(expected))
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda record: format_references([record], "ama")[0], records))
        assert found == expected

    @given(hostile_field, hostile_field)
    @settings(max_examples=75, deadline=None)
    def test_hostile_fields_stay_on_one_line(self, title, name):
        record = replace(SMITH, title=title, authors=(name, "Ann Smith"), journal=name, volume=title, pages=name)
        for text in (*format_references([record], "ama"), *format_references([record], "vancouver")):
            assert len(text.splitlines()) == 1


def test_every_format_has_the_marks_of_a_record():
    marked = replace(SMITH, retracted=True, is_digest=True)
    both = f"{RETRACTED_NOTE}; {DIGEST_NOTE}"
    (entry,) = rispy.loads(to_ris([marked]))
    assert to_csl_json([marked])[0]["note"] == both
    assert parse_bibtex(to_bibtex([marked]))[0]["note"] == both
    assert entry["notes"] == [RETRACTED_NOTE, DIGEST_NOTE]
    assert entry["notes_abstract"] == f"[{DIGEST_NOTE}] The fracture healed."
    for style in ("ama", "vancouver"):
        assert format_references([marked], style)[0].endswith(f" ({RETRACTED_NOTE}) ({DIGEST_NOTE})")


def check_all_formats(records: list[Record]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for style in ("ama", "vancouver"):
            texts = format_references(records[:300], style)
            for text in texts:
                assert ".." not in text.replace("...", "")
                assert "?." not in text
                assert "  " not in text
                assert "None" not in text
                assert text.count("doi:") <= 1
        entries = parse_bibtex(to_bibtex(records))
        references = rispy.loads(to_ris(records))
    keys = [item["id"] for item in to_csl_json(records)]
    assert len(set(keys)) == len(records)
    assert [entry.key for entry in entries] == [entry["id"] for entry in references] == keys
    for record, entry, reference in zip(records, entries, references, strict=True):
        assert reference.get("title", "") == plain(record.title or "")
        assert len(reference.get("authors", ())) == len(record.authors)
        assert fields_of(entry).get("title", "") == plain(record.title or "")
        assert fields_of(entry).get("doi") == record.doi


def test_the_demo_records_go_through_every_format():
    check_all_formats([item for item in read_records([DEMO_RECORDS]) if isinstance(item, Record)])


def test_real_records_go_through_every_format(shared_data: Path):
    records = read_records([shared_data / "cases" / "records.jsonl.gz"])
    check_all_formats([item for item in records if isinstance(item, Record)][::36])


def test_an_answer_gives_its_references(demo_assistant: Assistant):
    answer = demo_assistant.ask("What was the BMD change under romosozumab?")
    cited = {citation.record.record_id for citation in answer.citations}
    assert [item["DOI"] for item in answer.to_csl_json()] == ["10.21037/acr-24-163"]
    assert len(cited) == len(parse_bibtex(answer.to_bibtex())) == len(rispy.loads(answer.to_ris())) == 1
