"""The endpoints for programs, independent of the transport: plain arguments in, typed results out.

Language models read the descriptions to choose a tool and its arguments.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field

from assistant.api.schemas import (
    AskResult,
    IndexDescription,
    RecordResult,
    SearchResult,
    describe_answer,
    describe_passage,
    describe_record,
)
from assistant.assistant import Assistant
from assistant.types import Turn
from assistant.understanding.request import check_question
from index.errors import WrongUseError
from index.ingest.identifiers import name_record, normalise_doi, normalise_pmid
from index.search.snapshot import Snapshot
from index.types import Filters, Record

MAX_RECORDS = 50

YearFrom = Annotated[int | None, Field(description="Only reports of this year or later.")]
YearTo = Annotated[int | None, Field(description="Only reports of this year or earlier.")]
Journals = Annotated[list[str] | None, Field(description="Only reports of one of these journals, by their full names.")]
PublicationTypes = Annotated[
    list[str] | None, Field(description="Only reports of one of these publication types, such as “Case Reports”.")
]
OpenAccessOnly = Annotated[bool, Field(description="Only reports that are free to read.")]
Question = Annotated[
    str, Field(description="One question in plain words about something a case report could say: a dose, a finding.")
]
History = Annotated[
    list[Turn] | None,
    Field(
        description="The conversation so far, oldest first, so that a follow-up such as “and the dose?” is understood. "
        "The record_ids of a turn of the assistant are those of its citations."
    ),
]
SearchQuery = Annotated[
    str, Field(description="What the reports should be about: a drug, a disease, a finding, or a whole question.")
]
Limit = Annotated[int, Field(ge=1, le=MAX_RECORDS, description="How many reports to return at most.")]
RecordId = Annotated[
    str, Field(description="A record_id from another result, a DOI or a PubMed number, such as “doi:10.1000/xyz1”.")
]


class Endpoints:
    """The endpoints on an open assistant, which the caller closes. None of them blocks the event loop."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant

    async def ask_case_reports(
        self,
        question: Question,
        year_from: YearFrom = None,
        year_to: YearTo = None,
        journals: Journals = None,
        publication_types: PublicationTypes = None,
        open_access_only: OpenAccessOnly = False,
        history: History = None,
    ) -> AskResult:
        """Answer a question from published case reports, each statement with the sentence of the report that says it.

        Use it for what was seen or done in single patients: doses, findings, courses, outcomes, rare side effects. Do
        not use it for guidelines, for how common something is, or for advice on a patient: case reports cannot say.
        Quote statements together with their citations (title, year, DOI) and do not add to them. The status
        insufficient_evidence is a result, not a failure: these reports do not say, so tell the user just that. Ask one
        thing at a time. Set a filter only where the user asked for it.
        """
        filters = _filters(year_from, year_to, journals, publication_types, open_access_only)
        return describe_answer(await self._assistant.aask(question, history or (), filters))

    async def search_case_reports(
        self,
        query: SearchQuery,
        limit: Limit = 10,
        year_from: YearFrom = None,
        year_to: YearTo = None,
        journals: Journals = None,
        publication_types: PublicationTypes = None,
        open_access_only: OpenAccessOnly = False,
    ) -> SearchResult:
        """Find published case reports on a subject, the best first, each with the passage that fits best.

        Use it to list or compare reports, or to find one to read with get_record. To have a question answered use
        ask_case_reports, which reads the reports and checks what it says. Being found does not make a report relevant:
        there is always a best one, so read its passage before you speak of it.
        """
        filters = _filters(year_from, year_to, journals, publication_types, open_access_only)
        return await asyncio.to_thread(_search, self._assistant, check_question(query), limit, filters)

    async def get_record(self, record_id: RecordId) -> RecordResult:
        """Get one case report of the index by its identifier: the abstract and the bibliographic data.

        Use it to read around a quote, or for a DOI or PubMed number that the user named. It holds the abstract, not the
        full text. What is not in this index is an error, which does not mean that there is no such report.
        """
        return await asyncio.to_thread(_read_record, self._assistant, record_id)

    async def describe_index(self) -> IndexDescription:
        """Tell how many case reports the index holds, when it was built, and how questions are answered."""
        return await asyncio.to_thread(_describe_index, self._assistant)


def _filters(
    year_from: int | None,
    year_to: int | None,
    journals: list[str] | None,
    publication_types: list[str] | None,
    open_access_only: bool,
) -> Filters:
    return Filters(
        year_from=year_from,
        year_to=year_to,
        journals=tuple(journals or ()),
        publication_types=tuple(publication_types or ()),
        open_access=True if open_access_only else None,
    )


def _search(assistant: Assistant, query: str, limit: int, filters: Filters) -> SearchResult:
    found = assistant.search(query, limit, filters)
    return SearchResult(records=tuple(map(describe_passage, found)), index_id=assistant.index.manifest.build_id)


def _read_record(assistant: Assistant, name: str) -> RecordResult:
    record = _find_record(assistant.index.current(), name)
    if record is None:
        raise WrongUseError(
            f"no record {name!r:.100} in this index", remedy="give a record_id from a search, a DOI or a PubMed number"
        )
    return describe_record(record)


def _find_record(build: Snapshot, name: str) -> Record | None:
    """The record of a record id, a DOI or a PubMed number, however they are written."""
    text = name.strip()
    if record := build.get_record(text):
        return record
    record_id = name_record(normalise_doi(text), normalise_pmid(text))
    return build.get_record(record_id) if record_id else None


def _describe_index(assistant: Assistant) -> IndexDescription:
    manifest = assistant.index.manifest
    return IndexDescription(
        index_id=manifest.build_id,
        created_at=manifest.created_at,
        record_count=manifest.record_count,
        digest_count=manifest.digest_count,
        embedder=manifest.embedder.name,
        chat_model=assistant.settings.llm,
    )
