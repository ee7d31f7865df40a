"""A claim adds nothing by which somebody could be known: no name, place, date, occupation or address of its own."""

from __future__ import annotations

import pytest

from assistant.clinical_text.personal_details import find_added_details
from assistant.reading.reader import load_reader
from assistant.reading.sentences import as_evidence, split_record
from assistant.verification.checker import DraftChecker
from assistant.verification.draft_claims import parse_draft
from index.types import Record

# Who, and what happened to them.
CASES = (
    ("A 52-year-old woman", "took nitrofurantoin 100 mg twice daily for 9 days"),
    ("A 7-year-old boy", "had seizures two hours after an overdose of bupropion"),
    ("An infant", "was treated with colchicine 0.5 mg per day"),
)
# With what is invented in brackets; {who} and {did} are a case's.
INVENTED = (
    "{who}, [Mary Smith], {did}",
    "[John] {did}",
    "[Mary], {who}, {did}",
    "[Mr Jones] {did}",
    "{who} named [Li Wei] {did}",
    "{who} ([J.S.]) {did}",
    "{who} ([MK]) {did}",
    "[RT], {who}, {did}",
    "{who}, [initials M.K.], {did}",
    "{who} from [London] {did}",
    "{who} in [Japan] {did}",
    "{who} in the [USA] {did}",
    "A [Japanese] patient {did}",
    "{who} {did} at [St Mary's Hospital]",
    "{who} {did} under [Dr. Brown]",
    "{who}, a [teacher], {did}",
    "{who}, who worked as an [engineer], {did}",
    "A [police officer] {did}",
    "{who}, an [upholsterer by trade], {did}",
    "{who} {did} in [December]",
    "On [Monday] {who} {did}",
    "On [12 March 2014] {who} {did}",
    "{who}, born on [3 May 1961], {did}",
    "{who} ([mary@example.org]) {did}",
    "{who} ([www.example.org/mary]) {did}",
    "{who} (telephone [+44 20 7946 0018]) {did}",
    "{who} (hospital number [H123456]) {did}",
)


def check(claim: str, record_text: str) -> str:
    record = Record(record_id="pmid:1", abstract=record_text, content_hash="-", title="A case")
    evidence = [as_evidence(record, sentence, key="e1", score=1.0) for sentence in split_record(record)][:1]
    return DraftChecker(load_reader()).check(parse_draft(f"{claim} [e1]."), evidence).text


@pytest.mark.parametrize("case", CASES, ids=[who for who, _ in CASES])
@pytest.mark.parametrize("invented", INVENTED)
def test_an_invented_detail_is_never_shown(case: tuple[str, str], invented: str) -> None:
    who, did = case
    detail = invented.partition("[")[2].partition("]")[0]
    claim = invented.replace("[", "").replace("]", "").format(who=who, did=did)
    assert detail in claim
    assert detail not in check(claim, f"{who} {did}. All symptoms resolved.")
    # What is published may be said.
    assert detail in check(claim, f"{claim}. All symptoms resolved.")


@pytest.mark.parametrize(
    "claim",
    [
        "Unfortunately, magnetic resonance imaging (MRI) showed low bone mineral density (BMD).",
        "Thereafter, the dose was halved. Doctors stopped the drug.",
        "Her MRI was normal; In the end she had type II disease, grade IV.",
        "Physicians measured BMD with a CT.",
    ],
)
def test_how_reports_are_told_in_other_words_identifies_nobody(claim: str) -> None:
    known = "MRI showed a low bone mineral density on day 3."
    assert list(find_added_details(claim, known)) == []
