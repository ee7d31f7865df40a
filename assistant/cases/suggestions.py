"""What to ask next: follow-ups that the case at hand answers, and what to try where nothing was found."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from assistant.answers import Answer
from assistant.cases.ages import find_ages
from assistant.cases.clauses import tells_of_case
from assistant.cases.findings import names_diagnosis, tells_outcome
from assistant.cases.treatment import find_dosed_drug, find_lasting_drug, tells_treatment
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
    r"|echocardiogra(?:m|phy)"
    r"|electrocardiogra(?:m|phy)|electroencephalogra(?:m|phy)|ultrasound|ultrasonography|endoscopy|colonoscopy|autopsy"
    r"|laparoscopy|angiography|blood\s+cultures?|genetic\s+testing|chest\s+x-ray|histolog(?:y|ical\s+examination))\b"
    r"[^.;]{0,60}\b(?:show|reveal|demonstrat|found|disclos|confirm|identif)\w*",
    re.IGNORECASE,
)
_PRESENTED = re.compile(r"\b(?:presented\s+with|complain\w*\s+of|symptoms\s+were|because\s+of)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a question has no answer.

    `unknown_words` are those of the question that stand in no record, as they were written. `nearest` are the records
    that were looked at, best first. `rewordings` are questions to try instead; they need not have an answer either.
    """

    unknown_words: tuple[str, ...]
    nearest: tuple[Record, ...]
    rewordings: tuple[str, ...]


def suggest_questions(answer: Answer) -> tuple[str, ...]:
    """Up to three follow-ups, each of which a cited record answers in a sentence that the answer does not quote.

    They are on the record that is cited first, so that a conversation stays with its case.
    """
    if not answer.citations:
        return ()
    record = answer.citations[0].record
    quoted = {(item.field, item.start) for item in answer.citations if item.record.record_id == record.record_id}
    open_sentences = [
        sentence
        for sentence in split_record(record)
        if sentence.field == "abstract"
        and (sentence.field, sentence.start) not in quoted
        and tells_of_case(record, sentence)
    ]
    asked = set(analyse(f"{answer.question} {answer.query}"))
    questions = dict.fromkeys(
        question for kind in _KINDS for question in _first(kind, open_sentences) if not set(analyse(question)) <= asked
    )
    return tuple(questions)[:MAX_SUGGESTIONS]


def _first(kind: Callable[[Sentence], str | None], sentences: Sequence[Sentence]) -> Iterator[str]:
    """The question of a kind that the first of the sentences answers."""
    yield from [question for sentence in sentences if (question := kind(sentence))][:1]


def _ask_outcome(sentence: Sentence) -> str | None:
    return "What was the outcome?" if tells_outcome(sentence) else None


def _ask_dose(sentence: Sentence) -> str | None:
    drug = find_dosed_drug(sentence)
    return f"What dose of {_as_name(drug)} was given?" if drug else None


def _ask_duration(sentence: Sentence) -> str | None:
    drug = find_lasting_drug(sentence)
    return f"How long was {_as_name(drug)} given?" if drug else None


def _ask_treatment(sentence: Sentence) -> str | None:
    return "How was the patient treated?" if tells_treatment(sentence) else None


def _ask_test(sentence: Sentence) -> str | None:
    found = _TEST.search(sentence.text)
    return f"What did the {_as_name(found['test'])} show?" if found else None


def _ask_diagnosis(sentence: Sentence) -> str | None:
    return "What was the diagnosis?" if names_diagnosis(sentence) else None


def _ask_age(sentence: Sentence) -> str | None:
    return "How old was the patient?" if next(find_ages(sentence), None) else None


def _ask_symptoms(sentence: Sentence) -> str | None:
    return "What were the symptoms?" if _PRESENTED.search(sentence.text) else None


_KINDS = (
    _ask_outcome,
    _ask_dose,
    _ask_duration,
    _ask_treatment,
    _ask_test,
    _ask_diagnosis,
    _ask_symptoms,
    _ask_age,
)


def _as_name(words: str) -> str:
    """A name as it stands within a sentence: "Terbinafine" without its capital, "CT" with them."""
    return words if words[:2].isupper() else words[0].lower() + words[1:]


def explain_refusal(answer: Answer, build: Snapshot) -> Refusal:
    """What was looked for in vain, the nearest records, and what to ask instead.

    Of an answer with status `insufficient_evidence`; `build` is what it was searched in.
    """
    unknown = _find_unknown(answer.query, build)
    nearest = list({item.record.record_id: item.record for item in answer.evidence}.values())[:MAX_NEAREST]
    asked = {fold_text(answer.question), fold_text(answer.query)}
    rewordings = dict.fromkeys(
        question for question in _reword(answer.query, unknown, nearest, build) if fold_text(question) not in asked
    )
    return Refusal(unknown_words=tuple(unknown), nearest=tuple(nearest), rewordings=tuple(rewordings)[:MAX_REWORDINGS])


def _find_unknown(query: str, build: Snapshot) -> list[str]:
    """The words of a query that stand in no record, in any of their forms, those that name something first."""
    words = dict.fromkeys(_WORD.findall(query))
    unknown = [word for word in words if (terms := analyse(word)) and not any(map(build.document_frequency, terms))]
    return sorted(unknown, key=lambda word: not _is_name(word))


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
    """What a misspelt word was most likely meant to be, as one of the records writes it."""
    meant = {correction for term in analyse(word) for correction in build.corrections(term)}
    written = (
        other for record in nearest for other in _WORD.findall(record.text) if meant.intersection(analyse(other))
    )
    return next((other.lower() if word.islower() else other for other in written), None)


def _find_names(query: str, count: int, build: Snapshot) -> list[str]:
    """The names in a query that a record holds, the most telling `count` of them, in the query's order."""
    weights = {
        word: max(map(build.term_weight, terms))
        for word in dict.fromkeys(_WORD.findall(query))
        if _is_name(word) and (terms := [term for term in analyse(word) if build.document_frequency(term)])
    }
    telling = sorted(weights, key=lambda word: -weights[word])[:count]
    return [word for word in weights if word in telling]


def _is_name(word: str) -> bool:
    return any(find_foreign_names(word, known=""))
