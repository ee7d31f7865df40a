"""Remove all builds of an index but the live one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from index.building.build import remove_build
from index.progress import Progress, no_progress
from index.settings import index_settings
from index.storage.integrity import require_sound
from index.storage.layout import IndexLayout
from index.storage.manifest import read_manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearReport:
    """What was removed: build ids, and how many files and bytes they had."""

    index_dir: str
    builds: tuple[str, ...]
    file_count: int
    byte_count: int

    def to_dict(self) -> dict[str, Any]:
        """Every field as JSON types."""
        return asdict(self)


def clear_index(
    index_dir: str | Path | None = None, progress: Progress | None = None, *, wait: bool = False
) -> ClearReport:
    """Remove all builds but the live one, and what killed builds left behind, on a Chroma server too.

    A question that still runs on an earlier build fails. Nothing is removed while the live build is damaged, because
    the other builds may be needed to repair it.

    Raises:
        NoIndexError: there is no index, or it is damaged.
        BuildRunningError: another process is writing the index.
    """
    settings, show = index_settings(index_dir), progress or no_progress
    layout = IndexLayout(settings.index_dir)
    layout.current_build()
    with layout.writing(wait=wait):
        live = layout.current_build()
        require_sound(live, read_manifest(live), show)
        unwanted = layout.superseded_builds(None)
        sizes = [measure_folder(build_dir) for build_dir in unwanted]
        for count, build_dir in enumerate(unwanted, start=1):
            show("removing builds", count, len(unwanted))
            remove_build(build_dir, settings.chroma_url)
    return ClearReport(
        index_dir=str(layout.index_dir),
        builds=tuple(build_dir.name for build_dir in unwanted),
        file_count=sum(files for files, _ in sizes),
        byte_count=sum(size for _, size in sizes),
    )


def measure_folder(folder: Path) -> tuple[int, int]:
    """The number of files in a folder, and their bytes."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)
