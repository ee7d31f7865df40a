"""Drugs are known by the stems of their generic names."""

from __future__ import annotations

import pytest

from assistant.drug_names import drug_names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("hearing loss after Teprotumumab: did teprotumumab help?", ["teprotumumab"]),
        ("rhabdomyolysis on simvastatin/clarithromycin", ["simvastatin", "clarithromycin"]),
        ("a QTc of 500 ms on dofetilide.", ["dofetilide"]),
        ("allergy to penicillin, methicillin-resistant germs", []),
        ("in April the spine, the latissimus, cholesterol, a peptide, an episode, the cyclone and the nucleotide", []),
    ],
)
def test_generic_names_are_found_by_their_stems_and_other_words_are_not(text: str, names: list[str]) -> None:
    assert drug_names(text) == names
