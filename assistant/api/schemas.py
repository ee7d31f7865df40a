"""Result types of the endpoints, and their construction from answers, passages and records.

The descriptions go into the JSON schemas of tools and are read by language models.
"""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from assistant.answers import NOT_ADVICE, Answer, Status
from assistant.types import Citation, QuotedField
from index.types import Passage, Record


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True)


class Reference(_Result):
    """A report. `is_digest`: its text is a digest in other words, not the published abstract."""

    record_id: str
    title: str | None
    authors: tuple[str, ...]
    journal: str | None
    year: int | None
    doi: str | None
    pmid: str | None
    url: str | None
    retracted: bool
    is_digest: bool


class CitedQuote(Reference):
    """A cited sentence: `quote` is `abstract[start:end]` of the record, or that span of its title."""

    number: int = Field(description="The n of its mark [n] in statements.")
    quote: str = Field(description="The sentence, verbatim.")
    section: str | None = Field(description="The section of the abstract, such as “Case presentation”.")
    field: QuotedField
    start: int
    end: int


class Statement(_Result):
    """A statement of an answer and the numbers of its citations."""

    text: str
    citations: tuple[int, ...]


class AskResult(_Result):
    """An answer. With `insufficient_evidence` the reports do not say: there are no statements and no citations."""

    answer: str = Field(description="The whole answer; every [n] in it is a citation.")
    status: Status = Field(description="“partial”: what the cited sentences did not support was left out.")
    confidence: float = Field(description="From 0 to 1, the probability that the reports answer the question.")
    statements: tuple[Statement, ...]
    citations: tuple[CitedQuote, ...]
    warnings: tuple[str, ...]
    notice: str = Field(description="That it is not medical advice; show it with the answer.")
    query: str = Field(description="What was searched: the question, or for a follow-up its completed form.")
    index_id: str


class FoundRecord(Reference):
    """A report that was found, with its best passage."""

    rank: int
    score: float = Field(description="From 0 to 1, comparable within one result only.")
    passage: str
    section: str | None


class SearchResult(_Result):
    """Reports, best first."""

    records: tuple[FoundRecord, ...]
    index_id: str


class LabelledSection(_Result):
    """A section of an abstract: `abstract[start:end]`."""

    label: str
    start: int
    end: int


class RecordResult(Reference):
    """A report of the index."""

    abstract: str
    sections: tuple[LabelledSection, ...]
    volume: str | None
    pages: str | None
    pmcid: str | None
    publication_types: tuple[str, ...]
    is_open_access: bool | None


class IndexDescription(_Result):
    """An index and how its questions are answered; without a chat model, answers are quotes."""

    index_id: str
    created_at: AwareDatetime
    record_count: int
    digest_count: int
    embedder: str
    chat_model: str | None


def describe_answer(answer: Answer) -> AskResult:
    """An answer as a result, without unsupported statements."""
    return AskResult(
        answer=answer.text,
        status=answer.status,
        confidence=answer.confidence,
        statements=tuple(
            Statement(text=claim.text, citations=claim.citations) for claim in answer.claims if claim.supported
        ),
        citations=tuple(map(_describe_citation, answer.citations)),
        warnings=answer.warnings,
        notice=NOT_ADVICE,
        query=answer.query,
        index_id=answer.index_id,
    )


def describe_passage(passage: Passage) -> FoundRecord:
    """A passage as a result."""
    return FoundRecord(
        **_describe_reference(passage.record),
        rank=passage.rank,
        score=passage.score,
        passage=passage.chunk.text,
        section=passage.chunk.section,
    )


def describe_record(record: Record) -> RecordResult:
    """A record as a result."""
    sections = [section._asdict() for section in record.sections]
    return RecordResult.model_validate(record.to_dict() | {"sections": sections})


def _describe_citation(citation: Citation) -> CitedQuote:
    return CitedQuote(
        **_describe_reference(citation.record),
        number=citation.number,
        quote=citation.quote,
        section=citation.record.section_at(citation.start) if citation.field == "abstract" else None,
        field=citation.field,
        start=citation.start,
        end=citation.end,
    )


def _describe_reference(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in Reference.model_fields}
