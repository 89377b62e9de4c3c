"""Training of Inkling's own codec: float epochs, then quantization-aware epochs on the folded encoder."""

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from train import evaluate
from train.classifiers.teacher import SoftLabels
from train.codecs.codec import Codec
from train.codecs.fakequant import calibrate
from train.config import CodecConfig
from train.data.datasets import Dataset
from train.errors import TrainError
from train.impairment import draw_impairment
from train.run_files import load_weights, read_best
from train.trainers.optimizer import Phase
from train.trainers.trainer import Trainer, calibration_images, split_holdout


class CodecTrainer(Trainer[CodecConfig, Codec]):
    """Trainer of encoder, quantizer and decoder together, through a channel that flips bits and cuts payloads."""

    def build(self) -> Codec:
        """Build Inkling's codec for the images of the data set."""
        height, width, channels = self.data.x_train.shape[1:]
        if self.config.teacher and channels != 3:
            raise TrainError(f"the teacher takes colour images, these have {channels} channel")
        return Codec(self.config, (height, width, channels), len(self.data.classes))

    def prepare(self) -> None:
        """Load the teacher and the file of its soft labels."""
        self.soft_labels = (
            SoftLabels(
                self.config.teacher,
                len(self.views),
                len(self.data.classes),
                self.folder / "teacher.npy",
                self.device,
            )
            if self.config.teacher
            else None
        )

    def view_number(self) -> int:
        """Return the view of the next epoch. With a teacher they repeat, as its logits are kept for some views only."""
        return self.state.epoch % self.config.teacher.views if self.config.teacher else self.state.epoch

    def loss(self, images: Tensor, index: Tensor, phase: Phase, rng: np.random.Generator) -> Tensor:
        """Return the cross-entropy, mixed with the divergence from the teacher's soft labels."""
        model, c = self.state.model, self.config
        impairment = draw_impairment(c.link, len(index), model.n_symbols, model.quantizer.bits, rng).to(self.device)
        logits = model(images, impairment.flips, impairment.missing, impairment.given_ber)
        loss = F.cross_entropy(logits, self.labels[index], label_smoothing=c.schedule.label_smoothing)
        if self.soft_labels is not None and c.teacher is not None:
            teacher = self.soft_labels.logits(self.view_number(), index, images)
            loss = (1 - c.teacher.weight) * loss + c.teacher.weight * self.soft_labels.loss(logits, teacher)
        return loss

    def evaluate(self, model: Codec) -> dict[str, float]:
        """Return the held-out accuracies by BER and by prefix."""
        return evaluate.accuracies(model, self.x_held, self.y_held, self.config.link.chunks)

    def score(self, accuracies: dict[str, float]) -> float:
        """Return the mean of the clean, noisy and prefix accuracies."""
        return evaluate.score(accuracies)


def load_codec(folder: Path, config: CodecConfig, data: Dataset) -> tuple[Codec, Tensor, dict[str, Any]]:
    """Load a finished run: the codec in evaluation mode, the calibration images, and the record of best.pt.

    The codec is folded and its int8 ranges are calibrated. Raises TrainError if the run has not reached its
    quantization-aware epochs.
    """
    saved = read_best(folder, "int8 epochs")
    height, width, channels = data.x_train.shape[1:]
    codec = Codec(config, (height, width, channels), len(data.classes))
    codec.encoder.fold()
    load_weights(codec, saved["model"], folder / "best.pt")
    codec.eval()
    train, _ = split_holdout(data, config.data.holdout)
    calibration = calibration_images(data, train)
    calibrate(codec.encoder, calibration)
    return codec, calibration, saved
