"""Training of a base classifier, which the systems of train/codecs split behind its stem."""

import copy
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train import settings
from train.classifiers.architectures import ARCHITECTURES, Classifier, build
from train.config import DataConfig, ScheduleConfig, data_rules, schedule_rules
from train.data.augment import as_input
from train.data.datasets import Dataset
from train.errors import TrainError
from train.trainers.compute_device import of
from train.trainers.run_files import fill, read, read_best, saved_config
from train.trainers.trainer import Phase, Trainer


@dataclass(frozen=True)
class ClassifierConfig:
    """All of one base classifier's training."""

    name: str
    data: DataConfig
    architecture: str
    schedule: ScheduleConfig
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, for JSON."""
        return dataclasses.asdict(self)


def from_dict(values: object, where: str = "config") -> ClassifierConfig:
    """A checked `ClassifierConfig` from plain dictionaries, as `as_dict` gives them."""
    config = settings.build(ClassifierConfig, values, where)
    settings.check(
        {
            **settings.name_and_seed(config),
            **data_rules(config.data),
            f"architecture must be one of {', '.join(ARCHITECTURES)}": config.architecture in ARCHITECTURES,
            "schedule.qat_epochs is for codecs: a classifier stays on the host": config.schedule.qat_epochs == 0,
            **schedule_rules(config.schedule),
        },
        where,
    )
    return config


def load(path: Path) -> ClassifierConfig:
    """Read and check a TOML config; a `TrainError` of one line names what is wrong and where."""
    return from_dict(settings.read(path), str(path))


class ClassifierTrainer(Trainer[ClassifierConfig, Classifier]):
    """Cross-entropy on augmented pictures; no channel."""

    parse = staticmethod(from_dict)

    def build(self) -> Classifier:
        """The architecture, for the data set's classes."""
        channels = self.data.x_train.shape[3]
        if channels != 3:
            raise TrainError(f"base classifiers take colour pictures, and these have {channels} channel")
        return build(self.config.architecture, len(self.data.classes))

    def loss(self, pictures: Tensor, index: Tensor, phase: Phase, rng: np.random.Generator) -> Tensor:
        """Cross-entropy."""
        smoothing = self.config.schedule.label_smoothing
        return F.cross_entropy(self.state.model(pictures), self.labels[index], label_smoothing=smoothing)

    def kept(self, model: Classifier) -> dict[str, Tensor]:
        """Weights in half precision: half the size for a repository, and all that a classifier needs."""
        return {name: part.half() if part.is_floating_point() else part for name, part in model.state_dict().items()}

    def evaluate(self, model: Classifier) -> dict[str, float]:
        """Held-out accuracy of what is kept; there is no channel, hence BER 0."""
        rounded = copy.deepcopy(model)
        rounded.load_state_dict(self.kept(model))
        return {"0": accuracy(rounded, self.x_held, self.y_held)}

    def score(self, figures: dict[str, float]) -> float:
        """Held-out accuracy."""
        return figures["0"]


def accuracy(model: nn.Module, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of images uint8 (N, H, W, C) classified rightly."""
    return float(right(model, images, labels).mean())


@torch.no_grad()
def right(model: nn.Module, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which images uint8 (N, H, W, C) a model of pictures in [0, 1] classifies rightly, bool (N,)."""
    model.eval()
    parts = torch.from_numpy(images).split(500)
    found = [model(as_input(part).to(of(model))).argmax(1).cpu().numpy() for part in parts]
    return np.concatenate(found) == labels


def load_classifier(folder: Path, data: Dataset) -> tuple[Classifier, ClassifierConfig, dict[str, Any]]:
    """A finished run -> classifier (evaluating), its config, best.pt's record. Raises TrainError without one."""
    config = from_dict(saved_config(folder), str(folder / "config.json"))
    saved = read_best(folder, "last epoch")
    return _filled(config, data, saved, folder / "best.pt"), config, saved


def load_shipped(file: Path, config: ClassifierConfig, data: Dataset) -> Classifier | None:
    """The classifier (evaluating) in a copy of a run's best.pt; None where that run had another config."""
    saved = read(file)
    if not isinstance(saved, dict) or not {"config", "model"} <= saved.keys():
        raise TrainError(f"{file} is no best.pt of a base classifier's run")
    if from_dict(saved["config"], f"{file}: config") != config:
        return None
    return _filled(config, data, saved, file)


def _filled(config: ClassifierConfig, data: Dataset, saved: dict[str, Any], file: Path) -> Classifier:
    model = build(config.architecture, len(data.classes))
    fill(model, saved["model"], file)
    return model.eval()
