"""Suggested questions: follow-ups that the cited case answers, and what to try where nothing was found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assistant.answers import Answer
from assistant.cases.ages import find_ages
from assistant.cases.clauses import describes_case
from assistant.cases.findings import names_diagnosis, states_outcome
from assistant.cases.treatment import find_dosed_drug, find_lasting_drug, states_treatment
from assistant.clinical_text.medical_names import find_foreign_names
from assistant.reading.sentences import Sentence, split_record
from index.search.snapshot import Snapshot
from index.text.normalisation import fold_text
from index.text.terms import analyse
from index.types import Record

MAX_SUGGESTIONS = 3
MAX_NEAREST = 3
MAX_REWORDINGS = 2
MAX_TOPIC_NAMES = 2

_WORD = re.compile(r"[^\W_]+")
_TEST = re.compile(
    r"\b(?P<test>(?:\w+\s+)?biopsy|CT(?:\s+scan)?|computed\s+tomography|MRI|magnetic\s+resonance\s+imaging"
    r"|echocardiogra(?:m|phy)|electrocardiogra(?:m|phy)|electroencephalogra(?:m|phy)|ultrasound|ultrasonography"
    r"|endoscopy|colonoscopy|autopsy|laparoscopy|angiography|blood\s+cultures?|genetic\s+testing|chest\s+x-ray"
    r"|histolog(?:y|ical\s+examination))\b[^.;]{0,60}\b(?:show|reveal|demonstrat|found|disclos|confirm|identif)\w*",
    re.IGNORECASE,
)
_PRESENTED = re.compile(r"\b(?:presented\s+with|complain\w*\s+of|symptoms\s+were|because\s+of)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a question has no answer.

    `unknown_words` are the words of the question that no record contains, as the user wrote them. `nearest` are the
    records that were searched, best first. `rewordings` are questions to try instead; they need not have an answer.
    """

    unknown_words: tuple[str, ...]
    nearest: tuple[Record, ...]
    rewordings: tuple[str, ...]


def suggest_questions(answer: Answer) -> tuple[str, ...]:
    """Up to three follow-ups, each of which a cited record answers in a sentence that the answer does not quote.

    They are on the record that is cited first, so that a conversation keeps to its case.
    """
    if not answer.citations:
        return ()
    record = answer.citations[0].record
    quoted = {(item.field, item.start) for item in answer.citations if item.record.record_id == record.record_id}
    unquoted = [
        sentence
        for sentence in split_record(record)
        if sentence.field == "abstract"
        and (sentence.field, sentence.start) not in quoted
        and describes_case(record, sentence)
    ]
    asked = set(analyse(f"{answer.question} {answer.query}"))
    by_kind = zip(*map(_list_answered, unquoted), strict=True)
    first_of_kind = (next(filter(None, questions), None) for questions in by_kind)
    questions = dict.fromkeys(
        question for question in first_of_kind if question and not set(analyse(question)) <= asked
    )
    return tuple(questions)[:MAX_SUGGESTIONS]


def _list_answered(sentence: Sentence) -> tuple[str | None, ...]:
    """The question of each kind that a sentence answers, or None; the kinds are in order of priority."""
    dosed_drug, lasting_drug = find_dosed_drug(sentence), find_lasting_drug(sentence)
    test = _TEST.search(sentence.text)
    return (
        "What was the outcome?" if states_outcome(sentence) else None,
        f"What dose of {_within_sentence(dosed_drug)} was given?" if dosed_drug else None,
        f"How long was {_within_sentence(lasting_drug)} given?" if lasting_drug else None,
        "How was the patient treated?" if states_treatment(sentence) else None,
        f"What did the {_within_sentence(test['test'])} show?" if test else None,
        "What was the diagnosis?" if names_diagnosis(sentence) else None,
        "What were the symptoms?" if _PRESENTED.search(sentence.text) else None,
        "How old was the patient?" if any(find_ages(sentence)) else None,
    )


def _within_sentence(name: str) -> str:
    """A name as it is written inside a sentence: "Terbinafine" without its capital, "CT" with both."""
    return name if name[:2].isupper() else name[0].lower() + name[1:]


def explain_refusal(answer: Answer, build: Snapshot) -> Refusal:
    """The unknown words of a question, the nearest records, and what to ask instead.

    `answer` has the status `insufficient_evidence`; `build` is the build that was searched.
    """
    words = dict.fromkeys(_WORD.findall(answer.query))
    unknown = [word for word in words if (terms := analyse(word)) and not any(map(build.document_frequency, terms))]
    unknown.sort(key=lambda word: not _is_name(word))
    nearest = list({item.record.record_id: item.record for item in answer.evidence}.values())[:MAX_NEAREST]
    asked = {fold_text(answer.question), fold_text(answer.query)}
    rewordings = dict.fromkeys(
        question for question in _reword(answer.query, unknown, nearest, build) if fold_text(question) not in asked
    )
    return Refusal(unknown_words=tuple(unknown), nearest=tuple(nearest), rewordings=tuple(rewordings)[:MAX_REWORDINGS])


def _reword(query: str, unknown: Sequence[str], nearest: Sequence[Record], build: Snapshot) -> Iterator[str]:
    """The query with its spelling corrected, then questions for reports on what it names, the narrower first."""
    corrected = query
    for word in unknown:
        if written := _correct(word, nearest, build):
            corrected = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", written, corrected)
    if corrected != query:
        yield corrected
    for count in (MAX_TOPIC_NAMES, 1):
        if names := _find_names(corrected, count, build):
            phrase = " ".join(names)
            yield f"Which reports describe {phrase if phrase in corrected else ' and '.join(names)}?"


def _correct(word: str, nearest: Sequence[Record], build: Snapshot) -> str | None:
    """The most probable correct spelling of a word, as one of the records writes it."""
    meant = {correction for term in analyse(word) for correction in build.corrections(term)}
    written = (
        other for record in nearest for other in _WORD.findall(record.text) if meant.intersection(analyse(other))
    )
    return next((other.lower() if word.islower() else other for other in written), None)


def _find_names(query: str, count: int, build: Snapshot) -> list[str]:
    """The names in a query that a record contains: the `count` of highest term weight, in the query's order."""
    weights = {
        word: max(map(build.term_weight, terms))
        for word in dict.fromkeys(_WORD.findall(query))
        if _is_name(word) and (terms := [term for term in analyse(word) if build.document_frequency(term)])
    }
    heaviest = sorted(weights, key=lambda word: -weights[word])[:count]
    return [word for word in weights if word in heaviest]


def _is_name(word: str) -> bool:
    return any(find_foreign_names(word, known=""))
