"""The package as a whole: imports that stay quick, names that are public, docs that are true."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name

import pytest

from index import DEMO_RECORDS
from tests.conftest import ROOT

HEAVY = {"torch", "chromadb", "gradio", "langchain", "langchain_core", "sentence_transformers", "transformers"}


def test_imports_are_quick_and_load_nothing_heavy() -> None:
    code = "import sys, assistant, index, prompts; print(*sys.modules)"
    seconds = []
    for _ in range(3):  # the best of three: the first run may compile the modules
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)  # processor time: other tests run at the same time
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert not HEAVY & set(run.stdout.split())
    assert min(seconds) < 0.5


@pytest.mark.parametrize("package", ["assistant", "index"])
def test_every_public_name_is_there_and_listed(package: str) -> None:
    module = import_module(package)
    assert all(getattr(module, name) is not None for name in module.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = module.nothing


def test_the_newest_version_of_the_changelog_is_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    versions = re.findall(r"^## \[?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert versions[0] == version


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("training/*.md")]


@pytest.mark.parametrize("path", sorted(PAGES), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_resolve(path: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!<?https?://|mailto:)([^)#]*)(?:#([^)]+))?\)", path.read_text("utf-8")):
        page = path.parent / target if target else path
        assert page.exists(), f"{path.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)", page.read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_index_of_the_docs() -> None:
    listed = (ROOT / "docs" / "README.md").read_text("utf-8")
    assert all(f"({page.name})" in listed for page in (ROOT / "docs").glob("*.md") if page.name != "README.md")


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/path-of-a-question.md", "docs/path-of-a-record.md"])
def test_pages_on_the_code_name_what_exists(page: str) -> None:
    for name in re.findall(r"`((?:assistant|index|prompts|training)(?:\.\w+)+)`", (ROOT / page).read_text("utf-8")):
        resolve_name(name)


def test_comments_name_experiments_that_exist() -> None:
    sources = (
        path for folder in ("assistant", "index", "training", "benchmarks") for path in ROOT.glob(f"{folder}/**/*.py")
    )
    for source in sources:
        text = re.sub(r"\s*\n\s*#?\s*", " ", source.read_text("utf-8"))
        for page, title in re.findall(r'(docs/experiments/[\w-]+\.md)(?:, "([^"]+)")?', text):
            entries = (ROOT / page).read_text("utf-8")
            assert f"· {title}\n" in entries or not title, f"{source.name}: {page}, {title}"


@pytest.mark.parametrize("page", ["README.md", "docs/case-table.md", "docs/export.md"])
def test_python_examples_run(
    page: str, demo_index_dir: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASECITE_INDEX_DIR", str(demo_index_dir))
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    exec(compile(example, page, "exec"), {})


def test_demo_records_are_marked_as_digests_and_leave_out_what_is_absent() -> None:
    records = [json.loads(line) for line in DEMO_RECORDS.read_text("utf-8").splitlines()]
    assert len(records) == 40
    assert sum("title" in record for record in records) == 20
    for record in records:
        assert record["digest"] is True
        assert not [name for name, value in record.items() if value in (None, "", [])]


def test_demo_digests_copy_no_run_of_seven_words_and_keep_the_source_facts(shared_data: object) -> None:
    import gzip

    from index.ingest.markup import read_abstract
    from index.text.normalisation import fold_text

    with gzip.open(f"{shared_data}/cases/records.jsonl.gz", "rt", encoding="utf-8") as stream:
        sources = {record["id"]: record for record in map(json.loads, stream)}
    with open(f"{shared_data}/seed/romosozumab_plo.txt", encoding="utf-8") as stream:
        seed = json.loads(stream.readline())
    for line in DEMO_RECORDS.read_text("utf-8").splitlines():
        digest = json.loads(line)
        source = sources[digest["id"]] if "id" in digest else seed
        runs = [word_runs(fold_text(read_abstract(record["abstract"]).text)) for record in (digest, source)]
        assert not runs[0] & runs[1], digest.get("title")
        for name in ("doi", "pmid", "title", "year"):
            if "id" in digest:
                assert digest.get(name) == (source.get(name) or None), name


def word_runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+(?:[.,]\d+)*", text)  # 15.6 is one word
    return {tuple(words[start : start + 7]) for start in range(len(words) - 6)}
