"""Whether sentences of a record support a claim: by their facts, their words, and the reader.

Sentences support a claim if, checked in this order,

1. each is verbatim in its record;
2. they state its facts: figures with units, drugs, sex, direction, negation; and it gives no advice (a recommendation
   of theirs may be attributed to them or quoted);
3. they contain most of its words, and the record all of its names and personal details;
4. the reader, given the claim, finds it in them (not asked if they contain nearly all of its words).

If the cited sentences fail and another of their record passes, the citation is corrected to that one. If another
sentence names the patient's age or drug, it is cited too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from assistant.clinical_text.advice import find_advice, recommends
from assistant.clinical_text.medical_names import find_foreign_names
from assistant.clinical_text.negation import drops_denial
from assistant.clinical_text.personal_details import find_added_details
from assistant.reading.passages import sentence_logits, softmax_or_none
from assistant.reading.reader import Reader
from assistant.reading.sentences import as_evidence, as_report, split_record
from assistant.types import Evidence, Place
from assistant.verification.facts import Fact, Facts, extract_facts, find_missing, find_reversed
from assistant.verification.swaps import find_swapped
from index.text.normalisation import fold_text
from index.text.terms import analyse
from index.types import Record

# The share of a claim's terms that its sentences and the title must contain, and the share that the sentences alone
# must contain to skip the reader (docs/experiments/claims.md, "Checking what a chat model writes").
MIN_SHARED_TERMS = 0.5
ENOUGH_SHARED_TERMS = 0.8
# The probability the reader must give to the sentences, and its least logit for their record.
MIN_SUPPORT_CHANCE = 0.2
MIN_RELEVANCE = 0.0
# In how many records a sentence is searched that supports a statement without a key.
SEARCHED_RECORDS = 2

_MARKS = "“”\"'. "


class Verdict(NamedTuple):
    """The sentences that support a claim, none if it is not supported, and why."""

    cited: tuple[Evidence, ...]
    why: str


class SupportFinder:
    """Finds the sentences that support claims. It caches what the reader said, so use one for each answer."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._readings: dict[tuple[str, str], tuple[float, dict[Place, float]]] = {}

    def judge(self, text: str, cited: Sequence[Evidence]) -> Verdict:
        """Whether sentences support a claim. Those of one record must support it alone."""
        by_record: dict[str, list[Evidence]] = {}
        for item in cited:
            by_record.setdefault(item.record.record_id, []).append(item)
        verdicts = [self._judge_in_record(text, group) for group in by_record.values()]
        supporting = [verdict for verdict in verdicts if verdict.cited]
        if not supporting:
            return verdicts[0]
        return Verdict(tuple(item for verdict in supporting for item in verdict.cited), supporting[0].why)

    def search(self, text: str, evidence: Iterable[Evidence]) -> Verdict:
        """A sentence that supports a statement without a key, from the records that share most of its words."""
        terms = set(analyse(text))
        records = {item.record.record_id: item.record for item in evidence}.values()
        ranked = sorted(records, key=lambda record: -len(terms.intersection(analyse(record.text))))
        for record in ranked[:SEARCHED_RECORDS]:
            if found := self._find_sentence(text, record):
                return Verdict((found,), "it cites no sentence that was offered; this one states it")
        return Verdict((), "it cites no sentence that was offered, and none was found that states it")

    def _judge_in_record(self, text: str, cited: Sequence[Evidence]) -> Verdict:
        """Whether sentences of one record, or else another sentence of it, support a claim."""
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
        if why is not None or _contains_nearly_all(text, cited):
            return why
        relevance, chances = self._read(text, cited[0].record)
        if relevance < MIN_RELEVANCE or sum(chances[item.place] for item in cited) < MIN_SUPPORT_CHANCE:
            return "the reader does not find it in the cited sentence"
        return None

    def _find_sentence(self, text: str, record: Record) -> Evidence | None:
        """The sentence of a record that supports a claim, if any: the likeliest by the reader.

        The reader is not asked if facts and words leave no sentence, or one that contains nearly all of the words.
        """
        possible = [item for item in _sentences_of(record) if find_fault(text, [item]) is None]
        if plain := [item for item in possible if _contains_nearly_all(text, [item])]:
            return plain[0]
        if not possible:
            return None
        chances = self._read(text, record)[1]
        likeliest = max(possible, key=lambda item: chances[item.place])
        return likeliest if self._find_fault(text, [likeliest]) is None else None

    def _complete(self, text: str, cited: Sequence[Evidence]) -> tuple[Evidence, ...]:
        """The cited sentences and one that names the age or drug of the claim, if that is all they lack."""
        claim, source = extract_facts(text), extract_facts(_join(cited))
        missing = find_missing(claim, source)
        ages = claim.ages if not source.ages else frozenset()
        if not missing or not all(_is_context(fact, ages, source) for fact in missing):
            return ()
        for item in _sentences_of(cited[0].record):
            added = extract_facts(item.quote)
            if ages <= added.ages and not find_missing(claim, extract_facts(_join([*cited, item]))):
                completed = (*cited, item)
                return completed if self._find_fault(text, completed) is None else ()
        return ()

    def _read(self, text: str, record: Record) -> tuple[float, dict[Place, float]]:
        """The reader's logit for a record, and for each of its sentences the probability that it states the text."""
        key = (text, record.record_id)
        if key not in self._readings:
            sentences = tuple(split_record(record))
            (reading,) = self._reader.read(text, [as_report(sentences)])
            chances = softmax_or_none(sentence_logits(sentences, reading))
            places = [item.place for item in _sentences_of(record)]
            self._readings[key] = reading.record, dict(zip(places, chances, strict=True))
        return self._readings[key]


def find_fault(text: str, cited: Sequence[Evidence]) -> str | None:
    """Why sentences of one record do not state a claim, judged by facts and words; None if they do."""
    if broken := [item.quote for item in cited if not is_literal(item)]:
        return f"the quotation “{broken[0]}” is not in its record"
    quotes = _join(cited)
    if advice := find_advice(text, quotes):
        return advice
    claim, source = extract_facts(text), extract_facts(quotes)
    if missing := find_missing(claim, source):
        return f"{missing[0]} is not in the cited sentence"
    if drops_denial(text, quotes):
        return "it leaves out a denial of the cited sentence"
    if not claim.sexes <= (source.sexes or extract_facts(cited[0].record.text).sexes or claim.sexes):
        return "the patient is of the other sex in the record"
    return find_reversed(claim, source) or find_swapped(text, quotes) or _find_foreign_words(text, cited)


def _find_foreign_words(text: str, cited: Sequence[Evidence]) -> str | None:
    """The same, judged by words: too many are in none of the sentences, or a name is not in the record."""
    record = cited[0].record
    terms = set(analyse(text))
    shared = terms.intersection(analyse(f"{record.title or ''} {_join(cited)}"))
    if len(shared) < MIN_SHARED_TERMS * len(terms) or not terms:
        return f"only {len(shared)} of its {len(terms)} words are in the cited sentence"
    name = next(chain(find_foreign_names(text, record.text), find_added_details(text, record.text)), None)
    return None if name is None else f"“{name}” is not in the record"


def is_literal(item: Evidence) -> bool:
    """Whether the quote is verbatim in the record, at its offsets."""
    source = item.record.abstract if item.field == "abstract" else item.record.title or ""
    return bool(item.quote) and source[item.start : item.end] == item.quote


def is_quoted(text: str) -> bool:
    """Whether all of a claim is in quotation marks."""
    return text.startswith("“") and text.rstrip(".").endswith("”")


def _sentences_of(record: Record) -> list[Evidence]:
    return [as_evidence(record, sentence, key="", score=0.0) for sentence in split_record(record)]


def _is_quotation(text: str, item: Evidence) -> bool:
    """Whether a claim is the sentence verbatim. One that recommends something must be in quotation marks."""
    if recommends(text) and not is_quoted(text):
        return False
    return fold_text(text.strip(_MARKS)) == fold_text(item.quote.strip(_MARKS))


def _contains_nearly_all(text: str, cited: Sequence[Evidence]) -> bool:
    terms = set(analyse(text))
    return len(terms.intersection(analyse(_join(cited)))) >= ENOUGH_SHARED_TERMS * len(terms)


def _is_context(fact: Fact, ages: frozenset[str], source: Facts) -> bool:
    """Whether a fact is the patient's age or drug, and the cited sentences name no other."""
    return (fact.kind == "figure" and fact.value in ages) or (fact.kind == "drug" and not source.has_drug)


def _needed(text: str, cited: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The cited sentences without those that add no term of the claim."""
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
