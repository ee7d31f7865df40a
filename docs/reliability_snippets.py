"""What docs/reliability.md is made of that can be made: fuzzing, faults and their tests, load."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results"


_NONE = "0, or a test would fail"
# The tables of the tests in which the tries stand.
_TEXTS = ("ELEMENTS", "MARKDOWN", "CODES", "CHARACTERS", "CELLS", "REFERENCES")
_ORDERS = ("ORDERS", "DISGUISED", "UNKNOWN", "UNSPLIT", "ELSEWHERE")


class Fault(NamedTuple):
    """A part that fails: what was tried, what happens, and the test that does it."""

    part: str
    tried: str
    happens: str
    path: Path
    test: str


def summary() -> str:
    """The figures of the page in one table."""
    fuzzing, load = _runs(), _read("load.json")
    inputs = sum(run["inputs_in_all"] for _, _, run in fuzzing)
    texts, orders = _read_tables("hostile_text.py"), _read_tables("test_injection.py")
    rows = {
        "hostile texts, each in every field and place": sum(texts[name] for name in _TEXTS),
        "orders to a model, in records": sum(orders[name] for name in _ORDERS),
        "of them, such as no rule knows": orders["UNKNOWN"],
        "of them, what changed the claims or citations of the answer in quotes": _NONE,
        "inputs tried by fuzzing": f"{inputs:,}",
        "faults injected": count_faults(),
        "users at once, questions, errors": (f"{load['users']}, {load['questions']:,}, {sum(load['errors'].values())}"),
        "lost records": _NONE,
        "answers from a wrong index": load["citations_of_another_build"],
        "escapes: text that ran, called out or became markup": _NONE,
    }
    return "\n".join(["| what | figure |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])


def _read_tables(name: str) -> dict[str, int]:
    """How many entries each table of a test's module has."""
    sizes = {}
    for node in ast.parse((ROOT / "tests" / name).read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict | ast.Tuple):
            value = node.value
            sizes[ast.unparse(node.targets[0])] = len(value.keys if isinstance(value, ast.Dict) else value.elts)
    return sizes


def _runs() -> list[tuple[str, str, dict[str, Any]]]:
    """Target, engine and outcome of each run of the fuzzers."""
    targets = _read("fuzz.json")["targets"]
    return [
        (target, engine, targets[target][engine]) for target in sorted(targets) for engine in sorted(targets[target])
    ]


def fuzzing_table() -> str:
    """What was fuzzed, how long, and what it found."""
    lines = ["| target | by | minutes | inputs | peak memory, MB |", "|---|---|---|---|---|"]
    for target, engine, run in _runs():
        minutes, inputs = f"{run['seconds_in_all'] / 60:.0f}", f"{run['inputs_in_all']:,}"
        lines.append(f"| {target} | {engine} | {minutes} | {inputs} | {run['peak_mb']} |")
    found = _read("fuzz.json")["found_and_mended"]
    return "\n".join([*lines, "", f"Found and mended, {len(found)}:", "", *(f"- {sentence}" for sentence in found)])


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
