"""Drafts with one planted fault each, and sound ones, made by program from the sentences that answer questions."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from assistant.clinical_text.medical_names import drug_names
from assistant.reading.sentences import as_evidence, split_record
from assistant.types import Evidence
from index.text.terms import analyse
from index.types import Record

INVENTED_KEY = "e997"
# Units of one kind, to be put in each other's place, as records write them.
UNITS = (
    ("mg", "g", "µg", "kg"),
    ("mg/dL", "g/L", "mmol/L", "ng/mL", "µmol/L"),
    ("hours", "days", "weeks", "months", "years"),
    ("hour", "day", "week", "month", "year"),
    ("mm", "cm", "m"),
    ("mL", "L"),
    ("%", "mg"),
)
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:\.\d+)?(?![\w,]|\.\d)")
_VERB = re.compile(r"\b(was|were|is|are|had been|has been)\b(?! not)")
_DENIAL = re.compile(r"\b(was|were|did|is|are|has|had|could) not\b|\b(no|without)\b", re.IGNORECASE)
_CLAUSE = re.compile(r"[,;:] | and | with | after | which ")
_MIN_CLAUSE_WORDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A record, and the place among its sentences of the one that answers a question."""

    record: Record
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedClaim:
    """A draft with its citation keys, and the evidence that it was written from.

    `group` is "fault" or "harder" (a fault of a kind that is harder to see), or "sound" or "paraphrase" (not a fault).
    """

    group: str
    kind: str
    draft: str
    evidence: tuple[Evidence, ...]


def plant_claims(cases: Sequence[Case], count: int, seed: int = 0) -> list[PlantedClaim]:
    """`count` faulty claims, of every kind as many, `count` sound ones, and as many of each harder kind."""
    chance = random.Random(seed)
    planted: list[PlantedClaim] = []
    for group, makers in (("fault", FAULTS), ("sound", SOUND), ("harder", HARDER)):
        share = -(-count // len(FAULTS if group == "harder" else makers))
        made = [claim for kind in makers for claim in _take(group, kind, makers[kind], cases, share, chance)]
        planted += made[:count]
    return planted


def read_paraphrases(records: Sequence[Record]) -> Iterator[PlantedClaim]:
    """Statements in other words, each with the beginning of the sentence of a demo record that it was written from."""
    lines = Path(__file__).with_name("paraphrases.tsv").read_text("utf-8").splitlines()
    for beginning, claim in (line.split("\t") for line in lines):
        evidence = next(
            own
            for own in (_evidence_of(record, 1) for record in records)
            if any(item.quote.startswith(beginning) for item in own)
        )
        key = next(item.key for item in evidence if item.quote.startswith(beginning))
        yield PlantedClaim(group="paraphrase", kind="paraphrase", draft=_cited(claim, key), evidence=tuple(evidence))


def _take(
    group: str, kind: str, maker: Maker, cases: Sequence[Case], count: int, chance: random.Random
) -> Iterator[PlantedClaim]:
    order = list(cases)
    chance.shuffle(order)
    left = count
    for case in order:
        other = _most_alike(case, cases)
        evidence = (*_evidence_of(case.record, 1), *_evidence_of(other.record, 100))
        gold = evidence[case.place]
        made = maker(gold, evidence, other, chance)
        if made is not None and left:
            left -= 1
            yield PlantedClaim(group=group, kind=kind, draft=made, evidence=evidence)


def _most_alike(case: Case, cases: Sequence[Case]) -> Case:
    """The case of another record that shares most words: the one that is easiest to take for it."""
    own = _terms_of(case.record)
    others = (other for other in cases if other.record.record_id != case.record.record_id)
    return max(others, key=lambda other: len(own & _terms_of(other.record)))


@cache
def _terms_of(record: Record) -> frozenset[str]:
    return frozenset(analyse(record.text))


Maker = Callable[[Evidence, Sequence[Evidence], Case, random.Random], str | None]


def _evidence_of(record: Record, first_key: int) -> list[Evidence]:
    return [
        as_evidence(record, sentence, key=f"e{number}", score=0.0)
        for number, sentence in enumerate(split_record(record), first_key)
    ]


def _cited(text: str, key: str) -> str:
    return f"{text.rstrip('. ')} [{key}]."


def change_number(gold: Evidence, _e: Sequence[Evidence], _o: Case, chance: random.Random) -> str | None:
    """A number becomes another one that the record does not hold."""
    numbers = list(_NUMBER.finditer(gold.quote))
    if not numbers:
        return None
    match = chance.choice(numbers)
    factors = chance.sample((2, 3, 0.5, 10, 1.1), 5)
    changed = (f"{float(match[0]) * factor + 1:.{len(match[0].partition('.')[2])}f}" for factor in factors)
    new = next((number for number in changed if number not in gold.record.text and number != match[0]), None)
    return new and _cited(gold.quote[: match.start()] + new + gold.quote[match.end() :], gold.key)


def exchange_numbers(gold: Evidence, _e: Sequence[Evidence], _o: Case, chance: random.Random) -> str | None:
    """Two numbers of the sentence change places."""
    numbers = list(_NUMBER.finditer(gold.quote))
    pairs = [pair for pair in pairwise(numbers) if pair[0][0] != pair[1][0]]
    if not pairs:
        return None
    first, second = chance.choice(pairs)
    text = gold.quote[: first.start()] + second[0] + gold.quote[first.end() : second.start()] + first[0]
    return _cited(text + gold.quote[second.end() :], gold.key)


def take_number_of_record(gold: Evidence, _e: Sequence[Evidence], _o: Case, chance: random.Random) -> str | None:
    """A number becomes another one that the record holds in another sentence."""
    numbers = list(_NUMBER.finditer(gold.quote))
    others = sorted(set(_NUMBER.findall(gold.record.abstract)).difference(match[0] for match in numbers))
    if not numbers or not others:
        return None
    match = chance.choice(numbers)
    return _cited(gold.quote[: match.start()] + chance.choice(others) + gold.quote[match.end() :], gold.key)


def turn_around(gold: Evidence, _e: Sequence[Evidence], _o: Case, chance: random.Random) -> str | None:
    """A word becomes its opposite."""
    for pair in chance.sample(OPPOSITES, len(OPPOSITES)):
        for old, new in (pair, pair[::-1]):
            if re.search(rf"\b{old}\b", gold.quote):
                return _cited(re.sub(rf"\b{old}\b", new, gold.quote), gold.key)
    return None


def change_unit(gold: Evidence, _e: Sequence[Evidence], _o: Case, chance: random.Random) -> str | None:
    """A unit after a number becomes another of its kind."""
    for group in chance.sample(UNITS, len(UNITS)):
        names = "|".join(map(re.escape, sorted(group, key=len, reverse=True)))
        if match := re.search(rf"(?<=\d)(\s?-?)({names})(?![\w/])", gold.quote):
            new = chance.choice([unit for unit in group if unit != match[2]])
            return _cited(gold.quote[: match.start(2)] + new + gold.quote[match.end(2) :], gold.key)
    return None


def swap_drug(gold: Evidence, evidence: Sequence[Evidence], other: Case, chance: random.Random) -> str | None:
    """A drug becomes another one: of the same record where there is one, else of another record or a common one."""
    named = (item for item in evidence if item.record == gold.record and drug_names(item.quote))
    gold = gold if drug_names(gold.quote) else next(named, gold)
    drugs = drug_names(gold.quote)
    if not drugs:
        return None
    own = sorted(set(drug_names(gold.record.text)).difference(drugs))
    new = chance.choice(own or sorted({*drug_names(other.record.text), *COMMON_DRUGS}.difference(drugs)))
    return _cited(re.sub(re.escape(chance.choice(drugs)), new, gold.quote, flags=re.IGNORECASE), gold.key)


def flip_negation(gold: Evidence, _e: Sequence[Evidence], _o: Case, chance: random.Random) -> str | None:
    """A denial goes, or one comes in."""
    if match := _DENIAL.search(gold.quote):
        kept = match[1] or ("with" if match[2].lower() == "without" else "")
        return _cited(" ".join((gold.quote[: match.start()] + kept + gold.quote[match.end() :]).split()), gold.key)
    if match := _VERB.search(gold.quote):
        return _cited(gold.quote[: match.end()] + " not" + gold.quote[match.end() :], gold.key)
    return None


def cite_wrong_record(gold: Evidence, evidence: Sequence[Evidence], _o: Case, chance: random.Random) -> str | None:
    """The statement stays, the key is of another record's sentence."""
    wrong = [item for item in evidence if item.record.record_id != gold.record.record_id]
    return _cited(gold.quote, chance.choice(wrong).key)


def invent_key(gold: Evidence, _e: Sequence[Evidence], _o: Case, _c: random.Random) -> str | None:
    """The key was never offered."""
    return _cited(gold.quote, INVENTED_KEY)


def say_from_nowhere(gold: Evidence, _e: Sequence[Evidence], other: Case, _c: random.Random) -> str | None:
    """What another record says, with a key of this one."""
    return _cited(list(split_record(other.record))[other.place].text, gold.key)


def quote_whole(gold: Evidence, _e: Sequence[Evidence], _o: Case, _c: random.Random) -> str | None:
    """The sentence as it is."""
    return _cited(gold.quote, gold.key)


def quote_clause(gold: Evidence, _e: Sequence[Evidence], _o: Case, _c: random.Random) -> str | None:
    """The longest clause of the sentence, where it has several."""
    clauses = _CLAUSE.split(gold.quote)
    longest = max(clauses, key=len)
    if len(clauses) == 1 or len(longest.split()) < _MIN_CLAUSE_WORDS:
        return None
    return _cited(longest[0].upper() + longest[1:], gold.key)


def quote_with_neighbour(gold: Evidence, evidence: Sequence[Evidence], _o: Case, _c: random.Random) -> str | None:
    """The sentence and the next one of its record joined, with both keys."""
    place = evidence.index(gold) + 1
    following = evidence[place]
    if following.record.record_id != gold.record.record_id:
        return None
    return f"{gold.quote.rstrip('. ')} and {following.quote.rstrip('. ')} [{gold.key}] [{following.key}]."


FAULTS: dict[str, Maker] = {
    "number changed": change_number,
    "unit changed": change_unit,
    "drug swapped": swap_drug,
    "negation flipped": flip_negation,
    "wrong record cited": cite_wrong_record,
    "key invented": invent_key,
    "statement from nowhere": say_from_nowhere,
}
# Not asked of the check, but told: where it is known to be weak.
HARDER: dict[str, Maker] = {
    "number of another sentence of the record": take_number_of_record,
    "two numbers exchanged": exchange_numbers,
    "a word turned into its opposite": turn_around,
}
SOUND: dict[str, Maker] = {"whole": quote_whole, "clause": quote_clause, "two sentences": quote_with_neighbour}
OPPOSITES = (
    ("increased", "decreased"),
    ("improved", "worsened"),
    ("elevated", "reduced"),
    ("left", "right"),
    ("high", "low"),
    ("positive", "negative"),
    ("before", "after"),
    ("died", "survived"),
    ("complete", "partial"),
    ("mild", "severe"),
    ("bilateral", "unilateral"),
    ("first", "second"),
    ("successful", "unsuccessful"),
)
COMMON_DRUGS = ("aspirin", "Botox", "Humira", "insulin", "lithium", "methotrexate", "prednisone", "Prozac", "warfarin")
