"""Fixtures that several test files share."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from inkling.cli import main
from tests.support import firmware as firmware_tools
from tests.support import train as train_support

# Trainings are compared bit for bit, which a GPU does not promise. Read when CUDA is first asked for.
os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.fixture(scope="module", params=firmware_tools.TARGETS)
def board(request: pytest.FixtureRequest) -> Iterator[firmware_tools.RunningBoard]:
    """A running board of each target in turn: the native process, the STM32F405 and RV32IMC in QEMU."""
    with firmware_tools.boot(request.param) as board:
        yield board


Main = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Iterator[Main]:
    """`python -m host` within this process, half a second faster: exit status, output, errors."""
    handler = signal.getsignal(signal.SIGTERM)

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse's way
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    yield call
    signal.signal(signal.SIGTERM, handler)


class Trained(NamedTuple):
    """A finished run: its config file, its folder, what the command printed."""

    config: Path
    folder: Path
    said: str


class Exported(NamedTuple):
    """The bundle of a run, and what the command printed."""

    folder: Path
    said: str


# Both cost seconds and serve several files; torch and tensorflow run in processes of their own here.
@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A small run by `python -m train`, uninterrupted. Not to be changed: copy it."""
    folder = tmp_path_factory.mktemp("trained")
    config = train_support.write_config(folder)
    done = train_support.run("train", config, "--out", folder / "run", "--threads", 1)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return Trained(config, folder / "run", done.stdout)


@pytest.fixture(scope="session")
def exported(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The bundle of that run, by `python -m export`. Not to be changed: copy it."""
    folder = tmp_path_factory.mktemp("exported") / "tiny"
    done = train_support.run("export", trained.folder, "-o", folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return Exported(folder, done.stdout)
