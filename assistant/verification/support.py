"""Whether sentences of a record state a claim: by their facts, their words, and the reader.

Sentences support a claim if, in this order,

1. each stands in its record to the letter;
2. they state its facts: figures with their units, drugs, sex, direction, what is affirmed and what is denied, and it
   advises nothing (what they recommend may be said to be theirs, or quoted);
3. they hold most of its words, and the record all of its names and of what would identify somebody;
4. the reader, asked for the claim, finds it in them (it is not asked where they hold nearly all of its words).

If the cited sentences fail and another one of their record passes, the citation is corrected to that one. The age or
the drug of the patient may be named by another sentence than the one cited, which is then cited too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from assistant.clinical_text.advice import find_advice, recommends
from assistant.clinical_text.medical_names import find_foreign_names
from assistant.clinical_text.negation import drops_denial
from assistant.clinical_text.personal_details import find_added_details
from assistant.reading.evidence import as_evidence, as_report, choose, sentence_logits, split_record
from assistant.reading.reader import Reader
from assistant.types import Evidence, Place
from assistant.verification.facts import Fact, Facts, find_missing, find_turned, read_facts
from assistant.verification.swaps import find_exchanged
from index.text.normalisation import fold_text
from index.text.terms import analyse
from index.types import Record

# The share of a claim's words that its sentences, or the title, must hold, and the share that the sentences alone must
# hold to do without the reader. docs/log.md has what each lets through.
MIN_SHARED_TERMS = 0.5
ENOUGH_SHARED_TERMS = 0.8
# How likely the reader must find it that the claim stands in the sentences, and its logit for their record.
MIN_CHANCE = 0.2
MIN_RELEVANCE = 0.0
# Of so many records a sentence is looked for that supports a statement without a key.
SEARCHED_RECORDS = 2

_MARKS = "“”\"'. "


class Verdict(NamedTuple):
    """The sentences that support a claim, none if it is not supported, and why."""

    cited: tuple[Evidence, ...]
    why: str


class SupportFinder:
    """Finds what supports claims. It remembers what the reader said, so it serves one answer."""

    def __init__(self, reader: Reader) -> None:
        """Take the reader that is asked for claims in other words."""
        self._reader = reader
        self._readings: dict[tuple[str, str], tuple[float, dict[Place, float]]] = {}

    def judge(self, text: str, cited: Sequence[Evidence]) -> Verdict:
        """Whether sentences support a claim. They are judged record by record, and those of one must do."""
        by_record: dict[str, list[Evidence]] = {}
        for item in cited:
            by_record.setdefault(item.record.record_id, []).append(item)
        verdicts = [self._judge_in_record(text, group) for group in by_record.values()]
        supporting = [verdict for verdict in verdicts if verdict.cited]
        if not supporting:
            return verdicts[0]
        return Verdict(tuple(item for verdict in supporting for item in verdict.cited), supporting[0].why)

    def search(self, text: str, evidence: Iterable[Evidence]) -> Verdict:
        """The sentence that supports a statement without a key, in those records that share most of its words."""
        terms = set(analyse(text))
        records = {item.record.record_id: item.record for item in evidence}.values()
        ranked = sorted(records, key=lambda record: -len(terms.intersection(analyse(record.text))))
        for record in ranked[:SEARCHED_RECORDS]:
            if found := self._find_sentence(text, record):
                return Verdict((found,), "it cites no sentence that was offered; this one states it")
        return Verdict((), "it cites no sentence that was offered, and none was found that states it")

    def _judge_in_record(self, text: str, cited: Sequence[Evidence]) -> Verdict:
        """Whether sentences of one record support a claim, or another one of that record does."""
        if all(is_literal(item) and _is_quotation(text, item) for item in cited):
            return Verdict(tuple(cited), "the cited sentence word for word")
        why = self._find_fault(text, cited)
        if why is None:
            return Verdict(_needed(text, cited), "stated in the cited sentence")
        if not all(map(is_literal, cited)):
            return Verdict((), why)
        if completed := self._complete(text, cited):
            return Verdict(completed, "stated in the cited sentence and one that names the patient's age or drug")
        if found := self._find_sentence(text, cited[0].record):
            return Verdict((found,), f"the citation is corrected to the sentence that states it ({why})")
        return Verdict((), why)

    def _find_fault(self, text: str, cited: Sequence[Evidence]) -> str | None:
        """Why sentences of one record do not support a claim, or None if they do."""
        why = find_fault(text, cited)
        if why is not None or _holds_nearly_all(text, cited):
            return why
        relevance, chances = self._read(text, cited[0].record)
        if relevance < MIN_RELEVANCE or sum(chances[item.place] for item in cited) < MIN_CHANCE:
            return "the reader does not find it in the cited sentence"
        return None

    def _find_sentence(self, text: str, record: Record) -> Evidence | None:
        """The sentence of a record that supports a claim, if one does: the one that the reader finds likeliest.

        The reader is not asked where facts and words leave no sentence, or one that holds nearly all of the words.
        """
        possible = [item for item in _sentences_of(record) if find_fault(text, [item]) is None]
        if plain := [item for item in possible if _holds_nearly_all(text, [item])]:
            return plain[0]
        if not possible:
            return None
        chances = self._read(text, record)[1]
        likeliest = max(possible, key=lambda item: chances[item.place])
        return likeliest if self._find_fault(text, [likeliest]) is None else None

    def _complete(self, text: str, cited: Sequence[Evidence]) -> tuple[Evidence, ...]:
        """The cited sentences and one that names the age or drug of the claim, where that is all they lack."""
        claim, source = read_facts(text), read_facts(_join(cited))
        missing = find_missing(claim, source)
        ages = claim.ages if not source.ages else frozenset()
        if not missing or not all(_is_context(fact, ages, source) for fact in missing):
            return ()
        for item in _sentences_of(cited[0].record):
            added = read_facts(item.quote)
            if ages <= added.ages and not find_missing(claim, read_facts(_join([*cited, item]))):
                completed = (*cited, item)
                return completed if self._find_fault(text, completed) is None else ()
        return ()

    def _read(self, text: str, record: Record) -> tuple[float, dict[Place, float]]:
        """The reader's logit for a record, and how likely it is for each of its sentences that it states the text."""
        key = (text, record.record_id)
        if key not in self._readings:
            sentences = tuple(split_record(record))
            (reading,) = self._reader.read(text, [as_report(sentences)])
            chances = choose(sentence_logits(sentences, reading))
            places = [item.place for item in _sentences_of(record)]
            self._readings[key] = reading.record, dict(zip(places, chances, strict=True))
        return self._readings[key]


def find_fault(text: str, cited: Sequence[Evidence]) -> str | None:
    """Why sentences of one record do not state a claim, as far as facts and words tell, or None if they do."""
    if broken := [item.quote for item in cited if not is_literal(item)]:
        return f"the quotation “{broken[0]}” is not in its record"
    quotes = _join(cited)
    if advice := find_advice(text, quotes):
        return advice
    claim, source = read_facts(text), read_facts(quotes)
    if missing := find_missing(claim, source):
        return f"{missing[0]} is not in the cited sentence"
    if drops_denial(text, quotes):
        return "it leaves out a denial of the cited sentence"
    if not claim.sexes <= (source.sexes or read_facts(cited[0].record.text).sexes or claim.sexes):
        return "the patient is of the other sex in the record"
    return find_turned(claim, source) or find_exchanged(text, quotes) or _find_foreign_words(text, cited)


def _find_foreign_words(text: str, cited: Sequence[Evidence]) -> str | None:
    """The same for words: whether too many are in none of the sentences, or a name is nowhere in the record."""
    record = cited[0].record
    terms = set(analyse(text))
    shared = terms.intersection(analyse(f"{record.title or ''} {_join(cited)}"))
    if len(shared) < MIN_SHARED_TERMS * len(terms) or not terms:
        return f"only {len(shared)} of its {len(terms)} words are in the cited sentence"
    name = next(chain(find_foreign_names(text, record.text), find_added_details(text, record.text)), None)
    return None if name is None else f"“{name}” is not in the record"


def is_literal(item: Evidence) -> bool:
    """Whether the quote stands in the record, at its offsets, to the letter."""
    source = item.record.abstract if item.field == "abstract" else item.record.title or ""
    return bool(item.quote) and source[item.start : item.end] == item.quote


def is_quoted(text: str) -> bool:
    """Whether all of a claim stands in quotation marks."""
    return text.startswith("“") and text.rstrip(".").endswith("”")


def _sentences_of(record: Record) -> list[Evidence]:
    return [as_evidence(record, sentence, key="", score=0.0) for sentence in split_record(record)]


def _is_quotation(text: str, item: Evidence) -> bool:
    """Whether a claim is the sentence word for word. One that recommends must stand in quotation marks."""
    if recommends(text) and not is_quoted(text):
        return False
    return fold_text(text.strip(_MARKS)) == fold_text(item.quote.strip(_MARKS))


def _holds_nearly_all(text: str, cited: Sequence[Evidence]) -> bool:
    terms = set(analyse(text))
    return len(terms.intersection(analyse(_join(cited)))) >= ENOUGH_SHARED_TERMS * len(terms)


def _is_context(fact: Fact, ages: frozenset[str], source: Facts) -> bool:
    """Whether a fact is the patient's age or drug, and the cited sentences name no other."""
    return (fact.kind == "figure" and fact.value in ages) or (fact.kind == "drug" and not source.has_drug)


def _needed(text: str, cited: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The cited sentences without those that add nothing to the others."""
    terms = set(analyse(text))
    needed = list(cited)
    for item in reversed(cited):
        others = [other for other in needed if other is not item]
        if others and terms.intersection(analyse(item.quote)) <= set(analyse(_join(others))):
            needed = others
    return tuple(needed)


def _join(cited: Iterable[Evidence]) -> str:
    # A full stop, so that a denial at the end of one sentence does not reach into the next.
    return " . ".join(item.quote for item in cited)
