"""BM25 over whole records, with tantivy."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import tantivy

from index.text.normalisation import fold_text, fold_wording
from index.text.spelling import PREFIX_CHARS, nearest_words
from index.text.terms import make_analyzer
from index.types import Filters, Record

_ANALYZER = "english"
_MAX_NEIGHBOURS = 2_000  # the most frequent ones
_HEAP_BYTES = 64_000_000
# The text twice, with and without term frequencies: tantivy's k1 is fixed and too high for questions about one case;
# the sum of both scores has the effect of a lower k1.
_TEXT_FIELDS = ("text", "presence")


class LexicalIndex:
    """A tantivy index of records. Queries are built from analysed terms, so no text is parsed as query syntax."""

    def __init__(self, index: tantivy.Index, path: Path) -> None:
        index.register_tokenizer(_ANALYZER, make_analyzer())
        self._index = index
        self._path = path

    @classmethod
    def create(cls, path: Path, copy_of: Path | None = None) -> LexicalIndex:
        """A new index in the folder `path`, empty or a copy of another one."""
        if copy_of:
            shutil.copytree(copy_of, path)
            return cls.open(path)
        path.mkdir(parents=True)
        return cls(tantivy.Index(_schema(), path=str(path)), path)

    @classmethod
    def open(cls, path: Path) -> LexicalIndex:
        """An existing index.

        Raises:
            ValueError: there is none at the path, or it is damaged.
        """
        if not path.is_dir() or all(os.access(name, os.W_OK) for name in (path, *path.glob("*.lock"))):
            return cls(tantivy.Index.open(str(path)), path)
        # tantivy cannot create its lock file in a read-only folder, so it gets links to the other files in another one.
        # Once it has opened the files, it does not need the links.
        with TemporaryDirectory(prefix="casecite-") as folder:
            for file in path.iterdir():
                if file.suffix != ".lock":
                    Path(folder, file.name).symlink_to(file.resolve())
            return cls(tantivy.Index.open(folder), path)

    def add(self, records: Iterable[Record]) -> None:
        """Add records durably."""
        with self._writing() as writer:
            for record in records:
                writer.add_document(_document(record))

    def delete(self, record_ids: Iterable[str]) -> None:
        """Remove records, if they are here, durably."""
        with self._writing() as writer:
            for record_id in record_ids:
                writer.delete_documents_by_term("record_id", record_id)

    @contextmanager
    def _writing(self) -> Iterator[tantivy.IndexWriter]:
        """A writer whose changes are committed when the block ends, and rolled back if it fails."""
        writer = self._index.writer(heap_size=_HEAP_BYTES, num_threads=1)
        try:
            yield writer
        except BaseException:
            writer.rollback()
            raise
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()
        # tantivy lets only their owner read these files; users may share an index.
        shared = stat.S_IMODE(self._path.stat().st_mode) & ~0o111
        for name in ("meta.json", ".managed.json"):
            (self._path / name).chmod(shared)

    def search(self, terms: Mapping[str, float], top_k: int, filters: Filters | None = None) -> list[tuple[str, float]]:
        """The `top_k` best records for weighted terms as (record id, BM25 score), best first, ties by id."""
        if not terms:
            return []
        clauses = [self._any_of(terms), *self._clauses(filters)]
        return self._found(clauses, top_k)

    def score(self, terms: Mapping[str, float], record_ids: Sequence[str]) -> dict[str, float]:
        """The BM25 scores of those of the records that contain any of the terms."""
        if not terms or not record_ids:
            return {}
        named = tantivy.Query.term_set_query(self._index.schema, "record_id", list(record_ids))
        return dict(self._found([self._any_of(terms), tantivy.Query.const_score_query(named, 0.0)], len(record_ids)))

    def _any_of(self, terms: Mapping[str, float]) -> tantivy.Query:
        """Records with any of the terms, scored by BM25 with and without term frequencies."""
        query, schema = tantivy.Query, self._index.schema
        weighted = [
            (tantivy.Occur.Should, query.boost_query(query.term_query(schema, field, term), weight))
            for term, weight in terms.items()
            for field in _TEXT_FIELDS
        ]
        return query.boolean_query(weighted)

    def _found(self, clauses: Sequence[tantivy.Query], top_k: int) -> list[tuple[str, float]]:
        searcher = self._index.searcher()
        query = tantivy.Query.boolean_query([(tantivy.Occur.Must, clause) for clause in clauses])
        hits = searcher.search(query, top_k, count=False).hits
        scores = [(str(searcher.doc(address)["record_id"][0]), float(score)) for score, address in hits]
        return sorted(scores, key=lambda pair: (-pair[1], pair[0]))

    def document_frequency(self, term: str) -> int:
        """The number of records that contain an analysed term."""
        return self._index.searcher().doc_freq("text", term)

    def corrections(self, term: str) -> list[str]:
        """The terms that a misspelt analysed term may stand for; none if a record contains it."""
        if self.document_frequency(term):
            return []
        known = self._index.searcher().terms_with_prefix("text", term[:PREFIX_CHARS], limit=_MAX_NEIGHBOURS)
        return nearest_words(term, [word for word, _ in known])

    def __len__(self) -> int:
        return self._index.searcher().num_docs

    def _clauses(self, filters: Filters | None) -> list[tantivy.Query]:
        """One query for each filter that is set, with a score of 0."""
        if not filters:
            return []
        schema, clauses = self._index.schema, []
        if filters.year_from is not None or filters.year_to is not None:
            years = (filters.year_from, filters.year_to)
            clauses.append(tantivy.Query.range_query(schema, "year", tantivy.FieldType.Integer, *years))
        for field, names in (("journal", filters.journals), ("publication_type", filters.publication_types)):
            if names:
                clauses.append(tantivy.Query.term_set_query(schema, field, [fold_text(name) for name in names]))
        if filters.open_access is not None:
            clauses.append(tantivy.Query.term_query(schema, "open_access", filters.open_access))
        return [tantivy.Query.const_score_query(clause, 0.0) for clause in clauses]


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("record_id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("text", tokenizer_name=_ANALYZER, index_option="freq")
    builder.add_text_field("presence", tokenizer_name=_ANALYZER, index_option="basic")
    builder.add_integer_field("year", indexed=True, fast=True)
    builder.add_text_field("journal", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("publication_type", tokenizer_name="raw", index_option="basic")
    builder.add_boolean_field("open_access", indexed=True)
    return builder.build()


def _document(record: Record) -> tantivy.Document:
    document = tantivy.Document()
    document.add_text("record_id", record.record_id)
    text = fold_wording(f"{record.title or ''}\n{record.abstract}")
    for field in _TEXT_FIELDS:
        document.add_text(field, text)
    if record.year is not None:
        document.add_integer("year", record.year)
    if record.journal:
        document.add_text("journal", fold_text(record.journal))
    for name in record.publication_types:
        document.add_text("publication_type", fold_text(name))
    if record.is_open_access is not None:
        document.add_boolean("open_access", record.is_open_access)
    return document
