"""References in BibTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from assistant.references.author_names import NameParts
from assistant.references.csl import CslItem, to_csl_json
from index.types import Record

if TYPE_CHECKING:
    from bibtexparser.model import Entry

_SPECIAL = {
    "\\": r"\textbackslash{}",
    # BibTeX counts escaped braces too, so no text may contain one.
    "{": r"\ensuremath{\lbrace}",
    "}": r"\ensuremath{\rbrace}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    **{character: f"\\{character}" for character in "#$%&_"},
}
# Characters for which LaTeX needs a command, unlike accented letters and typographic characters.
_MATHEMATICAL = "ΓΔΘΛΞΠΣΥΦΨΩαβγδεζηθικλμνξπρςστυφχψω≤≥≠≈∞±"
# Pairs that LaTeX replaces by one character: "--" becomes a dash.
_LIGATURE = re.compile(r"(?<=-)(?=-)|(?<=`)(?=`)|(?<=')(?=')|(?<=[?!])(?=`)|(?<=,)(?=,)")
# Programs use addresses and DOIs verbatim, so these are not escaped.
_VERBATIM = str.maketrans({"{": "%7B", "}": "%7D", "\\": "%5C"})
_FIELDS = {
    "journal": "container-title",
    "volume": "volume",
    "pages": "page",
    "pmid": "PMID",
    "pmcid": "PMCID",
    "note": "note",
}


def to_bibtex(records: Sequence[Record]) -> str:
    """The records as BibTeX `@article` entries in UTF-8, each record once; the keys are those of `citation_keys`."""
    from bibtexparser.entrypoint import write_string
    from bibtexparser.library import Library

    return write_string(Library([_as_entry(item) for item in to_csl_json(records)]))


def _as_entry(item: CslItem) -> Entry:
    from bibtexparser.model import Entry, Field

    fields: dict[str, str] = {}
    if "author" in item:
        fields["author"] = " and ".join(map(_name, item["author"]))
    if "title" in item:
        fields["title"] = f"{{{escape_latex(item['title'])}}}"  # so that no style changes "BMD" to "bmd"
    if "issued" in item:
        fields["year"] = str(item["issued"]["date-parts"][0][0])
    fields |= {name: escape_latex(item[key]) for name, key in _FIELDS.items() if key in item}
    if fields.get("pages", "").count("-") == 1:
        fields["pages"] = fields["pages"].replace("-", "--")
    fields |= {name: item[key].translate(_VERBATIM) for name, key in (("doi", "DOI"), ("url", "URL")) if key in item}
    return Entry("article", item["id"], [Field(name, text) for name, text in fields.items()])


def _name(name: NameParts) -> str:
    """A name as "particle Family, Suffix, Given"; braces keep a name without parts from being split."""
    if "literal" in name:
        return f"{{{escape_latex(name['literal'])}}}"
    family = " ".join(name[key] for key in ("non-dropping-particle", "family") if key in name)
    return ", ".join(escape_latex(part) for part in (family, name.get("suffix"), name.get("given")) if part)


def escape_latex(text: str) -> str:
    """Text as LaTeX that prints exactly this text."""
    return _LIGATURE.sub("{}", text.translate(_escapes()))


@lru_cache(maxsize=1)
def _escapes() -> dict[int, str]:
    from pylatexenc.latexencode import UnicodeToLatexEncoder

    encoder = UnicodeToLatexEncoder()
    commands = {letter: encoder.unicode_to_latex(letter) for letter in _MATHEMATICAL}
    return str.maketrans(_SPECIAL | commands)
