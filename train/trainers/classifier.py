"""Training of a base classifier, which the split codecs split after its stem."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.classifiers.architectures import Classifier, build_configured
from train.compute_device import device_of
from train.config import ClassifierConfig
from train.data.augment import as_input
from train.data.datasets import Dataset
from train.errors import TrainError
from train.run_files import load_tensors, load_weights, read_best
from train.trainers.optimizer import Phase
from train.trainers.resuming import check_data
from train.trainers.trainer import Trainer


class ClassifierTrainer(Trainer[ClassifierConfig, Classifier]):
    """Trainer of a base classifier: cross-entropy on augmented images, without a channel."""

    def build(self) -> Classifier:
        """Build the architecture for the images and classes of the data set."""
        if self.config.checkpoint:
            raise TrainError(f"{self.config.name} has a checkpoint: there is nothing to train")
        return build_configured(self.config, len(self.data.classes), self.data.x_train.shape[3])

    def loss(self, images: Tensor, index: Tensor, phase: Phase, rng: np.random.Generator) -> Tensor:
        """Return the cross-entropy."""
        smoothing = self.config.schedule.label_smoothing
        return F.cross_entropy(self.state.model(images), self.labels[index], label_smoothing=smoothing)

    def saved_weights(self, model: Classifier) -> dict[str, Tensor]:
        """Return the weights in half precision: half the size, and all that a classifier needs."""
        return {name: part.half() if part.is_floating_point() else part for name, part in model.state_dict().items()}

    def evaluate(self, model: Classifier, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Return the accuracy of the saved weights, under BER 0 as there is no channel."""
        rounded = copy.deepcopy(model)
        rounded.load_state_dict(self.saved_weights(model))
        return {"0": accuracy(rounded, images, labels)}

    def score(self, accuracies: dict[str, float]) -> float:
        """Return the held-out accuracy."""
        return accuracies["0"]


def accuracy(model: nn.Module, images: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of the images uint8 (N, H, W, C) that are correctly classified."""
    return float(correct(model, images, labels).mean())


@torch.no_grad()
def correct(model: nn.Module, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return bool (N,): images uint8 (N, H, W, C) that a model of images in [0, 1] classifies correctly."""
    model.eval()
    parts = torch.from_numpy(images).split(500)
    predicted = [model(as_input(part).to(device_of(model))).argmax(1).cpu().numpy() for part in parts]
    return np.concatenate(predicted) == labels


def load_classifier(folder: Path, data: Dataset) -> tuple[Classifier, ClassifierConfig, dict[str, Any]]:
    """Load a finished run: the classifier in evaluation mode, its config, and the record of best.pt.

    Raises TrainError if the run is not finished, or was trained on other data.
    """
    config = ClassifierConfig.from_run(folder)
    saved = read_best(folder, "last epoch")
    check_data(folder, data)
    return _with_weights(config, data, saved, folder / "best.pt"), config, saved


def load_pretrained(file: Path, config: ClassifierConfig, data: Dataset) -> Classifier | None:
    """Load the classifier of a copied best.pt, in evaluation mode; None if its run had another config."""
    saved = load_tensors(file)
    if not isinstance(saved, dict) or not {"config", "model"} <= saved.keys():
        raise TrainError(f"{file} is not the best.pt of a base classifier's run")
    if ClassifierConfig.from_dict(saved["config"], f"{file}: config") != config:
        return None
    return _with_weights(config, data, saved, file)


def _with_weights(config: ClassifierConfig, data: Dataset, saved: dict[str, Any], file: Path) -> Classifier:
    model = build_configured(config, len(data.classes), data.x_train.shape[3])
    load_weights(model, saved["model"], file)
    return model.eval()
