"""What docs/reliability.md is made of that can be made: fuzzing, faults and their tests, load."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results"


class Fault(NamedTuple):
    """A part that fails: what was tried, what happens, and the test that does it."""

    part: str
    tried: str
    happens: str
    path: Path
    test: str


def faults_table() -> str:
    """Every fault that a test injects, as the tests themselves say."""
    lines = ["| part | what was tried | what happens | test |", "|---|---|---|---|"]
    for fault in sorted(find_faults(), key=lambda fault: fault.part.casefold()):
        where = f"[{fault.path.name}](../tests/{fault.path.name})"
        lines.append(f"| {fault.part} | {fault.tried} | {fault.happens} | {where}: `{fault.test}` |")
    return "\n".join(lines)


def count_faults() -> int:
    """How many faults are injected."""
    return sum(1 for _ in find_faults())


def find_faults() -> Iterator[Fault]:
    """The tests with the marker `fault`, read from their source."""
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for call in node.decorator_list:
                    if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.fault":
                        said = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
                        yield Fault(**said, path=path, test=node.name)


def load_table() -> str:
    """Many users while the index is replaced."""
    data = _read("load.json")
    memory, at_once = data["memory_mb"], data["at_once"]
    rows = {
        f"questions by {data['users']} users in {data['minutes']:g} minutes": f"{data['questions']:,}",
        "errors": sum(data["errors"].values()),
        "builds that were live": data["builds"],
        "citations compared with their build": f"{data['citations']:,}",
        "of them of records that differ from build to build": f"{data['citations_of_changing_records']:,}",
        "citations of another build than the answer's": data["citations_of_another_build"],
        "seconds to the whole answer, median / p95 / longest": (
            f"{data['p50_s']:.1f} / {data['p95_s']:.1f} / {data['longest_s']:.1f}"
        ),
        "server's memory, MB: settled / last / highest": (
            f"{memory['settled']:,} / {memory['last']:,} / {memory['highest']:,}"
        ),
        "slope of the memory, MB a minute": f"{memory['slope_mb_per_minute']:+.2f}",
        f"{at_once['questions']} questions at the same moment: answered / told “busy” / other errors": (
            f"{at_once['answered']} / {at_once['told_busy']} / {sum(at_once['other_errors'].values())}"
        ),
        "seconds until told “busy”, median / longest": (
            f"{at_once['told_after_p50_s']:.1f} / {at_once['told_after_longest_s']:.1f}"
        ),
    }
    lines = ["| what | figure |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]
    return "\n".join([*lines, "", f"Made by `{data['command']}` on {data['date']}, 2 cores."])


def _read(name: str) -> Any:
    return json.loads((RESULTS / name).read_text("utf-8"))
