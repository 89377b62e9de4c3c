"""Split codecs on MobileNetV2's own stem, trained on a few images and exported, in seconds."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from torch import nn

from export import pipeline
from tests.support import train as train_support
from tests.support.once import made_once
from train.classifiers import architectures as classifiers
from train.config import runs as train_config
from train.data import datasets
from train.trainers import split as split_trainer
from train.trainers.split import SplitConfig, SplitTrainer
from wire import bundle

N_IMAGES = 10  # one of each class
DATA = """
[data]
name = "npz:{npz}"
holdout = 32
crop_padding = 0
flip = false
"""
BASE = """
architecture = "short"
[schedule]
epochs = 4
batch = 32
lr = 1e-2
warmup_epochs = 0.2
"""


class ExportedSplit(NamedTuple):
    """A run's folder and config, its bundle with the golden file, the output of the export."""

    run: Path
    config: SplitConfig
    bundle: bundle.Bundle
    golden: dict[str, np.ndarray]
    output: str


def short_mobilenet_v2(classes: int) -> classifiers.Classifier:
    """Return MobileNetV2's stem and its first blocks, which learn in seconds."""
    whole = classifiers.build("mobilenet_v2", classes)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, classes))
    return classifiers.Classifier(whole.stem, list(whole.blocks[:3]), head)


@contextlib.contextmanager
def exported(tmp_path_factory: pytest.TempPathFactory, system: str, options: str = "") -> Iterator[ExportedSplit]:
    """A run of seconds of a split codec on a few images, which it learns by heart, and its bundle."""

    def make(folder: Path) -> None:
        images, labels = (part[:N_IMAGES] for part in train_support.golden())
        data = DATA.format(npz=train_support.write_npz(folder / "few.npz", images, labels, copies=40))
        (folder / "base.toml").write_text(BASE + data)
        text = train_support.SPLIT_CONFIG.format(
            system=system, base=folder / "base.toml", options=options, epochs=6, qat_epochs=1, lr=5e-3
        )
        (folder / "few.toml").write_text(text + data)
        config = SplitConfig.load(folder / "few.toml")
        (folder / "scratch").mkdir()
        patch.setattr(split_trainer, "RUNS", folder / "runs")
        with contextlib.redirect_stdout(io.StringIO()) as output:
            SplitTrainer(config, datasets.load(config.data.name), folder / "run").run()
            pipeline.export(folder / "run", folder / "bundle", N_IMAGES, folder / "scratch")
        (folder / "output.txt").write_text(output.getvalue())

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(classifiers.ARCHITECTURES, "short", short_mobilenet_v2)
        patch.setattr(train_config, "CLASSIFIERS", (*train_config.CLASSIFIERS, "short"))
        folder = made_once(tmp_path_factory, system, make)
        loaded = bundle.load(folder / "bundle")
        with np.load(loaded.golden_path) as golden:
            yield ExportedSplit(
                folder / "run",
                SplitConfig.load(folder / "few.toml"),
                loaded,
                dict(golden),
                (folder / "output.txt").read_text(),
            )
