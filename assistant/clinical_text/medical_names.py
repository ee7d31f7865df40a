"""Words that name something: a drug, an illness, an organism, a test. A claim must not bring in one of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from index.embedding.embedder import packaged_model
from index.text.terms import analyse, background_frequency

# In a thousand biomedical abstracts. Rarer words are names, unless they are plain English: "fell" is rare there too.
RARE_IN_A_THOUSAND = 10
# Not a piece of a code such as SCN4A, which is compared as a whole.
_WORD = re.compile(r"(?<!\w)[^\W\d_]{2,}(?!\w)")
# Illnesses that are plain English too.
_ILLNESS = re.compile(
    r"itis$|[ae]mias?$|omas?$|osis$|pathy$|algia$|uria$|plegia$|(?:pneumonia|diabetes|cancers?|strokes?|seizures?|malaria"
    r"|asthma|influenza|measles|epilepsy|cholera|rabies|polio)$"
)


def find_foreign_names(text: str, known: str) -> Iterator[str]:
    """The words of a text that name something and stand in no form in what is known."""
    terms = set(analyse(known))
    for word in dict.fromkeys(_WORD.findall(text.lower())):
        own = set(analyse(word))
        if own and own.isdisjoint(terms) and _is_name(word, own):
            yield word


def _is_name(word: str, terms: set[str]) -> bool:
    is_rare = max(map(background_frequency, terms)) <= RARE_IN_A_THOUSAND
    return is_rare and (word not in _plain_words() or bool(_ILLNESS.search(word)))


MIN_LETTERS = 7
# These end like a drug and name many, which a record calls by their own names.
_CLASSES = frozenset({"anthracycline", "carbapenem", "methicillin", "penicillin", "tetracycline", "thiazide"})


def drug_names(text: str) -> list[str]:
    """The generic names in a text, in lower case, each once."""
    names = dict.fromkeys(name.lower() for name in _name().findall(text) if len(name) >= MIN_LETTERS)
    return [name for name in names if name not in _CLASSES]


@cache
def _name() -> re.Pattern[str]:
    """A word with a stem at its end; a stem alone ("triptan") is a class of drugs.

    The stems are from "The use of stems in the selection of International Nonproprietary Names (INN) for pharmaceutical
    substances", without those that are common ends of other words too.
    """
    stems = files("assistant.clinical_text").joinpath("drug_stems.txt").read_text("utf-8").split()
    return re.compile(rf"\b[a-z]+(?:{'|'.join(stems)})\b", re.IGNORECASE)


@cache
def _plain_words() -> frozenset[str]:
    """The words that the packaged model's vocabulary holds whole: some 20,000 of plain English."""
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(packaged_model() / "tokenizer.json")).get_vocab()
    return frozenset(word for word in vocabulary if word.isalpha())
