"""A chat model's draft, verified claim by claim while it is written, and completed by quotes where it falls short.

1. A claim is shown once it is verified; one that is not supported is never shown.
2. If a claim was left out or the model failed, the quotes that would be the answer without a model follow, except those
   that a shown claim cites already. So nothing that was shown is taken back, and no answer is missing.
3. The same if no claim cites any sentence that would have been quoted: the model is off the point.
4. If no claim is supported, the answer is the quotes alone.
5. If the model says that the reports do not say before any claim is supported, that is the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assistant.answers import Mode
from assistant.generation.chat_models import ChatModelError
from assistant.generation.prompting import is_abstention
from assistant.reading.reader import Reader
from assistant.types import Evidence
from assistant.verification.checker import CheckedDraft, DraftChecker
from assistant.verification.draft_claims import DraftClaim, DraftParser
from prompts import ABSTAIN_SENTENCE

# More than any good answer has.
MAX_CLAIMS = 8


class CheckedStream:
    """A draft so far. Only verified claims are in `text`; once it `is_over`, no more of the draft is wanted.

    `offered` is the evidence that the model may cite, `failure` why it writes nothing at all.
    """

    def __init__(self, offered: Sequence[Evidence], reader: Reader, failure: ChatModelError | None = None) -> None:
        self._offered = offered
        self._draft = DraftParser()
        self._checker = DraftChecker(reader)
        self._failure = failure
        self._claim_count = 0
        self._abstains = False
        self._leaves_open = False

    @property
    def text(self) -> str:
        """The supported claims so far."""
        return self._checker.checked.text

    @property
    def is_over(self) -> bool:
        """Whether the model has said that it cannot answer, or has failed."""
        return self._abstains or self._failure is not None

    def feed(self, piece: str) -> None:
        """Verify what the model wrote next."""
        self._check(self._draft.feed(piece))
        if self._claim_count > MAX_CLAIMS:
            self.fail(ChatModelError("the chat model does not come to an end", remedy="try another CASECITE_LLM"))

    def fail(self, error: ChatModelError) -> None:
        """The model writes no more, because of an error."""
        self._failure = error

    def finish(
        self, quotes: Sequence[DraftClaim], evidence: Sequence[Evidence]
    ) -> tuple[CheckedDraft, Mode, tuple[str, ...]]:
        """The answer, what wrote it, and what the user should be warned of."""
        if not self.is_over:
            self._check(self._draft.finish())
        if self._abstains:
            return CheckedDraft(text=ABSTAIN_SENTENCE), "generative", ()
        written = self._checker.checked
        cited = {item.key for item in evidence if self._checker.cites(item)}
        missing = [quote for quote in quotes if cited.isdisjoint(quote.keys)]
        faults = list(self._find_faults(written, is_off_point=len(missing) == len(quotes)))
        if faults:
            self._checker.check(missing, evidence)
            filled = "quotes complete the answer" if written.citations else "the answer is made of quotes instead"
            faults = [f"{fault}; {filled}" for fault in faults]
        mode: Mode = "generative" if written.citations else "extractive"
        return self._checker.checked, mode, (*faults, *self._find_slips(written))

    def _check(self, claims: Sequence[DraftClaim]) -> None:
        self._claim_count += len(claims)
        for claim in claims:
            if not is_abstention(claim.text):
                self._checker.check([claim], self._offered)
            elif self.text:
                self._leaves_open = True
            else:
                self._abstains = True
                return

    def _find_faults(self, written: CheckedDraft, is_off_point: bool) -> Iterator[str]:
        """Why quotes are needed."""
        left_out = sum(not claim.supported for claim in written.claims)
        if self._failure is not None:
            yield str(self._failure)
        elif not written.claims:
            yield "the chat model answered nothing"
        elif not written.citations:
            yield "nothing that the chat model wrote is in the records"
        elif left_out:
            yield f"{left_out} of {len(written.claims)} statements of the chat model are not in the records"
        elif is_off_point:
            yield "the chat model cites none of the sentences that are likeliest to answer"

    def _find_slips(self, written: CheckedDraft) -> Iterator[str]:
        """What went wrong and was corrected, or is left for the user to know."""
        if written.unknown_keys:
            yield f"citations of the chat model to nothing that it was offered: {written.unknown_keys}, dropped"
        if self._leaves_open:
            yield "the chat model says that the reports do not answer all of the question"
