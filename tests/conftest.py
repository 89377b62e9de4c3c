"""Fixtures that several test files share."""

import contextlib
import io
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from inkling.cli import main
from tests.support import embedding as embedding_support
from tests.support import firmware as firmware_tools
from tests.support import train as train_support
from tests.support.once import made_once
from wire.system import STOP_SIGNALS

# Both are read when torch is imported. Trainings are compared bit for bit, which a GPU does not promise. Test workers
# share the cores: more threads in each would only slow all of them down.
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["OMP_NUM_THREADS"] = "1"


@pytest.fixture(scope="module", params=firmware_tools.TARGETS)
def board(request: pytest.FixtureRequest) -> Iterator[firmware_tools.RunningBoard]:
    """Running board of each target in turn: the native process, the STM32F405 and RV32IMC in QEMU."""
    with firmware_tools.boot(request.param) as board:
        yield board


RunInkling = Callable[..., tuple[int, str, str]]  # arguments -> exit status, output, errors


@pytest.fixture
def run_inkling(capsys: pytest.CaptureFixture[str]) -> Iterator[RunInkling]:
    """The command `inkling`, run in this process, which is faster than a new one."""
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as error:  # raised by argparse
            status = int(error.code or 0)
        return status, *capsys.readouterr()

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


class Trained(NamedTuple):
    """A finished run: its config file, its folder, the output of the command."""

    config: Path
    folder: Path
    output: str


class Exported(NamedTuple):
    """The bundle of a run, and the output of the command."""

    folder: Path
    output: str


# Both take seconds and serve several files.
@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A small run of `python -m train`, uninterrupted. Tests that change it need a copy."""

    def make(folder: Path) -> None:
        config = train_support.write_config(folder)
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            status = train_support.main(config, "--out", folder / "run", "--threads", 1)
        assert (status, errors.getvalue()) == (0, "")
        (folder / "output.txt").write_text(output.getvalue())

    folder = made_once(tmp_path_factory, "trained", make)
    return Trained(folder / "tiny.toml", folder / "run", (folder / "output.txt").read_text())


@pytest.fixture(scope="session")
def exported(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The bundle of that run, made by `python -m export`. Tests that change it need a copy."""

    def make(folder: Path) -> None:
        # In a process of its own: messages of tensorflow would show in its errors.
        done = train_support.run("export", trained.folder, "-o", folder / "tiny")
        assert (done.returncode, done.stderr) == (0, "")
        (folder / "output.txt").write_text(done.stdout)

    folder = made_once(tmp_path_factory, "exported", make)
    return Exported(folder / "tiny", (folder / "output.txt").read_text())


@pytest.fixture(scope="session")
def previewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of small runs of a general codec and of its preview network. Tests that change it need a copy."""

    def make(folder: Path) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            embedding_support.train_both(folder)

    return made_once(tmp_path_factory, "previewed", make)


@pytest.fixture(scope="session")
def preview_bundle(previewed: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The bundle of these runs. Tests that change it need a copy."""

    def make(folder: Path) -> None:
        outputs = []
        for run in ("general", "preview"):
            done = train_support.run(
                "export", previewed / run, "-o", folder / "colours", INKLING_CACHE=str(previewed / "cache")
            )
            assert (done.returncode, done.stderr) == (0, "")
            outputs.append(done.stdout)
            if run == "general":
                shutil.copytree(folder / "colours", folder / "without")
        (folder / "output.txt").write_text(outputs[-1])

    folder = made_once(tmp_path_factory, "preview_bundle", make)
    return Exported(folder / "colours", (folder / "output.txt").read_text())
