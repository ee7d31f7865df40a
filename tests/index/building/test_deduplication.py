"""Records of the same report become one; other reports stay separate, and no input is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index import BuildReport, Record, build_index, open_index
from index.building.build import remove_records
from index.building.deduplication import merge_records
from index.building.merging import Intake, Tally
from index.errors import WrongUseError
from index.ingest.readers import read_sources
from index.search.snapshot import Snapshot
from index.storage.record_store import RecordStore

Raw = Mapping[str, Any]

TITLE = "Recurrent anaphylaxis to quince cider in a baker: a case report"
ABSTRACT = (
    "Reactions to quince are rare. A baker of 41 years had a rash and low blood pressure (80/50 mmHg) 3 hours after "
    "200 ml of quince cider, on three occasions. Skin tests with fresh quince were positive, those with apple and pear "
    "were not. She was given 0.3 mg of epinephrine and recovered within 2 days. After a year without quince she had "
    "had no further reaction. Quince should be asked for where bakers react to nothing that is known."
)
OTHER_ABSTRACT = (
    "Divers may lose their hearing by barotrauma. A diver of 29 years lost the hearing of her left ear at a depth of "
    "18 m. Audiometry showed a loss of 60 dB at all frequencies. Prednisolone was begun on the same day at a dose of "
    "60 mg and was tapered over two weeks; after that her hearing was as good as before. Early treatment may matter."
)
REPORT = {"title": TITLE, "abstract": ABSTRACT}
OTHER = {"title": "Sudden hearing loss of a diver at 18 metres", "abstract": OTHER_ABSTRACT}
SHORT = {"title": "Reply", "abstract": "The authors regret that no abstract is available."}
CUT = ABSTRACT[:260] + "..."
TRUNCATED = ABSTRACT[:300] + " (ABSTRACT TRUNCATED AT 250 WORDS)"
DIGEST = (
    "In short: a woman who bakes bread reacted three times to a drink made of quinces, and has been well since she "
    "stopped taking it. The skin prick test agreed. Nobody had thought of this fruit before that."
)
CORRECTED = ABSTRACT.replace("0.3 mg", "0.5 mg")

PUBMED = {"source": "PubMed", "pmid": "501", "journal": "J Inv Cases", "authors": ["Ann Baker"]}
EUROPE_PMC = {
    "source": "Europe PMC",
    "doi": "10.5555/quince",
    "pmcid": "PMC77",
    "journal": "Journal of Invented Cases",
    "authors": ["Ann Baker", "Ben Miller"],
    "isOpenAccess": "Y",
}


def write_file(path: Path, *raws: Raw) -> Path:
    path.write_text("".join(json.dumps(raw) + "\n" for raw in raws), "utf-8")
    return path


def take(folder: Path, *files: Sequence[Raw], before: Path | None = None) -> tuple[list[Record], Tally, Path]:
    """The records, tally and store after taking in files, into a new store or a copy of the one at `before`."""
    path = next(path for number in count() if not (path := folder / f"{number}.sqlite").exists())
    store = RecordStore.create(path, before)
    intake = Intake(folder, store)
    for number, raws in enumerate(files):
        for item in read_sources([write_file(folder / f"{path.stem}-{number}.jsonl", *raws)]):
            intake.take(item)
    intake.close()
    records = [record for record, _ in store]
    store.close()
    return records, intake.tally, path


@pytest.mark.parametrize(
    ("first", "second", "record_id"),
    [
        pytest.param(
            {"doi": "10.5555/A", **REPORT},
            {"doi": "https://doi.org/10.5555/a", **REPORT},
            "doi:10.5555/a",
            id="one DOI in two forms",
        ),
        pytest.param(
            {"pmid": "501", **REPORT},
            {"pmid": "501", "doi": "10.5555/a", **OTHER},
            "doi:10.5555/a",
            id="one PMID, whatever the texts",
        ),
        pytest.param(
            {"pmcid": "PMC7", **REPORT}, {"pmcid": "7", "pmid": "501", **REPORT}, "pmid:501", id="PMCID here and there"
        ),
        pytest.param(
            {"doi": "10.5555/a", **REPORT}, {"pmid": "501", **REPORT}, "doi:10.5555/a", id="DOI here, PMID there"
        ),
        pytest.param(
            {"doi": "10.5555/a", **REPORT},
            {"pmid": "501", "title": f"[{TITLE.upper()}].", "abstract": ABSTRACT},
            "doi:10.5555/a",
            id="title in capitals and brackets",
        ),
        pytest.param(
            {"doi": "10.5555/a", **REPORT},
            {"pmid": "501", "title": "Recurrent anaphylaxis to quince-cider in a baker", "abstract": ABSTRACT},
            "doi:10.5555/a",
            id="title without its subtitle",
        ),
        pytest.param(
            {"doi": "10.5555/a", **REPORT},
            {"pmid": "501", "title": "Eine Bäckerin mit Anaphylaxie", "abstract": ABSTRACT},
            "doi:10.5555/a",
            id="title in another language, same abstract",
        ),
        pytest.param(
            {"abstract": ABSTRACT},
            {"abstract": f"<p>{ABSTRACT.replace(' (80/50 mmHg)', ', 80/50&nbsp;mmHg,').replace(' - ', '&ndash;')}</p>"},
            None,
            id="no ids, markup and punctuation",
        ),
        pytest.param(
            {"title": "Naïve β-lactam allergy of a café owner", "abstract": "Sœur of 7."},
            {"title": "Naive beta lactam allergy of a cafe owner", "abstract": "Sœur of 7"},
            None,
            id="accents and Greek letters",
        ),
        pytest.param(
            {"doi": "10.5555/a", **REPORT}, {"abstract": CUT}, "doi:10.5555/a", id="a cut copy without a title"
        ),
        pytest.param(
            {"pmid": "501", "title": TITLE, "abstract": TRUNCATED},
            {"doi": "10.5555/a", **REPORT},
            "doi:10.5555/a",
            id="cut at 250 words",
        ),
        pytest.param(
            {"doi": "10.5555/a", **REPORT},
            {
                "pmid": "501",
                "title": TITLE,
                "abstract": "BACKGROUND: " + ABSTRACT.replace(" A baker", " CASE PRESENTATION: A baker"),
            },
            "doi:10.5555/a",
            id="structured and not",
        ),
        pytest.param(
            {"id": "17", **REPORT},
            {"id": "17", "title": TITLE, "abstract": CORRECTED},
            None,
            id="a source's own number",
        ),
        pytest.param(
            {"doi": "10.5555/a", **SHORT},
            {"doi": "10.5555/a", "title": "Authors' answer", "abstract": "They regret nothing."},
            "doi:10.5555/a",
            id="a DOI whose texts are too short to tell otherwise",
        ),
    ],
)
def test_records_of_one_report_become_one_in_any_order(
    tmp_path: Path, first: Raw, second: Raw, record_id: str | None
) -> None:
    for files in ([first], [second]), ([second], [first]), ([first, second],):
        records, tally, _ = take(tmp_path, *files)
        (record,) = records
        assert record_id is None or record.record_id == record_id
        assert (tally.added, tally.merged + tally.duplicates) == (1, 1)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"pmid": "501", **REPORT}, {"pmid": "502", **REPORT}, id="PMIDs differ"),
        pytest.param({"doi": "10.5555/a", **REPORT}, {"doi": "10.5555/b", **REPORT}, id="DOIs differ"),
        pytest.param(
            {"doi": "10.5555/a", "pmid": "501", **REPORT},
            {"doi": "10.5555/a", "pmid": "502", **OTHER},
            id="one DOI of a supplement, PMIDs differ",
        ),
        pytest.param(
            {"doi": "10.5555/a", **REPORT}, {"doi": "10.5555/a", **OTHER}, id="one DOI of a supplement, no PMIDs"
        ),
        pytest.param(REPORT, REPORT | {"abstract": OTHER_ABSTRACT}, id="same title, other text"),
        pytest.param(
            REPORT, {"title": TITLE, "abstract": ABSTRACT.replace("41 years", "47 years")}, id="same words, another age"
        ),
        pytest.param(
            {"title": TITLE, "abstract": ABSTRACT}, {"title": TITLE, "abstract": "A baker."}, id="a text of two words"
        ),
        pytest.param({"doi": "10.5555/a", **SHORT}, {"pmid": "501", **SHORT}, id="letters called Reply"),
        pytest.param({"id": "1", **REPORT}, {"id": "1", **OTHER}, id="two sources count from 1"),
        pytest.param(
            {"id": "17", **REPORT}, {"id": "18", "title": TITLE, "abstract": CORRECTED}, id="a source tells them apart"
        ),
        pytest.param(
            {"doi": "10.5555/a", **REPORT},
            {
                "pmid": "501",
                "title": "Of another man and other matters",
                "abstract": f"{ABSTRACT[:250]} {OTHER_ABSTRACT}",
            },
            id="same first sentences only",
        ),
    ],
)
def test_other_reports_stay_apart_in_any_order(tmp_path: Path, first: Raw, second: Raw) -> None:
    for raws in (first, second), (second, first):
        records, tally, path = take(tmp_path, raws)
        assert {record.abstract for record in records} == {first["abstract"], second["abstract"]}
        assert (len(records), tally.added) == (2, 2)
        again, tally, _ = take(tmp_path, raws, before=path)
        assert (again, tally.unchanged) == (records, 2), "and do so when they come again"


def test_a_record_with_both_ids_joins_the_two_that_have_one_each(tmp_path: Path) -> None:
    apart = {"doi": "10.5555/a", **REPORT}, {"pmid": "501", "title": "Cider", "abstract": ABSTRACT[:90]}
    joining = {"doi": "10.5555/a", "pmid": "501", **REPORT}
    before, _, path = take(tmp_path, apart)
    assert len(before) == 2
    (record,), tally, _ = take(tmp_path, [joining], before=path)
    assert (record.record_id, record.pmid, record.other_ids) == ("doi:10.5555/a", "501", ("pmid:501",))
    assert (tally.added, tally.merged) == (0, 1)
    (record,), tally, _ = take(tmp_path, [*apart, joining, *apart])
    assert record.abstract == ABSTRACT
    assert sum((tally.added, tally.merged, tally.duplicates)) == 5


def test_a_record_with_the_doi_of_a_supplement_joins_only_the_report_that_it_tells(tmp_path: Path) -> None:
    supplement = (
        {"doi": "10.5555/s", "pmid": "501", **REPORT},
        {"doi": "10.5555/s", "pmid": "502", **OTHER},
    )
    third = {
        "doi": "10.5555/s",
        "title": "Lead in the blood of a potter's cat",
        "abstract": "A cat that slept in a kiln was lame and lost its fur. Lead was 90 micrograms per 100 ml of blood. "
        "Chelation with succimer for three weeks brought it down to 11, and the cat walked as before.",
    }
    records, _, path = take(
        tmp_path, supplement, [third, {"doi": "10.5555/s", "title": OTHER["title"], "abstract": OTHER_ABSTRACT}]
    )
    ids = {record.abstract: record.record_id for record in records}
    assert ids.keys() == {ABSTRACT, OTHER_ABSTRACT, third["abstract"]}
    assert (ids[ABSTRACT], ids[OTHER_ABSTRACT]) == ("doi:10.5555/s", "pmid:502")
    assert ids[third["abstract"]].startswith("sha256:")
    _, tally, _ = take(tmp_path, [*supplement, third], before=path)
    assert tally.unchanged == 3


@pytest.mark.parametrize(
    ("known", "new", "expected"),
    [
        pytest.param({}, {"abstract": CORRECTED}, {"abstract": CORRECTED}, id="a correction replaces"),
        pytest.param({}, {"abstract": CUT}, {"abstract": ABSTRACT}, id="a cut copy does not"),
        pytest.param({}, {"abstract": TRUNCATED}, {"abstract": ABSTRACT}, id="nor one that says so"),
        pytest.param({"abstract": CUT}, {}, {"abstract": ABSTRACT}, id="the whole text replaces a cut one"),
        pytest.param(
            {"abstract": CUT, "source": "PubMed"},
            {"source": "Europe PMC"},
            {"abstract": ABSTRACT},
            id="from elsewhere too",
        ),
        pytest.param(
            {}, {"abstract": DIGEST, "digest": True}, {"abstract": ABSTRACT, "is_digest": False}, id="no digest for it"
        ),
        pytest.param(
            {"abstract": DIGEST, "digest": True}, {}, {"abstract": ABSTRACT, "is_digest": False}, id="it for a digest"
        ),
        pytest.param(
            {"source": "PubMed"},
            {"source": "PubMed", "abstract": CORRECTED},
            {"abstract": CORRECTED},
            id="own correction",
        ),
        pytest.param(
            {"source": "PubMed"},
            {"source": "Europe PMC", "abstract": ABSTRACT.replace("rash", "urticaria"), "year": 2001},
            {"abstract": ABSTRACT, "year": 2001, "sources": ("PubMed", "Europe PMC")},
            id="another database fills gaps only",
        ),
        pytest.param({"year": 2001}, {"year": 2002}, {"year": 2002}, id="a corrected year"),
        pytest.param({"year": 2001}, {"year": None}, {"year": 2001}, id="nothing does not replace a year"),
        pytest.param(
            {"authors": ["A Baker", "B Miller"]},
            {"authors": ["A Baker"]},
            {"authors": ("A Baker", "B Miller")},
            id="more authors",
        ),
        pytest.param(
            {"authors": ["A Baker"]}, {"authors": ["Ann Baker"]}, {"authors": ("Ann Baker",)}, id="full names"
        ),
        pytest.param(
            {"journal": "Journal of Invented Cases"},
            {"journal": "J Inv Cases"},
            {"journal": "Journal of Invented Cases"},
            id="the journal's full name",
        ),
        pytest.param({}, {"title": f"{TITLE[:40]}..."}, {"title": TITLE}, id="the whole title"),
        pytest.param({}, {"title": f"{TITLE}, corrected"}, {"title": f"{TITLE}, corrected"}, id="a corrected title"),
        pytest.param(
            {"publicationTypes": ["Case Reports"]},
            {"publicationTypes": ["Letter"]},
            {"publication_types": ("Case Reports", "Letter")},
            id="types of both",
        ),
        pytest.param({"isOpenAccess": False}, {"isOpenAccess": True}, {"is_open_access": True}, id="access"),
        pytest.param(
            {"url": "https://example.org/1"},
            {"pmid": "501"},
            {"url": "https://example.org/1", "pmid": "501"},
            id="address",
        ),
        pytest.param({}, {"retracted": True}, {"retracted": True}, id="retracted"),
        pytest.param({"retracted": True}, {"retracted": False}, {"retracted": True}, id="stays retracted"),
    ],
)
def test_the_fuller_fields_win(tmp_path: Path, known: Raw, new: Raw, expected: Raw) -> None:
    base = {"doi": "10.5555/a", **REPORT}
    (record,), _, path = take(tmp_path, [base | known], [base | new])
    assert {name: getattr(record, name) for name in expected} == expected
    again, _, _ = take(tmp_path, [base | known], [base | new], before=path)
    assert again == [replace(record, sources=again[0].sources)], "both files again end in the same record"


def test_labels_of_sections_are_kept_when_a_text_without_them_comes(tmp_path: Path) -> None:
    labelled = {"doi": "10.5555/a", "title": TITLE, "abstract": f"BACKGROUND: {ABSTRACT}"}
    for files in ([labelled], [{"pmid": "501", **REPORT}]), ([{"pmid": "501", **REPORT}], [labelled]):
        (record,), _, _ = take(tmp_path, *files)
        assert [label for label, *_ in record.sections] == ["BACKGROUND"]


@pytest.mark.parametrize(
    ("raws", "before"),
    [
        pytest.param([{**PUBMED, **REPORT}, {**EUROPE_PMC, **REPORT}], False, id="one after the other"),
        pytest.param([{**EUROPE_PMC, **REPORT}, {**PUBMED, **REPORT}], False, id="the other first"),
        pytest.param(
            [{**EUROPE_PMC, "title": TITLE, "abstract": CORRECTED}, {**PUBMED, **REPORT}], True, id="they differ"
        ),
    ],
)
def test_sources_that_come_every_week_do_not_take_turns(tmp_path: Path, raws: Sequence[Raw], before: bool) -> None:
    (record,), _, path = take(tmp_path, raws)
    assert set(record.sources) == {"PubMed", "Europe PMC"}
    assert (record.journal, len(record.authors), record.pmid) == ("Journal of Invented Cases", 2, "501")
    for order in (raws, raws[::-1]):
        (again,), tally, _ = take(tmp_path, order, before=path)
        assert again == record
        assert (tally.unchanged, tally.duplicates, tally.changed, tally.merged) == (1, 1, 0, 0)


# Views of a few reports, as different sources give them: some ids, a text that is whole, cut or typeset otherwise.
_REPORTS = [
    {"doi": "10.5555/a", "pmid": "501", "pmcid": "PMC501", **REPORT},
    {"doi": "10.5555/b", "pmid": "502", "pmcid": "PMC502", **OTHER},
    {
        "doi": "10.5555/c",
        "pmid": "503",
        "pmcid": "PMC503",
        "title": TITLE,  # a generic one
        "abstract": "Of all the fruits that bakers meet, this concerns the medlar. " + OTHER_ABSTRACT[::-1].title(),
    },
]
_TYPESET = {
    "plain": str,
    "cut": lambda text: text[:280] + "…",
    "typeset": lambda text: f"<p>{text.replace('. ', '.&nbsp; ')}</p>",
}


@st.composite
def views(draw: st.DrawFn) -> Raw:
    report = draw(st.sampled_from(_REPORTS))
    names = draw(st.sets(st.sampled_from(["doi", "pmid", "pmcid", "title"])))
    source = draw(st.sampled_from([{}, {"source": "PubMed"}, {"source": "Europe PMC"}]))
    extra = draw(st.sampled_from([{}, {"year": 2001}, {"year": 2002, "retracted": True}, {"authors": ["Ann Baker"]}]))
    typeset = _TYPESET[draw(st.sampled_from(sorted(_TYPESET)))]
    return {name: report[name] for name in names} | {"abstract": typeset(report["abstract"])} | source | extra


def _report_of(record: Record | Raw) -> int:
    abstract = record.abstract if isinstance(record, Record) else record["abstract"].removeprefix("<p>")
    return next(number for number, report in enumerate(_REPORTS) if abstract.startswith(report["abstract"][:25]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raws=st.lists(views(), min_size=1, max_size=8), order=st.randoms())
def test_in_any_order_each_report_is_one_record_and_every_input_is_counted(
    tmp_path: Path, raws: list[Raw], order: Any
) -> None:
    expected = {_report_of(raw) for raw in raws}
    shuffled = order.sample(raws, len(raws))
    _, _, path = take(tmp_path, raws[:2])
    for files, before in (([raws], None), ([shuffled], None), ([shuffled], path)):
        records, tally, _ = take(tmp_path, *files, before=before)
        assert sorted(map(_report_of, records)) == sorted(expected)
        assert tally.added + tally.changed + tally.unchanged + tally.duplicates + tally.merged == len(raws)
        for record in records:
            report = _REPORTS[_report_of(record)]
            given_ids = {raw[name] for raw in raws for name in ("doi", "pmid") if raw.get(name) == report[name]}
            assert {record.doi, record.pmid} - {None} == given_ids, "no id is lost, none is of another report"
            assert record.retracted == any(
                raw.get("retracted") for raw in raws if _report_of(raw) == _report_of(record)
            )
            assert len(set(record.other_ids)) == len(record.other_ids)
            assert record.record_id not in record.other_ids


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_merging_the_same_record_again_changes_nothing(data: st.DataObject) -> None:
    from index.ingest.formats.raw_record import RawRecord
    from index.ingest.records import parse_record

    def record() -> Record:
        view = data.draw(views().filter(lambda view: _report_of(view) == 0))
        file = data.draw(st.sampled_from(["a.jsonl", "b.csv"]))
        parsed = parse_record(RawRecord(file=file, line=1, data=dict(view)))
        assert isinstance(parsed, Record)
        return parsed

    known, new = record(), record()
    assert merge_records(known, known) == known
    merged = merge_records(known, new)
    assert merge_records(merged, new) == merged
    assert merge_records(merged, merged) == merged


class Library:
    """An index that files are added to, each under a name of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = count(1)

    def build(self, *raws: Raw) -> BuildReport:
        return build_index([self._write(raws)], self.folder / "index")

    def update(self, *raws: Raw) -> BuildReport:
        return build_index([self._write(raws)], self.folder / "index", mode="update")

    def _write(self, raws: Sequence[Raw]) -> Path:
        return write_file(self.folder / f"week-{next(self.numbers)}.jsonl", *raws)

    @property
    def live(self) -> Snapshot:
        return open_index(self.folder / "index").current()

    @property
    def records(self) -> list[Record]:
        build = self.live
        return [record for record, _ in build.iter_records()]


@pytest.fixture
def library(tmp_path: Path, static_embedder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    monkeypatch.setenv("CASECITE_EMBEDDER", str(static_embedder))
    return Library(tmp_path)


def counts(report: BuildReport) -> dict[str, int]:
    names = ("added", "changed", "unchanged", "duplicates", "merged", "removed", "rejected_count", "embedded")
    return {name: value for name in names if (value := getattr(report, name))}


def test_a_build_joins_two_sources_and_reports_repetitions(library: Library) -> None:
    raws = [
        {**PUBMED, **REPORT},
        {**EUROPE_PMC, **REPORT},
        {**PUBMED, **REPORT},
        {"title": "no text"},
        {"pmid": "9", **OTHER},
    ]
    report = library.build(*raws)
    assert counts(report) == {
        "added": 2,
        "merged": 1,
        "duplicates": 1,
        "rejected_count": 1,
        "embedded": report.chunk_count,
    }
    record, other = library.records
    assert (record.record_id, record.pmid, record.pmcid) == ("doi:10.5555/quince", "501", "PMC77")
    assert record.sources == ("PubMed", "Europe PMC")
    assert other.sources == ("week-1.jsonl",)
    noted = [json.loads(line) for line in Path(report.merged_path).read_text("utf-8").splitlines()]
    assert [(item["record_id"], item["input"], item["line"]) for item in noted] == [
        ("doi:10.5555/quince", "merged", 2),
        ("doi:10.5555/quince", "duplicate", 3),
    ]
    found = library.live.search("quince cider of a baker", 5)
    assert [passage.record.record_id for passage in found].count("doi:10.5555/quince") == 1


def test_what_comes_again_under_another_name_makes_no_new_build(library: Library) -> None:
    raws = [{"doi": "10.5555/a", **REPORT}, {"abstract": OTHER_ABSTRACT}]
    before = library.build(*raws)
    report = library.update(*raws)
    assert counts(report) == {"unchanged": 2}
    assert report.build_id == before.build_id


@pytest.mark.parametrize(
    ("known", "new", "expected", "tally"),
    [
        pytest.param(
            {},
            {"doi": "10.5555/a"},
            {"record_id": "doi:10.5555/a"},
            {"merged": 1},
            id="a record without ids gets its DOI",
        ),
        pytest.param(
            {"pmid": "501"},
            {"pmid": "501", "doi": "10.5555/a"},
            {"record_id": "doi:10.5555/a"},
            {"changed": 1},
            id="a DOI",
        ),
        pytest.param(
            {"doi": "10.5555/a"},
            {"pmid": "501"},
            {"record_id": "doi:10.5555/a", "pmid": "501"},
            {"merged": 1},
            id="a PMID",
        ),
        pytest.param(
            {"pmid": "501"}, {"pmid": "501", "retracted": True}, {"retracted": True}, {"changed": 1}, id="retracted"
        ),
        pytest.param({"pmid": "501"}, {"pmid": "501", "year": 2020}, {"year": 2020}, {"changed": 1}, id="another year"),
    ],
)
def test_an_update_of_other_data_than_the_text_embeds_nothing(
    library: Library, known: Raw, new: Raw, expected: Raw, tally: dict[str, int]
) -> None:
    library.build(REPORT | known, {"pmid": "9", **OTHER})
    (before, _) = library.records
    vectors = library.live.record_vectors([before.record_id])[before.record_id]
    assert counts(library.update(REPORT | new)) == tally
    record = next(record for record in library.records if record.title == TITLE)
    assert {name: getattr(record, name) for name in expected} == expected
    assert library.live.get_record(before.record_id) == record, "it is found by the id that it had"
    assert (library.live.record_vectors([record.record_id])[record.record_id] == vectors).all()
    (found,) = (passage for passage in library.live.search("quince", 5) if passage.record.title == TITLE)
    assert found.record == record


def test_a_corrected_abstract_replaces_and_is_embedded(library: Library) -> None:
    library.build({"doi": "10.5555/a", **REPORT}, {"pmid": "9", **OTHER})
    report = library.update({"doi": "10.5555/a", "title": TITLE, "abstract": CORRECTED})
    assert report.changed == 1
    assert 0 < report.embedded < report.chunk_count
    assert [record.abstract for record in library.records if record.doi] == [CORRECTED]


def test_a_joined_record_is_removed_by_any_of_its_ids(library: Library) -> None:
    library.build(
        {"id": "X1", **PUBMED, **REPORT}, {"id": "X2", **EUROPE_PMC, **REPORT}, {"pmid": "9", "id": "501", **OTHER}
    )
    for name in ("doi:10.5555/quince", "10.5555/Quince", "pmid:501", "X1", "X2", "pmc77"):
        record = library.live.get_record(name)
        assert record is None or record.pmid == "501"
    with pytest.raises(WrongUseError, match=r"501 is pmid:9, doi:10\.5555/quince"):
        remove_records(["501"], library.folder / "index")
    assert counts(remove_records(["X2"], library.folder / "index")) == {"removed": 1}
    assert [record.record_id for record in library.records] == ["pmid:9"]
