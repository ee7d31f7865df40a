"""Drugs are known by the stems of their generic names."""

from __future__ import annotations

import pytest

from assistant.clinical_text.medical_names import drug_names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a rash on Secukinumab: was secukinumab stopped?", ["secukinumab"]),
        ("rhabdomyolysis on simvastatin/clarithromycin", ["simvastatin", "clarithromycin"]),
        ("a cough on enalapril, not on candesartan.", ["candesartan"]),
        ("allergy to penicillin, methicillin-resistant germs", []),
        ("in April the spine, a peptide, the cyclone, a chaperone, crepitant lungs, an intercept", []),
        ("a triptan, a carbapenem, cholesterol, histidine, guanidine, glucuronide", []),
    ],
)
def test_generic_names_are_found_by_their_stems_and_other_words_are_not(text: str, names: list[str]) -> None:
    assert drug_names(text) == names
