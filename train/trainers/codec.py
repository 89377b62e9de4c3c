"""Inkling's own training: float epochs, then quantization-aware epochs on the folded encoder."""

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from train import evaluate
from train.classifiers.teacher import SoftLabels
from train.codecs.codec import Codec
from train.codecs.fakequant import calibrate
from train.config import CodecConfig, from_dict
from train.data.datasets import Dataset
from train.errors import TrainError
from train.impairment import draw
from train.trainers.run_files import fill, read_best, saved_config
from train.trainers.trainer import Phase, Trainer, calibration_images, split


class CodecTrainer(Trainer[CodecConfig, Codec]):
    """Encoder, quantizer, decoder and classifier together, through a channel that flips bits and cuts payloads."""

    parse = staticmethod(from_dict)

    def build(self) -> Codec:
        """Inkling's codec for the data set's pictures."""
        shape = self.data.x_train.shape[1:]
        if self.config.teacher and shape[2] != 3:
            raise TrainError(f"the teacher takes colour pictures, and these have {shape[2]} channel")
        return Codec(self.config, (shape[0], shape[1], shape[2]), len(self.data.classes))

    def prepare(self) -> None:
        """The teacher and the file of its soft labels."""
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

    def view(self) -> int:
        """The teacher's labels are kept for some views only."""
        return self.state.epoch % self.config.teacher.views if self.config.teacher else self.state.epoch

    def loss(self, pictures: Tensor, index: Tensor, phase: Phase, rng: np.random.Generator) -> Tensor:
        """Cross-entropy, mixed with the divergence from the teacher's soft labels."""
        s, c = self.state, self.config
        link = draw(c.link, len(index), s.model.n_symbols, s.model.quantizer.bits, rng).to(self.device)
        logits = s.model(pictures, link.flips, link.missing, link.given_ber)
        loss = F.cross_entropy(logits, self.labels[index], label_smoothing=c.schedule.label_smoothing)
        if self.soft_labels is not None and c.teacher is not None:
            teacher = self.soft_labels.logits(self.view(), index, pictures)
            loss = (1 - c.teacher.weight) * loss + c.teacher.weight * self.soft_labels.loss(logits, teacher)
        return loss

    def evaluate(self, model: Codec) -> dict[str, float]:
        """Held-out accuracy by BER and prefix."""
        return evaluate.summary(model, self.x_held, self.y_held, self.config.link.chunks)

    def score(self, figures: dict[str, float]) -> float:
        """The mean of clean, noisy and prefix accuracies."""
        return evaluate.score(figures)


def load_config(folder: Path) -> CodecConfig:
    """The config of a run's folder."""
    return from_dict(saved_config(folder), str(folder / "config.json"))


def load_best(folder: Path, config: CodecConfig, data: Dataset) -> tuple[Codec, Tensor, dict[str, Any]]:
    """A finished run -> codec (folded, ranges calibrated, evaluating), calibration images, best.pt's record.

    Raises TrainError when the run has not reached its quantization-aware epochs.
    """
    saved = read_best(folder, "int8 epochs")
    shape = data.x_train.shape[1:]
    codec = Codec(config, (shape[0], shape[1], shape[2]), len(data.classes))
    codec.encoder.fold()
    fill(codec, saved["model"], folder / "best.pt")
    codec.eval()
    train, _ = split(data, config.data.holdout)
    calibration = calibration_images(data, train)
    calibrate(codec.encoder, calibration)
    return codec, calibration, saved
