"""For the tests of training and export: a small real run and its bundle, on the pictures of the golden file.

A small codec that has learned 32 real pictures by heart is trained and exported in seconds, and its figures mean
something: what is right stays right through int8.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inkling.cli import main_of
from inkling.commands import EXPORT, TRAIN
from tests.support import ROOT
from tests.support.firmware import bundle_path
from train.data.datasets import CIFAR10_CLASSES, Dataset, load
from train.data.downloads import places

CONFIG = """
seed = 5

[data]
name = "npz:{npz}"
holdout = 64
crop_padding = 1
flip = false

[encoder]
layers = ["conv4s2 8", "sep4s2 12", "sep 12", "sep4s2 16", "head 8"]

[decoder]
width = 24
blocks = 1
dropout = 0.1

[schedule]
epochs = 4
qat_epochs = 3
batch = 32
lr = 1e-2
warmup_epochs = 0.2
"""
EPOCHS, QAT_EPOCHS = 4, 3


def golden() -> tuple[np.ndarray, np.ndarray]:
    """Real CIFAR-10 pictures uint8 (n, 32, 32, 3) and their labels int64 (n,)."""
    with np.load(bundle_path() / "golden.npz") as z:
        return z["images"], z["labels"].astype(np.int64)


def write_npz(file: Path, images: np.ndarray, labels: np.ndarray, copies: int = 32) -> Path:
    """A data set: `copies` of each picture to train on, one to test on."""
    np.savez(
        file,
        x_train=np.concatenate([images] * copies),
        y_train=np.concatenate([labels] * copies),
        x_test=images,
        y_test=labels,
        classes=CIFAR10_CLASSES,
    )
    return file


def write_config(folder: Path) -> Path:
    """CONFIG and its data set in `folder`; returns the config's path."""
    file = folder / "tiny.toml"
    file.write_text(CONFIG.format(npz=write_npz(folder / "golden.npz", *golden())))
    return file


def command(module: str, *arguments: object) -> list[str]:
    """The command line of one of our modules."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def run(module: str, *arguments: object, **variables: str) -> subprocess.CompletedProcess:
    """Run one of our modules from the root, as a user does, to its end."""
    return subprocess.run(
        command(module, *arguments),
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def one_line(complaint: str, start: str) -> str:
    """The complaint, which must be a single line that starts so."""
    assert complaint.startswith(start) and complaint.count("\n") == 1 and complaint.endswith("\n"), complaint
    return complaint


def public(name: str) -> Dataset:
    """A public data set where it is at hand; a test that would only confirm more is skipped without it."""
    if not any(place.is_file() for place in places(f"{name}.npz")):
        pytest.skip(f"{name} is not in INKLING_DATA or the cache")
    return load(name)


def cifar10() -> Dataset:
    """CIFAR-10, or a skip (python -m train or make demo fetches it)."""
    return public("cifar10")


def main(monkeypatch: pytest.MonkeyPatch, *arguments: object, module: str = "train") -> int:
    """`python -m train`, or another of our modules, in this process."""
    monkeypatch.setattr("sys.argv", [module, *map(str, arguments)])
    return main_of({"train": TRAIN, "export": EXPORT}[module], f"python -m {module}")


def fails(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    message: str,
    *arguments: object,
    module: str = "train",
) -> None:
    """It must fail, with the message in its one line."""
    capsys.readouterr()
    assert main(monkeypatch, *arguments, module=module) == 1
    assert message in one_line(capsys.readouterr().err, f"{module}: ")


def changed(config: Path, folder: Path, old: str, new: str) -> Path:
    """A copy of a config in `folder`, with `old` replaced, which it must have."""
    text = config.read_text()
    assert old in text
    file = folder / "changed.toml"
    file.write_text(text.replace(old, new, 1))
    return file
