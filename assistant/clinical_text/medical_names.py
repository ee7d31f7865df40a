"""Words that name something: a drug, an illness, an organism, a test. A claim must not bring in one of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from index.embedding.embedder import plain_words
from index.storage.lexical_index import analyse, background_frequency

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
    return is_rare and (word not in plain_words() or bool(_ILLNESS.search(word)))
