"""The answer function on the demo corpus, with the real parts and no chat model."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assistant import Answer, Assistant, Filters, Turn, answer
from assistant.understanding.query_rewriting import condense
from index import Section, build_index
from index.errors import NoIndexError, WrongUseError
from prompts import ABSTAIN_SENTENCE

BMD = "what was the BMD change under romosozumab?"


def assert_cited_to_the_letter(given: Answer) -> None:
    assert given.citations
    for citation in given.citations:
        source = citation.record.abstract if citation.field == "abstract" else citation.record.title
        assert source is not None
        assert source[citation.start : citation.end] == citation.quote
        assert f"[{citation.number}]" in given.text


def test_the_figure_is_answered_with_the_sentence_it_stands_in(demo_assistant: Assistant) -> None:
    given = demo_assistant.ask(BMD)
    assert given.status == "answered"
    assert given.mode == "extractive"
    assert "22.1%" in given.text
    assert given.citations[0].record.doi == "10.21037/acr-24-163"
    assert given.citations[0].url == "https://doi.org/10.21037/acr-24-163"
    assert_cited_to_the_letter(given)


@pytest.mark.parametrize(
    "question",
    [
        "how was dupilumab conjunctivitis treated?",
        "who won the football world cup in 1974?",
        "did the zebrafish survive?",
        "what was the capital of France?",
    ],
)
def test_what_is_not_in_the_records_is_not_answered(demo_assistant: Assistant, question: str) -> None:
    given = demo_assistant.ask(question)
    assert given.status == "insufficient_evidence"
    assert given.text == ABSTAIN_SENTENCE
    assert given.citations == ()
    assert given.claims == ()


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("Which beta-blocker slowed the heart when terbinafine was added?", "metoprolol"),
        ("How many months was romosozumab given to the woman with fragility fractures?", "12 months"),
        ("plasma lithium level on admission to intensive care?", "8.21 mmol/l"),
    ],
)
def test_facts_of_the_demo_records_are_in_the_answer(demo_assistant: Assistant, question: str, fact: str) -> None:
    given = demo_assistant.ask(question)
    assert fact in given.text
    assert_cited_to_the_letter(given)


def test_a_drug_that_no_record_has_is_not_answered_from_another_and_a_misspelt_one_is(
    demo_assistant: Assistant,
) -> None:
    assert demo_assistant.ask(BMD.replace("romosozumab", "burosumab")).confidence == 0
    assert demo_assistant.ask(BMD.replace("romosozumab", "romosuzumab")).status == "answered"


def test_a_follow_up_keeps_the_case_in_mind(demo_assistant: Assistant) -> None:
    first = demo_assistant.ask(BMD)
    history = [dataclasses.asdict(turn) for turn in first.turns]
    given = demo_assistant.ask("and did she have further fractures?", history)
    assert given.query.startswith(BMD)
    assert {citation.record.doi for citation in given.citations} == {"10.21037/acr-24-163"}


@pytest.mark.parametrize(
    ("history", "question", "query"),
    [
        pytest.param([], "and the dose?", "and the dose?", id="nothing to refer to"),
        pytest.param(["Kimura disease in a man?"], "and the dose?", "Kimura disease in a man? and the dose?", id="and"),
        pytest.param(["Kimura disease in a man?"], "ibuprofen overdose?", "ibuprofen overdose?", id="names a drug"),
        pytest.param(["Kimura disease in a man?"], "how long?", "Kimura disease in a man? how long?", id="few words"),
        pytest.param(
            ["Case of Kimura disease?", "how long?"], "and then?", "Case of Kimura disease? and then?", id="chain"
        ),
        pytest.param(
            ["Kimura disease in a man?"],
            "which antibiotic cured the Pasteurella peritonitis in a cat owner?",
            "which antibiotic cured the Pasteurella peritonitis in a cat owner?",
            id="another case",
        ),
        pytest.param(
            ["Kimura disease in a man?"],
            "how old was the woman with the lithium overdose?",
            "how old was the woman with the lithium overdose?",
            id="nothing rare, but another case",
        ),
        pytest.param(
            ["Kimura disease in a man?"],
            "which chelator did the welder with manganism get before his gait improved?",
            "which chelator did the welder with manganism get before his gait improved?",
            id="another case, with a pronoun",
        ),
    ],
)
def test_a_question_that_refers_back_is_searched_with_the_one_before(
    history: list[str], question: str, query: str
) -> None:
    assert condense(question, tuple(Turn(role="user", content=text) for text in history)).text == query


@pytest.mark.parametrize(
    ("question", "is_follow_up"),
    [
        ("Which reports describe lithium poisoning?", False),
        ("Are there other cases of pneumonitis?", False),
        ("Which other reports describe this?", True),
        ("any other patients?", True),
    ],
)
def test_a_list_is_asked_of_the_topic_it_names_and_not_of_the_case_before(
    demo_assistant: Assistant, question: str, is_follow_up: bool
) -> None:
    first = demo_assistant.ask(BMD)
    assert (BMD in demo_assistant.ask(question, first.turns).query) == is_follow_up


def test_a_follow_up_is_read_in_the_case_that_was_cited(demo_assistant: Assistant) -> None:
    first = demo_assistant.ask("What was the plasma lithium of the woman with kidney failure?")
    given = demo_assistant.ask("and how old was she?", first.turns)
    assert given.evidence[0].record == first.citations[0].record
    plain = [{"role": turn.role, "content": turn.content} for turn in first.turns]
    assert demo_assistant.ask("and how old was she?", plain).query == given.query


def test_the_turns_of_an_answer_carry_the_records_that_it_cites(demo_assistant: Assistant) -> None:
    given = demo_assistant.ask(BMD)
    asked, answered = given.turns
    assert (asked.role, asked.content, asked.record_ids) == ("user", BMD, ())
    assert (answered.role, answered.content) == ("assistant", given.text)
    assert answered.record_ids == tuple(dict.fromkeys(citation.record.record_id for citation in given.citations))


def test_a_record_that_is_gone_from_the_index_is_no_case(demo_assistant: Assistant) -> None:
    history = [{"role": "user", "content": BMD}, {"role": "assistant", "content": "It rose.", "record_ids": ["pmid:0"]}]
    given = demo_assistant.ask("and did she have further fractures?", history)
    assert given.query.startswith(BMD)


@pytest.mark.parametrize("record_ids", ["pmid:1", 7])
def test_record_ids_that_are_no_list_are_refused_with_the_remedy(demo_assistant: Assistant, record_ids: object) -> None:
    history = [{"role": "assistant", "content": "It rose.", "record_ids": record_ids}]
    with pytest.raises(WrongUseError, match=r"record_ids of a turn is .*pass a list of ids"):
        demo_assistant.ask("and her age?", history)


def test_an_answer_says_whether_it_is_a_list(demo_assistant: Assistant) -> None:
    assert demo_assistant.ask(BMD).kind == "fact"
    assert demo_assistant.ask("Which reports describe seizures?").kind == "list"


def test_other_options_share_the_index_and_what_was_read(demo_assistant: Assistant) -> None:
    other = demo_assistant.with_options(top_k=2, quotes_only=True)
    assert other.index is demo_assistant.index
    assert other.settings.settings_id != demo_assistant.settings.settings_id
    assert len({item.record.record_id for item in other.ask(BMD).evidence}) <= 2


def test_a_short_question_that_names_what_the_case_has_is_about_the_case() -> None:
    history = (Turn(role="user", content="Kimura disease in a man?"),)
    assert not condense("any ibuprofen?", history).is_follow_up
    case = "He had Kimura disease and took ibuprofen."
    assert condense("any ibuprofen?", history, case).is_follow_up
    assert condense("how long had the second course been tried?", history, case).is_follow_up
    assert not condense("how old was the woman with the lithium overdose?", history, case).is_follow_up


def test_a_follow_up_keeps_to_the_filters_even_in_the_case_that_was_quoted(demo_assistant: Assistant) -> None:
    first = demo_assistant.ask(BMD)
    given = demo_assistant.ask("and did she have further fractures?", first.turns, filters=Filters(year_to=2020))
    assert first.citations[0].record.year == 2025
    assert all(item.record.year and item.record.year <= 2020 for item in given.evidence)


def test_the_search_gives_the_records_in_the_order_of_the_reader_and_goes_on_after_it(
    demo_assistant: Assistant,
) -> None:
    passages = demo_assistant.search(BMD, top_k=15)
    assert passages[0].record.doi == "10.21037/acr-24-163"
    assert [passage.rank for passage in passages] == list(range(1, 16))
    scores = [passage.score for passage in passages]
    assert scores == sorted(scores, reverse=True)
    read = demo_assistant.settings.top_k
    assert {passage.stage for passage in passages[:read]} == {"reader"}
    assert {passage.stage for passage in passages[read:]} == {"hybrid"}
    assert len({passage.record.record_id for passage in passages}) == 15


def test_the_same_question_again_is_not_read_again(demo_index_dir: Path) -> None:
    with Assistant.open(demo_index_dir) as assistant:
        first, second = assistant.ask(BMD), assistant.ask(BMD)
        assert assistant._passage_reader.read.cache_info()[:2] == (1, 1)  # one hit, one miss
    assert second.citations == first.citations


def test_filters_reach_the_search(demo_assistant: Assistant) -> None:
    given = demo_assistant.ask(BMD, filters=Filters(year_to=2020))
    assert "10.21037/acr-24-163" not in {item.record.doi for item in given.evidence}


def test_the_stream_ends_with_the_answer_and_shows_only_text_of_it(demo_assistant: Assistant) -> None:
    events = list(demo_assistant.stream(BMD))
    assert [event.answer for event in events[:-1]] == [None] * (len(events) - 1)
    last = events[-1].answer
    assert last is not None
    assert len(events) >= 3
    for event in events:
        assert last.text.startswith(event.text)


def test_async_gives_the_same_answer(demo_assistant: Assistant) -> None:
    async def ask() -> tuple[Answer, Answer | None]:
        final = None
        async for event in demo_assistant.astream(BMD):
            final = event.answer
        return await demo_assistant.aask(BMD), final

    one, two = asyncio.run(ask())
    assert two is not None
    assert one.text == two.text == demo_assistant.ask(BMD).text


def test_questions_in_parallel_do_not_mix(demo_assistant: Assistant) -> None:
    questions = [BMD, "how was dupilumab conjunctivitis treated?"] * 8
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(demo_assistant.ask, questions))
    assert [given.question for given in answers] == questions
    assert len({given.text for given in answers}) == 2


@pytest.mark.parametrize(
    ("question", "message"),
    [
        pytest.param("", "the question is empty", id="empty"),
        pytest.param(" ?!\n", "the question is empty", id="no letter"),
        pytest.param("x" * 2_001, "2,001 characters, at most 2,000", id="too long"),
        pytest.param(None, "must be text, is NoneType", id="no text"),
    ],
)
def test_a_question_that_cannot_be_asked_says_why(demo_assistant: Assistant, question: str, message: str) -> None:
    with pytest.raises(WrongUseError, match=message):
        demo_assistant.ask(question)


def test_a_wrong_history_says_what_to_pass(demo_assistant: Assistant) -> None:
    with pytest.raises(WrongUseError, match=r"pass .*role"):
        demo_assistant.ask("and then?", history=["hello"])  # type: ignore[list-item]


@pytest.mark.parametrize("setting", [{"top_k": 0}, {"temperature": 1}], ids=["out of range", "unknown"])
def test_a_wrong_setting_is_named(demo_index_dir: Path, setting: dict[str, int]) -> None:
    with pytest.raises(WrongUseError, match=f"setting {next(iter(setting))}"):
        Assistant.open(demo_index_dir, **setting)


def test_answer_opens_the_default_index_once(demo_index_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from assistant.assistant import _default_assistant

    _default_assistant.cache_clear()
    with pytest.raises(NoIndexError, match=r"no index in"):
        answer(BMD)
    monkeypatch.setenv("CASECITE_INDEX_DIR", str(demo_index_dir))
    assert "22.1%" in answer(BMD).text
    assert _default_assistant.cache_info().currsize == 1
    _default_assistant.cache_clear()


def test_json_holds_every_field_and_whole_records(demo_assistant: Assistant) -> None:
    data = json.loads(demo_assistant.ask(BMD).to_json())
    assert data["status"] == "answered"
    assert data["timings_ms"].keys() == {"search", "reading", "answer", "total"}
    for citation in data["citations"]:
        record = citation["record"]
        assert record["abstract"][citation["start"] : citation["end"]] == citation["quote"]
        assert record.keys() >= {"record_id", "source_id", "title", "authors", "journal", "year", "doi", "pmid"}


def test_markdown_shows_each_record_once_with_its_link_and_marks_digests(demo_assistant: Assistant) -> None:
    shown = demo_assistant.ask(BMD).to_markdown()
    assert shown.count("(<https://doi.org/10.21037/acr-24-163>)") == 1
    assert "digest, not the published abstract" in shown.replace("\\", "")


HOSTILE = (
    "<script>alert(1)</script> ![x](http://evil.example/a.png) [b](javascript:alert(1)) **bold** http://evil.example"
)


def test_markup_in_records_is_shown_as_text(tmp_path: Path) -> None:
    record = {
        "pmid": "1",
        "title": f"Zirconium fever {HOSTILE}",
        "abstract": f"Zirconium fever rose to 40 °C {HOSTILE}.",
    }
    (tmp_path / "in.json").write_text(json.dumps(record), "utf-8")
    build_index([tmp_path / "in.json"], tmp_path / "index")
    with Assistant.open(tmp_path / "index") as assistant:
        shown = assistant.ask("zirconium fever in °C?").to_markdown()
    assert "40 °C" in shown
    for markup in ("<script", "![x]", "[b](", "**bold**", "http://evil"):
        assert markup not in shown


def test_a_quote_does_not_run_from_one_section_into_the_next(tmp_path: Path) -> None:
    abstract = "<p><b>Case: </b>Zirconium fever rose to 40 °C on day 3</p><p><b>Outcome: </b>It fell on day 9</p>"
    (tmp_path / "in.json").write_text(json.dumps({"pmid": "1", "abstract": abstract}), "utf-8")
    build_index([tmp_path / "in.json"], tmp_path / "index")
    with Assistant.open(tmp_path / "index") as assistant:
        given = assistant.ask("zirconium fever in °C?")
    assert {item.quote for item in given.evidence} == {"Zirconium fever rose to 40 °C on day 3", "It fell on day 9"}
    assert {item.section for item in given.evidence} == {"Case", "Outcome"}
    assert_cited_to_the_letter(given)


def test_the_seed_file_is_one_record_and_answers(shared_data: Path, tmp_path: Path) -> None:
    report = build_index([shared_data / "seed" / "romosozumab_plo.txt"], tmp_path / "index")
    assert (report.record_count, report.rejected) == (1, ())
    with Assistant.open(tmp_path / "index") as assistant:
        given = assistant.ask(BMD)
        assert "22.1%" in given.text
        assert_cited_to_the_letter(given)
        assert [section.label for section in map(Section._make, given.citations[0].record.sections)] == [
            "Background",
            "Case description",
            "Conclusions",
        ]
        assert assistant.ask("what dose of methotrexate was given?").status == "insufficient_evidence"


def test_questions_that_come_at_once_take_turns(demo_index_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    searched, answered = [], []

    async def ask_all(assistant: Assistant, questions: list[str]) -> None:
        async def ask(question: str) -> None:
            async for event in assistant.astream(question):
                if event.step == "searching":
                    searched.append(question)
                elif question not in answered:
                    answered.append(question)

        await asyncio.gather(*map(ask, questions))

    questions = [
        BMD,
        "How much weight was gained?",
        "How was the conjunctivitis treated?",
        "What was the lithium level?",
    ]
    with Assistant.open(demo_index_dir) as assistant:
        asyncio.run(ask_all(assistant, questions))
    assert answered[0] in searched[:2]
    assert answered[-1] in searched[2:]
