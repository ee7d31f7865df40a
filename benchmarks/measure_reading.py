"""What memory and time reading takes, a small file against a large one: writes docs/results/reading.json.

    python -m benchmarks.measure_reading FOLDER

Each file is made in the folder (2 GB must be free there), read in a process of its own, and deleted.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.results import write_result
from index.ingest.formats.raw_record import RawRecord
from index.ingest.readers import read_sources

SIZES_MB = (20, 2_000)
ABSTRACT = "A weaver of 44 years sneezed for a week after a new dye (p < 0.05), and 12.5% of her colleagues did. " * 15
XML_ABSTRACT = ABSTRACT.replace("<", "&lt;")
JSON_RECORD = {"doi": "10.5555/x", "authors": ["Ann B Orr", "Bo Ek"], "abstract": ABSTRACT}


class Kind(NamedTuple):
    """A format: how a file of it begins, its entries by number, what stands between them, and how it ends."""

    suffix: str
    begin: str
    entry: Callable[[int], str]
    between: str = ""
    end: str = ""


KINDS = {
    "JSON, a record a line": Kind(".jsonl", "", lambda n: json.dumps({"id": n, **JSON_RECORD}) + "\n"),
    "JSON, one list on one line": Kind(".json", "[", lambda n: json.dumps({"id": n, **JSON_RECORD}), ", ", "]"),
    "JSON, Europe PMC's, indented": Kind(
        ".json",
        '{\n "version": "6.9",\n "resultList": {\n  "result": [\n',
        lambda n: json.dumps({"id": n, "source": "MED", "authorString": "Orr AB", "abstractText": ABSTRACT}, indent=2),
        ",\n",
        "]}}",
    ),
    "PubMed XML": Kind(
        ".xml",
        "<PubmedArticleSet>\n",
        lambda n: (
            f"<PubmedArticle><MedlineCitation><PMID>{n}</PMID><Article><ArticleTitle>Case {n}</ArticleTitle><Abstract>"
            f"<AbstractText>{XML_ABSTRACT}</AbstractText></Abstract><AuthorList><Author><LastName>Orr</LastName>"
            "<ForeName>Ann B</ForeName></Author></AuthorList></Article></MedlineCitation></PubmedArticle>\n"
        ),
        end="</PubmedArticleSet>\n",
    ),
    "RIS": Kind(".ris", "", lambda n: f"TY  - JOUR\nTI  - Case {n}\nAU  - Orr, Ann B\nAB  - {ABSTRACT}\nER  - \n"),
    "MEDLINE": Kind(
        ".nbib", "", lambda n: f"PMID- {n}\nTI  - Case {n}\nFAU - Orr, Ann B\nAB  - {ABSTRACT}\nSO  - x\n\n"
    ),
    "BibTeX": Kind(
        ".bib",
        "",
        lambda n: (
            f"@article{{k{n},\n  title = {{Case {n}}},\n  author = {{Orr, Ann B.}},\n"
            f"  abstract = {{{ABSTRACT.replace('%', chr(92) + '%')}}},\n}}\n"
        ),
    ),
    "CSV": Kind(".csv", "id,title,authors,abstract\n", lambda n: f'{n},Case {n},"Orr, Ann B","{ABSTRACT}"\n'),
}


def main(folder: str) -> None:
    """Write, read and delete a file of each format and size, and write down what reading took."""
    rows = {}
    for name, kind in KINDS.items():
        rows[name] = [measure(kind, Path(folder), size_mb * 1_000_000) for size_mb in SIZES_MB]
        print(name, rows[name], flush=True)
    command = "python -m benchmarks.measure_reading FOLDER"
    write_result("reading", command, {"sizes_mb": SIZES_MB, "formats": rows})


def measure(kind: Kind, folder: Path, size: int) -> dict[str, float]:
    """The records, processor seconds and peak memory of reading a file of so many bytes."""
    path = write_file(kind, folder, size)
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.measure_reading", "--read", str(path)], stdout=subprocess.PIPE, text=True
        )
        printed = child.stdout.read() if child.stdout else ""
        _, status, usage = os.wait4(child.pid, 0)
        if status:
            raise RuntimeError(f"reading {path} ended with {status}")
        cpu_s = usage.ru_utime + usage.ru_stime
        records, peak_kb = map(int, printed.split())
        return {"records": records, "cpu_s": round(cpu_s, 1), "peak_mb": round(peak_kb / 1_024, 1)}
    finally:
        path.unlink()


def write_file(kind: Kind, folder: Path, size: int) -> Path:
    """A file of at least so many bytes."""
    path = folder / f"reading{kind.suffix}"
    with path.open("w", encoding="utf-8") as file:
        written, number = file.write(kind.begin), 0
        while written < size:
            number += 1
            written += file.write((kind.between if number > 1 else "") + kind.entry(number))
        file.write(kind.end)
    return path


def read_file(path: str) -> None:
    """Read a file in this process and print how many records it gave, and the most memory that was held (on Linux)."""
    records = rejected = 0
    for item in read_sources([path]):
        records += isinstance(item, RawRecord)
        rejected += not isinstance(item, RawRecord)
    if rejected:
        raise RuntimeError(f"{rejected} of {path} were rejected")
    # What `getrusage` says may be the memory of the process that started this one.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(records, peak[1] if peak else 0)


if __name__ == "__main__":
    if sys.argv[1] == "--read":
        read_file(sys.argv[2])
    else:
        main(sys.argv[1])
