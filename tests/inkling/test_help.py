"""The help of every command, and what it imports."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from inkling.commands import ROOT as COMMANDS
from inkling.commands import Group
from tests.conftest import RunInkling
from tests.support import ROOT

HEAVY = {"numpy", "onnxruntime", "PIL", "rich", "serial", "torch", "torchvision", "tensorflow", "onnx"}
IMPORTED = """
import sys
from inkling.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as error:
    status = error.code
print("imported:", *sorted({name.partition(".")[0] for name in sys.modules}))
sys.exit(status)
"""


def paths(group: Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command and group."""
    yield path
    for name, entry in group.commands.items():
        if isinstance(entry, Group):
            yield from paths(entry, (*path, name))
        else:
            yield (*path, name)


PATHS = list(paths(COMMANDS))


def imported(*words: object) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Run a command in a process, and return it and the packages that it imported."""
    command = [sys.executable, "-c", IMPORTED, *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done, set(done.stdout.rpartition("imported:")[2].split())


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_help_describes_the_command_and_gives_examples(run_inkling: RunInkling, path: tuple[str, ...]) -> None:
    code, out, err = run_inkling(*path, "--help")
    assert (code, err) == (0, "")
    usage, description = out.split("\n\n")[:2]
    assert usage.startswith(f"usage: {' '.join(['inkling', *path])} ")
    assert description[0].isupper() and "." in description
    examples = out.rpartition("example")[2].splitlines()[1:]
    own = " ".join(["  inkling", *path])
    assert examples and any(line.startswith(own) for line in examples)
    assert all(line.startswith("  ") or not line or line == "and for each" for line in examples)


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_help_imports_no_heavy_package(path: tuple[str, ...]) -> None:
    done, packages = imported(*path, "--help")
    assert done.returncode == 0, done.stderr
    allowed = {"numpy"} if path[:1] == ("sim",) and len(path) == 2 else set()  # its help is made from the channels
    assert {"inkling", "argparse"} <= packages and not packages & HEAVY - allowed


@pytest.mark.parametrize(
    ("words", "file"),
    [
        ((), "cifar10.toml"),
        ((), "systems/cifar10-semanticnn.toml"),
        (("classifier",), "classifiers/cifar10-mobilenet_v2.toml"),
    ],
)
def test_train_reports_mistyped_setting_without_torch(words: tuple[str, ...], file: str, tmp_path: Path) -> None:
    config = tmp_path / "mistyped.toml"
    config.write_text((ROOT / "configs" / file).read_text().replace("\nepochs", "\nepoch"))
    done, packages = imported("train", *words, config)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("inkling: ") and "'epoch'" in done.stderr and "'epochs'" in done.stderr
    assert "train" in packages and not packages & {"torch", "torchvision"}


@pytest.mark.parametrize(
    ("module", "usage", "example"),
    [
        ("inkling", "usage: inkling ", "inkling receive "),
        ("host", "usage: python -m host ", "inkling receive "),
        ("channel_sim", "usage: python -m channel_sim ", "inkling sim proxy "),
        ("train", "usage: python -m train ", "inkling train "),
        ("export", "usage: python -m export ", "inkling export "),
    ],
)
def test_python_m_prints_help(module: str, usage: str, example: str) -> None:
    command = [sys.executable, "-m", module, "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(usage) and f"\n  {example}" in done.stdout


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("train", "configs/classifiers/cifar10-resnet20.toml"), "use: inkling train classifier configs/classifiers"),
        (("train", "classifier", "configs/cifar10.toml"), "use: inkling train configs/cifar10.toml"),
        (("train", "clasifier", "configs/cifar10.toml"), "expected CONFIG or classifier CONFIG, got clasifier"),
    ],
)
def test_train_names_the_command_for_another_kind_of_config(words: tuple[str, ...], hint: str) -> None:
    done, _ = imported(*words)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and hint in done.stderr
