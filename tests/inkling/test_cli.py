"""The command line: mistyped words, the version, and how commands end."""

import argparse
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inkling import __version__, cli
from inkling.commands import Command, Group
from tests.conftest import RunInkling
from tests.support import ROOT
from wire.errors import InklingError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the fake command."""
    parser.add_argument("--port", required=True)


def run_fake(options: argparse.Namespace) -> int:
    """Run the fake command. Replaced in tests."""
    raise NotImplementedError


FAKE = Command("fake", f"{__name__}:add_arguments", f"{__name__}:run_fake", "train", "interrupted; nothing written")
GROUP = Group("fake commands", {"fake": FAKE})


@pytest.fixture
def run_ending_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[BaseException | int], tuple[int, str]]:
    """Run a command that raises this error or returns this status; return exit status and errors."""

    def run(ending: BaseException | int) -> tuple[int, str]:
        def run_fake(options: argparse.Namespace) -> int:
            assert options.port == "x"
            if isinstance(ending, BaseException):
                raise ending
            return ending

        monkeypatch.setattr(sys.modules[__name__], "run_fake", run_fake)
        return cli.main(["fake", "--port", "x"], GROUP, "inkling"), capsys.readouterr().err

    return run


def test_main_without_words_prints_help_and_exits_2(run_inkling: RunInkling) -> None:
    code, out, err = run_inkling()
    assert (code, out) == (2, "") and err.startswith("usage: inkling ") and "\n    receive " in err


def test_main_prints_the_version(run_inkling: RunInkling) -> None:
    assert run_inkling("--version") == (0, f"inkling {__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("recieve --port x", "inkling: unknown command 'recieve' (did you mean 'receive'?); see inkling --help"),
        ("host", "inkling: unknown command 'host'; see inkling --help"),
        ("sim prox", "inkling sim: unknown command 'prox' (did you mean 'proxy'?); see inkling sim --help"),
        ("--verson", "inkling: unknown argument '--verson' (did you mean '--version'?); see inkling --help"),
        ("--quiet sim air", "inkling: unknown argument '--quiet'; see inkling --help"),
        ("info --prot x", "inkling info: unknown argument '--prot' (did you mean '--port'?); see inkling info --help"),
        (
            "sim lora --implicit-haeder",
            "inkling sim lora: unknown argument '--implicit-haeder' (did you mean '--implicit-header'?); "
            "see inkling sim lora --help",
        ),
        (
            "train c.toml --tread=3",
            "inkling train: unknown argument '--tread' (did you mean '--threads'?); see inkling train --help",
        ),
        ("info --port x extra", "inkling info: unknown argument 'extra'; see inkling info --help"),
        ("info -x --port x", "inkling info: unknown argument '-x'; see inkling info --help"),
        ("info", "inkling info: the following arguments are required: --port; see inkling info --help"),
        ("sim", "inkling sim: the following arguments are required: COMMAND; see inkling sim --help"),
        (
            "info --port x --baud 0",
            "inkling info: argument --baud: must be an integer of at least 1, got '0'; see inkling info --help",
        ),
    ],
)
def test_main_reports_a_mistake_in_one_line_and_exits_2(run_inkling: RunInkling, words: str, error: str) -> None:
    assert run_inkling(*words.split()) == (2, "", f"{error}\n")


def test_main_accepts_abbreviated_options_and_options_after_two_dashes(run_inkling: RunInkling) -> None:
    code, _, err = run_inkling("run", "--por", "loop://", "--bun=/none", "--", "--image")
    assert (code, err) == (1, "inkling: bundle /none: no such folder\n")


def test_main_returns_the_status_of_the_command(run_ending_in: Callable) -> None:
    assert run_ending_in(0) == (0, "")
    assert run_ending_in(1) == (1, "")


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (KeyboardInterrupt(), 130, "\ninkling: interrupted; nothing written\n"),
        (InklingError("what is wrong: what to do"), 1, "inkling: what is wrong: what to do\n"),
        (InklingError("board \x1b[2J\n[/] \udcff"), 1, "inkling: board \\x1b[2J\\n[/] \\udcff\n"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a.toml"), 1, "inkling: No such file: a.toml\n"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            1,
            "inkling: No space left on device: standard output, or a temporary file\n",
        ),
        (OSError(errno.EMFILE, "Too many open files"), 1, "inkling: Too many open files\n"),
        (
            ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"),
            1,
            "inkling: the Python package 'torch' is not installed; in a clone of Inkling: pip install '.[train]'\n",
        ),
    ],
    ids=["interrupt", "inkling", "terminal codes", "file", "disk", "files", "package"],
)
def test_main_reports_an_error_in_one_line(
    run_ending_in: Callable, error: BaseException, status: int, message: str
) -> None:
    assert run_ending_in(error) == (status, message)


@pytest.mark.parametrize("error", [ValueError("a fault"), ModuleNotFoundError("no", name="host.missing")])
def test_main_lets_faults_of_inkling_pass(run_ending_in: Callable, error: Exception) -> None:
    with pytest.raises(type(error)):
        run_ending_in(error)


@pytest.mark.parametrize(
    ("words", "package", "target"),
    [
        ("train configs/cifar10.toml", "torch", ".[train]"),
        ("export {run} -o x", "torch", ".[export]"),
        ("info --port loop://", "serial", "."),
        ("sim lora", "numpy", "."),
    ],
)
def test_main_names_the_extra_of_a_missing_package(tmp_path: Path, words: str, package: str, target: str) -> None:
    (tmp_path / "config.json").write_text("{}")  # what a run has
    program = (
        f"import sys; sys.modules[{package!r}] = None  # fails like a missing package\n"
        "from inkling.cli import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", program, *words.format(run=tmp_path).split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    hint = f"is not installed; in a clone of Inkling: pip install '{target}'"
    assert (done.returncode, done.stderr) == (1, f"inkling: the Python package '{package}' {hint}\n")


def test_main_ends_quietly_when_its_output_is_closed() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "inkling", "completion", "bash"]
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_main_reports_a_full_disk_in_one_line() -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "inkling", "completion", "bash"]
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        b"inkling: No space left on device: standard output, or a temporary file\n",
    )
