"""Tests of the layout: small files, small folders, documented links, one spelling of requirements."""

import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support import ROOT

MAX_LINES, MAX_SOURCES = 320, 14
SOURCES = {".py", ".c", ".h", ".cpp", ".sh"}


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """Return the files of the project: those git tracks and new ones that it does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def test_source_files_are_at_most_320_lines(files: list[Path]) -> None:
    lengths = {str(f.relative_to(ROOT)): len(f.read_text().splitlines()) for f in files if f.suffix in SOURCES}
    assert len(lengths) > 300
    assert {name: n for name, n in lengths.items() if n > MAX_LINES} == {}


def test_folders_have_at_most_14_source_files(files: list[Path]) -> None:
    folders: dict[str, set[str]] = defaultdict(set)
    for file in files:
        if file.suffix in SOURCES and file.name != "__init__.py":
            folders[str(file.parent.relative_to(ROOT))].add(file.stem)  # a .c with its .h counts as one
    assert {name: len(stems) for name, stems in folders.items() if len(stems) > MAX_SOURCES} == {}


def test_configs_hold_toml_only(files: list[Path]) -> None:
    assert {f.suffix for f in files if f.is_relative_to(ROOT / "configs")} == {".toml"}


def test_relative_links_in_docs_exist(files: list[Path]) -> None:
    pages = [f for f in files if f.suffix == ".md"]
    assert len(pages) > 15
    broken = []
    for page in pages:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_anchors_in_docs_exist(files: list[Path]) -> None:
    anchors = {f: set(map(anchor, headings(f))) for f in files if f.suffix == ".md"}
    broken = []
    for page in anchors:
        for target, name in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if "://" in target:
                continue
            other = (page.parent / target).resolve() if target else page
            if other in anchors and name not in anchors[other]:
                broken.append(f"{page.relative_to(ROOT)}: {target}#{name}")
    assert broken == []


def headings(page: Path) -> list[str]:
    """Return the headings of a page."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)


def anchor(heading: str) -> str:
    """Return the anchor that GitHub makes of a heading."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")


def pins(name: str) -> dict[str, str]:
    """Return the pinned versions of a requirements file, by normalized package name."""
    text = (ROOT / "requirements" / name).read_text()
    pinned = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;\\]+)", text, flags=re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in pinned}


@pytest.mark.parametrize("name", ["host.txt", "firmware.txt", "demo.txt", "serve.txt"])
def test_hashed_requirements_agree_with_dev(name: str) -> None:
    hashed, dev = pins(name), pins("dev.txt")
    shared = hashed.keys() & dev.keys()
    assert {"numpy", "onnxruntime", "pyserial", "pillow", "rich", "shtab"} <= shared
    assert {p: hashed[p] for p in shared} == {p: dev[p] for p in shared}
    text = (ROOT / "requirements" / name).read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", text)[1:]
    assert len(entries) == len(hashed) and all("--hash=sha256:" in entry for entry in entries)
