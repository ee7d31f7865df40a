"""What an index holds after crashes, many more than the tests make: writes docs/results/crashes.json.

    python -m benchmarks.measure_crashes 100

That many builds and as many updates are killed at random moments while a reader asks; then power cuts are simulated at
each sync of both. It ends with an error at the first look that finds anything but the old records or the new.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.results import write_result
from index.building.build import Mode
from tests.support.crash_workers import Life, in_new_process, make_embedder
from tests.support.forgetful_disk import cut_power_at_every_sync

SEED = 1
MODES: dict[str, Mode] = {"builds": "rebuild", "updates": "update"}


def main(kills: str) -> None:
    """Kill, cut the power, and write the figures."""
    measures: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        embedder = make_embedder(Path(folder) / "model", SEED)
        for name, mode in MODES.items():
            life = Life(Path(folder) / name, embedder)
            life.index_dir.parent.mkdir()
            life.finish("rebuild")
            measures |= count_kills(life, name, mode, int(kills)) | count_power_cuts(life, name, mode)
    write_result("crashes", f"python -m benchmarks.measure_crashes {kills}", {"measures": measures})


def count_kills(life: Life, name: str, mode: Mode, kills: int) -> dict[str, str]:
    """What killed builds left, and what a reader saw of them."""
    series = life.survive_kills(mode, kills, SEED)
    life.assert_nothing_is_left_behind()
    return {
        f"{name} killed": f"{kills}; {kills - series.new} left the old records, {series.new} the new",
        f"questions asked during these {name}": (
            f"{series.questions:,}; each answered from one of {series.states} states of the records, in their order"
        ),
    }


def count_power_cuts(life: Life, name: str, mode: Mode) -> dict[str, str]:
    """What is left by a disk that forgets what was not synced, cut off at each sync of a build."""
    build, after = life.next(mode)
    saved = life.index_dir.parent.with_name(f"{name}-saved")
    seen, new = in_new_process(cut_power_at_every_sync, build, saved, SEED)
    assert life.look(after)
    left = Counter("the new" if found == new else "the old" for _, found in seen)
    assert len({found for _, found in seen}) == len(left)
    outcomes = ", ".join(f"{count:,} {records}" for records, count in sorted(left.items(), reverse=True))
    return {f"disks after a power cut during one of these {name}": f"{len(seen):,}; {outcomes}"}


if __name__ == "__main__":
    main(*sys.argv[1:])
