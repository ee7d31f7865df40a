"""Names of drugs, illnesses, organisms and tests.

A word names something if it is rare in biomedical abstracts and not plain English. A claim must not add such a name to
its sources. Generic drug names are recognised by their stems.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from index.embedding.embedder import packaged_model
from index.text.terms import analyse, background_frequency

# Occurrences in 1,000 biomedical abstracts up to which a word may be a name.
MAX_NAME_FREQUENCY = 10
MIN_DRUG_LETTERS = 7

# Not a part of a code such as SCN4A, which is compared as a whole.
_WORD = re.compile(r"(?<!\w)[^\W\d_]{2,}(?!\w)")
# Illnesses that are plain English words too.
_ILLNESS = re.compile(
    r"itis$|[ae]mias?$|omas?$|osis$|pathy$|algia$|uria$|plegia$|(?:pneumonia|diabetes|cancers?|strokes?|seizures?|malaria"
    r"|asthma|influenza|measles|epilepsy|cholera|rabies|polio)$"
)
# Classes of drugs that end like a generic name; a record may call their members by other names.
_DRUG_CLASSES = frozenset({"anthracycline", "carbapenem", "methicillin", "penicillin", "tetracycline", "thiazide"})


def find_foreign_names(text: str, known: str) -> Iterator[str]:
    """The words of a text that name something and do not occur in the known text in any form."""
    terms = set(analyse(known))
    for word in dict.fromkeys(_WORD.findall(text.lower())):
        own = set(analyse(word))
        if not own or not own.isdisjoint(terms) or max(map(background_frequency, own)) > MAX_NAME_FREQUENCY:
            continue
        if word not in _plain_words() or _ILLNESS.search(word):
            yield word


def drug_names(text: str) -> list[str]:
    """The generic names in a text, in lower case, each once."""
    names = dict.fromkeys(name.lower() for name in _drug_name().findall(text) if len(name) >= MIN_DRUG_LETTERS)
    return [name for name in names if name not in _DRUG_CLASSES]


@cache
def _drug_name() -> re.Pattern[str]:
    """A word that ends in a stem; a stem alone ("triptan") is a class of drugs.

    The stems are from "The use of stems in the selection of International Nonproprietary Names (INN) for pharmaceutical
    substances", without those that are common endings of other words.
    """
    stems = files("assistant.clinical_text").joinpath("drug_stems.txt").read_text("utf-8").split()
    return re.compile(rf"\b[a-z]+(?:{'|'.join(stems)})\b", re.IGNORECASE)


@cache
def _plain_words() -> frozenset[str]:
    """The whole words in the vocabulary of the packaged embedding model: some 20,000 of plain English."""
    from tokenizers import Tokenizer

    vocabulary = Tokenizer.from_file(str(packaged_model() / "tokenizer.json")).get_vocab()
    return frozenset(word for word in vocabulary if word.isalpha())
