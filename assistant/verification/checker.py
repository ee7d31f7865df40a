"""The one place where a draft becomes an answer: its claims are verified, its citations numbered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from assistant.clinical_text.advice import ADVICE_LEAD, recommends
from assistant.reading.reader import Reader
from assistant.types import Citation, Claim, Evidence, Place
from assistant.verification.draft_claims import DraftClaim
from assistant.verification.support import SupportFinder, is_quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDraft:
    """The claims of a draft after verification, the text of the supported ones, and their citations.

    `unknown_keys` counts the citation keys that were not offered; they are dropped.
    """

    text: str = ""
    claims: tuple[Claim, ...] = ()
    citations: tuple[Citation, ...] = ()
    unknown_keys: int = 0


class DraftChecker:
    """Verifies claims one by one, and numbers the sentences that support them in the order of first use."""

    def __init__(self, reader: Reader) -> None:
        self._support = SupportFinder(reader)
        self._citations: dict[Place, Citation] = {}
        self._lines: list[str] = []
        self._claims: list[Claim] = []
        self._unknown_keys = 0

    def check(self, draft: Iterable[DraftClaim], offered: Sequence[Evidence]) -> CheckedDraft:
        """Verify more claims, which may cite what was offered. Unsupported ones are kept with the reason, not shown."""
        by_key = {item.key: item for item in offered}
        for claim in draft:
            self._check_claim(claim, by_key)
        return self.checked

    @property
    def checked(self) -> CheckedDraft:
        """Everything verified so far."""
        return CheckedDraft(
            text="\n".join(self._lines),
            claims=tuple(self._claims),
            citations=tuple(self._citations.values()),
            unknown_keys=self._unknown_keys,
        )

    def cites(self, item: Evidence) -> bool:
        """Whether a sentence supports a claim verified so far."""
        return item.place in self._citations

    def _check_claim(self, draft: DraftClaim, offered: Mapping[str, Evidence]) -> None:
        if any(draft.text.rstrip(". ") in claim.text for claim in self._claims if claim.supported):
            return  # small models repeat themselves
        keys = dict.fromkeys(draft.keys)
        cited = [offered[key] for key in keys if key in offered]
        self._unknown_keys += len(keys) - len(cited)
        find = self._support.judge if cited else self._support.search
        verdict = find(draft.text, cited or list(offered.values()))
        numbers = tuple(self._number(item) for item in verdict.cited)
        self._claims.append(Claim(text=draft.text, citations=numbers, supported=bool(numbers), why=verdict.why))
        if numbers:
            marks = " ".join(f"[{number}]" for number in numbers)
            lead = ADVICE_LEAD if is_quoted(draft.text) and recommends(draft.text) else draft.lead
            self._lines.append(f"{marks} {lead} {draft.text}" if lead else f"{draft.text} {marks}")

    def _number(self, item: Evidence) -> int:
        citation = Citation(
            number=len(self._citations) + 1,
            record=item.record,
            field=item.field,
            start=item.start,
            end=item.end,
            quote=item.quote,
            url=item.record.url,
        )
        return self._citations.setdefault(item.place, citation).number
