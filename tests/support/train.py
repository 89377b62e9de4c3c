"""Support for tests of training and export: a small real run and its bundle, on the images of the golden file.

A small codec that has learned 32 real images by heart is trained and exported in seconds, and its figures mean
something: images that are correctly classified in float stay so in int8.
"""

import os
import signal
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
from wire.system import STOP_SIGNALS

CONFIG = """
seed = 5

[data]
name = "npz:{npz}"
holdout = 64
crop_padding = 1
flip = false

[encoder]
layers = ["conv4s2 8", "sep4s2 12", "sep 12", "head 2", "sep4s2 16", "head 6", "pool", "head 8", "answer"]

[decoder]
width = 24
blocks = 1
dropout = 0.1

[link]
chunks = [[0, 232], [0, 104], [0, 8], [104, 128]]

[schedule]
epochs = 4
qat_epochs = 3
batch = 32
lr = 1e-2
warmup_epochs = 0.2
"""
EPOCHS, QAT_EPOCHS = 4, 3
SPLIT_CONFIG = """
system = "{system}"
classifier = "{base}"
[options]
{options}
[schedule]
epochs = {epochs}
qat_epochs = {qat_epochs}
batch = 32
lr = {lr}
warmup_epochs = 0.2
"""


def golden() -> tuple[np.ndarray, np.ndarray]:
    """Return real CIFAR-10 images uint8 (n, 32, 32, 3) and their labels int64 (n,)."""
    with np.load(bundle_path() / "golden.npz") as z:
        return z["images"], z["labels"].astype(np.int64)


def write_npz(file: Path, images: np.ndarray, labels: np.ndarray, copies: int = 32) -> Path:
    """Write a data set: `copies` of each image to train on, one to test on."""
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
    """Write CONFIG and its data set to `folder`; return the config's path."""
    file = folder / "tiny.toml"
    file.write_text(CONFIG.format(npz=write_npz(folder / "golden.npz", *golden())))
    return file


def write_teacher(folder: Path, classes: int = 10) -> Path:
    """Write a ResNet-20 of random weights with the keys of the usual checkpoints; return its file."""
    import torch  # takes seconds, and conftest.py imports this module for tests that need none

    from train.classifiers.teacher import CifarResNet

    torch.manual_seed(0)
    file = folder / "resnet20.th"
    state = {f"module.{k}": v for k, v in CifarResNet(20, classes).state_dict().items()}
    torch.save({"state_dict": state, "best_prec1": 10.0}, file)
    return file


def command(module: str, *arguments: object) -> list[str]:
    """Return the command line of one of the project's modules."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def run(module: str, *arguments: object, **variables: str) -> subprocess.CompletedProcess:
    """Run one of the project's modules from the root, as a user does, to its end."""
    return subprocess.run(
        command(module, *arguments),
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def one_line(message: str, start: str) -> str:
    """Return the error message, which must be a single line with this start."""
    assert message.startswith(start) and message.count("\n") == 1 and message.endswith("\n"), message
    return message


def public_dataset(name: str) -> Dataset:
    """Return a public data set that is stored here; skip the test without it."""
    if not any(place.is_file() for place in places(f"{name}.npz")):
        pytest.skip(f"{name} is not in INKLING_DATA or the cache")
    return load(name)


def main(*arguments: object, module: str = "train") -> int:
    """Run `python -m train` or `python -m export` in this process; return the exit status."""
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        return main_of({"train": TRAIN, "export": EXPORT}[module], f"python -m {module}", [*map(str, arguments)])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def fails(capsys: pytest.CaptureFixture[str], message: str, *arguments: object, module: str = "train") -> None:
    """Assert that the command fails with this message in its only line."""
    capsys.readouterr()
    assert main(*arguments, module=module) == 1
    line = one_line(capsys.readouterr().err, "inkling: ")
    assert message in line, line


def changed(config: Path, folder: Path, old: str, new: str) -> Path:
    """Copy a config to `folder` with `old`, which it must contain, replaced."""
    text = config.read_text()
    assert old in text
    file = folder / "changed.toml"
    file.write_text(text.replace(old, new, 1))
    return file
