"""How common words are in biomedical abstracts: writes index/text/term_frequencies.tsv.

    python benchmarks/count_terms.py ../shared/data/scale/records.jsonl.gz

Terms as the lexical index holds them, with the number of abstracts in a thousand that they stand in, at least one.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from index import Record, read_records
from index.text.terms import BACKGROUND_RECORDS, analyse

TARGET = Path(__file__).parent.parent / "index" / "text" / "term_frequencies.tsv"


def main(paths: list[str]) -> None:
    """Count the records of the paths and write the table."""
    counts: Counter[str] = Counter()
    total = 0
    for record in read_records(paths):
        if isinstance(record, Record):
            counts.update(set(analyse(f"{record.title or ''} {record.abstract}")))
            total += 1
    scaled = {term: round(count * BACKGROUND_RECORDS / total) for term, count in counts.items()}
    rows = sorted(f"{term}\t{count}\n" for term, count in scaled.items() if count)
    TARGET.write_text("".join(rows), "utf-8")
    print(f"{len(rows)} terms of {total} records")


if __name__ == "__main__":
    main(sys.argv[1:])
