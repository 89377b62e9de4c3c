"""Everything that others supply to the public CI is pinned, and a program proposes newer versions."""

import json
import re
import sys

import pytest

from tests.support import ROOT
from wire.errors import install_hint

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CHECKOUT = re.compile(r"uses: actions/checkout@.*\n +with:\n +persist-credentials: false\n")


def jobs(text: str) -> dict[str, str]:
    """Return the text of each job of a workflow, by name."""
    parts = re.split(r"^  (\w+):\n", text.partition("\njobs:\n")[2], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture(params=WORKFLOWS, ids=lambda file: file.name)
def workflow(request: pytest.FixtureRequest) -> str:
    return request.param.read_text(encoding="utf-8")


def test_there_are_workflows() -> None:
    assert WORKFLOWS


def test_actions_and_images_are_pinned_by_hash(workflow: str) -> None:
    actions = re.findall(r"uses: (\S+)", workflow)
    assert actions and all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in actions), actions
    images = re.findall(r"(?:container|image): (\S+)", workflow)
    assert all(re.fullmatch(r"[\w/.-]+:[\w.-]+@sha256:[0-9a-f]{64}", image) for image in images), images


def test_jobs_end_in_time_and_keep_no_credentials(workflow: str) -> None:
    assert "permissions:\n  contents: read\n" in workflow
    by_name = jobs(workflow)
    assert by_name
    for name, text in by_name.items():
        (minutes,) = map(int, re.findall(r"^    timeout-minutes: (\d+)$", text, re.MULTILINE))
        assert 0 < minutes <= 120, name
    assert len(CHECKOUT.findall(workflow)) == workflow.count("uses: actions/checkout@")


def test_packages_of_the_workflow_have_hashes(workflow: str) -> None:
    for line in re.findall(r"pip install .*", workflow):
        assert "--require-hashes -r requirements/" in line


def test_install_hint_outside_a_virtual_environment_makes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.prefix", "/venv")
    assert install_hint("teach") == "in a clone of Inkling: pip install '.[teach]'"
    monkeypatch.setattr("sys.prefix", sys.base_prefix)
    assert install_hint() == "in a clone of Inkling: python3 -m venv .venv && .venv/bin/pip install '.'"


def test_messages_take_their_hint_from_one_place() -> None:
    folders = ("host", "inkling", "train", "export", "wire", "firmware", "benchmarks", "channel_sim")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    told = {file.relative_to(ROOT).as_posix() for file in files if "pip install" in file.read_text(encoding="utf-8")}
    assert told <= {"wire/errors.py"}


def test_pages_that_install_name_a_virtual_environment() -> None:
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}
    installing = {name for name, text in texts.items() if re.search(r"pip install (-e )?\"?\.", text)}
    assert {"README.md", "CONTRIBUTING.md", "host.md", "boards.md"} <= installing
    assert {name for name in installing if "venv" not in texts[name]} == set()


def test_nothing_installs_this_project_from_a_registry() -> None:
    """The name is not registered, so that somebody else could put a package there."""
    folders = ("host", "inkling", "train", "export", "wire", "firmware", "benchmarks", "channel_sim", "docs", "scripts")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*") if file.suffix in {".py", ".md", ".sh"}]
    assert len(files) > 200
    wrong = [file for file in files if re.search(r"install\b.*inkling-edge", file.read_text(encoding="utf-8"))]
    assert wrong == []


def test_renovate_finds_every_version_in_platformio_ini() -> None:
    config = json.loads((ROOT / ".github" / "renovate.json").read_text(encoding="utf-8"))
    assert {"github-actions", "pip_requirements", "custom.regex"} == set(config["enabledManagers"])
    text = (ROOT / "platformio.ini").read_text(encoding="utf-8")
    found: set[tuple[str, str]] = set()
    for manager in config["customManagers"]:
        assert manager["managerFilePatterns"] == ["platformio.ini"]
        for pattern in manager["matchStrings"]:
            found |= {(m["depName"], m["currentValue"]) for m in re.finditer(pattern.replace("(?<", "(?P<"), text)}
    versions = set(re.findall(r"(?:platform = |lib_deps = |^    )([\w/-]+)@([\d.]+)$", text, re.MULTILINE))
    own = {(name, version) for name, version in versions if not name.startswith("platformio/")}
    assert own == found and len(own) == 4
    for pattern in config["pip_requirements"]["managerFilePatterns"]:
        assert (ROOT / pattern).is_file()
