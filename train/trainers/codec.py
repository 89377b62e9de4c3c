"""Training of Inkling's own codec: float epochs, then quantization-aware epochs on the folded encoder."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from train import evaluate, parallel
from train.classifiers.teacher import SoftLabels
from train.codecs.codec import Codec, GeneralCodec
from train.codecs.fakequant import calibrate
from train.config import CodecConfig, GeneralConfig, LatentRunConfig
from train.data.augment import Views
from train.data.datasets import Dataset, cache_dir
from train.data.sampling import split_holdout
from train.errors import TrainError
from train.impairment import draw_impairment
from train.run_files import load_weights, read_best
from train.temperature import fit_temperature
from train.trainers.int8 import calibration_images
from train.trainers.optimizer import Phase
from train.trainers.resuming import check_data
from train.trainers.trainer import Trainer

BOARD = "board"  # phase that trains the trunk and the answer head alone
BALANCE = "balance"  # phase of the table [balance]


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
        self.soft_labels: SoftLabels | None = None
        if self.config.teacher:
            file = soft_labels_file(self.config, self.views)
            with parallel.first_alone():
                self.soft_labels = SoftLabels(self.config.teacher, len(self.views), self.data, file, self.device)

    def view_number(self) -> int:
        """Return the view of the next epoch. With a teacher they repeat, as its logits are kept for some views only."""
        return self.state.epoch % self.config.teacher.views if self.config.teacher else self.state.epoch

    def phases(self) -> list[Phase]:
        """Return the epochs of the board alone, those of the whole codec, those of [balance], and the int8 epochs."""
        s, balance, phases = self.config.schedule, self.config.balance, super().phases()
        if self.is_board_alone:
            return phases
        if s.board_epochs:
            end_lr = min(s.qat_lr, s.board_lr)
            phases.insert(0, Phase(BOARD, s.board_epochs, s.board_lr, end_lr, s.warmup_epochs))
        if balance:
            phases.insert(-1, Phase(BALANCE, balance.epochs, balance.lr, min(s.qat_lr, balance.lr), s.warmup_epochs))
        return phases

    @property
    def is_board_alone(self) -> bool:
        """The encoder has an answer head and no latent head."""
        return not self.state.model.heads

    def loss(self, images: Tensor, index: Tensor, phase: Phase, rng: np.random.Generator) -> Tensor:
        """Return the loss of the host's logits and of the board's, each with the teacher's part."""
        model, c = self.state.model, self.config
        teacher = None
        if self.soft_labels is not None:
            teacher = self.soft_labels.logits(self.view_number(), index, images)
        if phase.name == BOARD or self.is_board_alone:
            return self._distilled(model.board_logits(images), index, teacher)
        link, answer_weight = c.link, c.answer_weight
        if c.balance and (phase.name == BALANCE or phase.int8):
            link, answer_weight = replace(link, prefix_share=c.balance.prefix_share), c.balance.answer_weight
        bits = model.quantizer.bits
        impairment = draw_impairment(link, len(index), model.n_symbols, bits, rng, model.has_answer)
        outputs = model(images, impairment.to(self.device))
        loss = self._distilled(outputs.host, index, teacher)
        if outputs.board is not None:
            loss = loss + answer_weight * self._distilled(outputs.board, index, teacher)
        return loss

    def _distilled(self, logits: Tensor, index: Tensor, teacher: Tensor | None) -> Tensor:
        """Return the cross-entropy, mixed with the divergence from the teacher's soft labels (B, classes)."""
        c = self.config
        loss = F.cross_entropy(logits, self.labels[index], label_smoothing=c.schedule.label_smoothing)
        if teacher is None or self.soft_labels is None or c.teacher is None:
            return loss
        return (1 - c.teacher.weight) * loss + c.teacher.weight * self.soft_labels.loss(logits, teacher)

    def adapt(self, model: Codec) -> None:
        """Fit the temperature of the board's confidence, in training too."""
        if model.has_answer:
            logits = evaluate.board_logits(model, self.x_held)
            temperature = fit_temperature(logits, torch.from_numpy(self.y_held))
            for codec in (model, self.state.model):
                codec.temperature.fill_(temperature)

    def evaluate(self, model: Codec, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Return the accuracies by BER and by prefix, and the board's own."""
        board = {}
        if model.has_answer:
            logits = evaluate.board_logits(model, images)
            board = {"board": float((logits.argmax(1).numpy() == labels).mean())}
        if self.is_board_alone or self._phase_after(self.state.epoch - 1)[1].name == BOARD:
            return board
        return evaluate.accuracies(model, images, labels, model.chunks) | board

    def score(self, accuracies: dict[str, float]) -> float:
        """Return the mean of the clean, noisy and prefix accuracies, and of the board's."""
        return evaluate.score(accuracies)


def soft_labels_file(config: CodecConfig, views: Views) -> Path:
    """Return the file of the teacher's logits, in the cache: runs with equal images, views and teacher share it."""
    assert config.teacher is not None
    digest = hashlib.sha256(config.teacher.find().read_bytes())
    digest.update(views.padded.numpy().tobytes())
    digest.update(repr((config.teacher.depth, config.teacher.views, views.flip, views.seed)).encode())
    folder = cache_dir() / "soft_labels"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{digest.hexdigest()[:16]}.npy"


def load_codec(
    folder: Path, config: LatentRunConfig, data: Dataset, outputs: int | None = None
) -> tuple[Codec, Tensor, dict[str, Any]]:
    """Load a finished run: the codec in evaluation mode, the calibration images, and the record of best.pt.

    outputs: number of values that the decoder gives; by default one for each class.

    The codec is folded and its int8 ranges are calibrated. Raises TrainError if the run has not reached its
    quantization-aware epochs, or was trained on other data.
    """
    saved = read_best(folder, "int8 epochs")
    check_data(folder, data)
    height, width, channels = data.x_train.shape[1:]
    kind = GeneralCodec if isinstance(config, GeneralConfig) else Codec
    codec = kind(config, (height, width, channels), outputs or len(data.classes))
    codec.encoder.fold()
    load_weights(codec, saved["model"], folder / "best.pt")
    codec.eval()
    train, _ = split_holdout(data, config.data.holdout)
    calibration = calibration_images(data, train)
    calibrate(codec.encoder, calibration)
    return codec, calibration, saved
