"""The training loop: float epochs, then quantization-aware epochs on the folded encoder; resumes after each epoch."""

import copy
import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train import evaluate
from train.augment import Views, as_input
from train.codecs.codec import Codec
from train.config import Config, from_dict
from train.datasets import Dataset
from train.errors import TrainError
from train.fakequant import calibrate
from train.files import read
from train.link import draw
from train.progress import Progress
from train.teacher import SoftLabels

CALIBRATION_IMAGES = 500
EVALUATE_EVERY = 4  # float epochs; int8 epochs are evaluated one by one, since one of them is chosen


@dataclass
class State:
    """Everything that a checkpoint holds."""

    model: Codec
    average: Codec  # exponential moving average of the weights: the one that is evaluated and exported
    optimizer: torch.optim.Optimizer
    epoch: int = 0  # epochs done
    best_score: float = -1.0


def split(data: Dataset, holdout: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training images: (to train on, held out for model selection)."""
    if not 0 < holdout < len(data.x_train):
        raise TrainError(f"data.holdout = {holdout}, but there are {len(data.x_train)} training images")
    order = np.random.default_rng([seed, 0]).permutation(len(data.x_train))
    return np.sort(order[holdout:]), np.sort(order[:holdout])


def _optimizer(model: nn.Module, weight_decay: float) -> torch.optim.Optimizer:
    # Decay only what multiplies features: not biases, norms, priors, centres.
    decayed = [p for p in model.parameters() if p.ndim in (2, 4) and p.numel() > 256]
    chosen = {id(p) for p in decayed}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.99))


@torch.no_grad()
def _update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    for kept, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


class Run:
    """One run in its folder: `config.json`, `checkpoint.pt`, `best.pt`, `log.jsonl`."""

    def __init__(self, config: Config, data: Dataset, folder: Path) -> None:
        self.config, self.data, self.folder = config, data, folder
        self._refuse_another_config()
        torch.manual_seed(config.seed)
        train, held = split(data, config.data.holdout, config.seed)
        self.x_held, self.y_held = data.x_train[held], data.y_train[held]
        self.labels = torch.from_numpy(data.y_train[train])
        self.views = Views(data.x_train[train], config.data, config.seed)
        self.calibration = as_input(torch.from_numpy(data.x_train[train[:CALIBRATION_IMAGES]]))
        shape = data.x_train.shape[1:]
        model = Codec(config, (shape[0], shape[1], shape[2]), len(data.classes))
        model = model.to(memory_format=torch.channels_last)
        self.state = State(model, copy.deepcopy(model), _optimizer(model, config.schedule.weight_decay))
        self.steps_per_epoch = len(train) // config.schedule.batch
        if self.steps_per_epoch < 1:
            raise TrainError(f"{len(train)} training images do not fill one batch of {config.schedule.batch}")
        self.total_epochs = config.schedule.epochs + config.schedule.qat_epochs
        if config.teacher and shape[2] != 3:
            raise TrainError(f"the teacher takes colour pictures, and these have {shape[2]} channel")
        folder.mkdir(parents=True, exist_ok=True)
        self.soft_labels = (
            SoftLabels(config.teacher, len(train), len(data.classes), folder / "teacher.npy")
            if config.teacher
            else None
        )
        # Last: a config that turned out wrong above leaves no claim on the folder.
        (folder / "config.json").write_text(json.dumps(config.as_dict(), indent=1) + "\n")

    def _refuse_another_config(self) -> None:
        if (self.folder / "config.json").exists() and load_config(self.folder) != self.config:
            raise TrainError(f"{self.folder} holds a run of another config; give --out another folder")

    def resume(self) -> bool:
        """Go on from the last checkpoint; False when there is none."""
        file = self.folder / "checkpoint.pt"
        if not file.exists():
            return False
        saved = read(file)
        if saved["epoch"] > self.config.schedule.epochs:
            self._start_quantization()
        s = self.state
        _fill(s.model, saved["model"], file)
        _fill(s.average, saved["average"], file)
        s.optimizer.load_state_dict(saved["optimizer"])
        s.epoch, s.best_score = saved["epoch"], saved["best_score"]
        return True

    def train(self) -> None:
        """Run what remains of the epochs."""
        with Progress(self.total_epochs, self.steps_per_epoch, self.state.epoch) as progress:
            while self.state.epoch < self.total_epochs:
                if self.state.epoch == self.config.schedule.epochs:
                    self._start_quantization()
                started = time.monotonic()
                loss = self._epoch(progress)
                self.state.epoch += 1
                figures = self._evaluate() if self._due() else {}
                self._save(figures)
                record = {
                    "epoch": self.state.epoch,
                    "loss": round(loss, 4),
                    "seconds": round(time.monotonic() - started, 1),
                }
                with (self.folder / "log.jsonl").open("a") as log:
                    log.write(json.dumps({**record, "held_out": figures}) + "\n")
                progress.epoch_done(self.state.epoch, loss, figures, self.state.epoch > self.config.schedule.epochs)

    @property
    def quantizing(self) -> bool:
        """True in the quantization-aware epochs."""
        return self.state.epoch >= self.config.schedule.epochs

    def _start_quantization(self) -> None:
        # Go on from the average, the better model, with batch norm merged as the board will have it.
        s = self.state
        s.average.encoder.fold()
        s.model = copy.deepcopy(s.average)
        s.optimizer = _optimizer(s.model, self.config.schedule.weight_decay)

    def _learning_rate(self, step: int) -> float:
        c = self.config.schedule
        if self.quantizing:
            done = step / (c.qat_epochs * self.steps_per_epoch)
            return c.qat_lr * 0.5 * (1 + math.cos(math.pi * done))
        warmup = max(1, round(c.warmup_epochs * self.steps_per_epoch))
        if step < warmup:
            return c.lr * (step + 1) / warmup
        done = (step - warmup) / max(1, c.epochs * self.steps_per_epoch - warmup)
        # Not to zero: quantization-aware training goes on from here, at qat_lr.
        floor = min(c.qat_lr / c.lr, 1.0)
        return c.lr * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)))

    def _epoch(self, progress: Progress) -> float:
        s, c = self.state, self.config
        torch.manual_seed(c.seed * 100_003 + s.epoch)
        rng = np.random.default_rng([c.seed, 3, s.epoch])
        view = s.epoch % c.teacher.views if c.teacher else s.epoch
        self.views.choose(view)
        if self.quantizing:
            calibrate(s.model.encoder, self.calibration)
        s.model.train()
        order = torch.from_numpy(rng.permutation(len(self.views)))
        first = c.schedule.epochs if self.quantizing else 0
        total = 0.0
        for number in range(self.steps_per_epoch):
            index = order[number * c.schedule.batch : (number + 1) * c.schedule.batch]
            rate = self._learning_rate((s.epoch - first) * self.steps_per_epoch + number)
            for group in s.optimizer.param_groups:
                group["lr"] = rate
            loss = self._step(number, index, view, rng)
            total += loss
            if not math.isfinite(loss):
                raise TrainError(f"the loss is {loss} in epoch {s.epoch + 1}: lower schedule.lr")
            progress.step(loss)
        return total / self.steps_per_epoch

    def _step(self, number: int, index: Tensor, view: int, rng: np.random.Generator) -> float:
        s, c = self.state, self.config
        pictures = self.views.batch(index)
        link = draw(c.link, len(index), s.model.symbols, s.model.quantizer.bits, rng)
        logits = s.model(pictures, link.flips, link.missing, link.told_ber)
        loss = F.cross_entropy(logits, self.labels[index], label_smoothing=c.schedule.label_smoothing)
        if self.soft_labels is not None and c.teacher is not None:
            teacher = self.soft_labels.logits(view, index, pictures)
            loss = (1 - c.teacher.weight) * loss + c.teacher.weight * self.soft_labels.loss(logits, teacher)
        s.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(s.model.parameters(), 2.0)
        s.optimizer.step()
        # A young average must not remember the random start: its memory grows with its age.
        age = s.epoch * self.steps_per_epoch + number
        _update_average(s.average, s.model, min(c.schedule.ema, (1 + age) / (10 + age)))
        return loss.item()

    def _due(self) -> bool:
        return self.state.epoch > self.config.schedule.epochs or self.state.epoch % EVALUATE_EVERY == 0

    def _evaluate(self) -> dict[str, float]:
        average = self.state.average
        # epoch counts epochs done: the ranges are quantized once the folded encoder has been trained.
        if self.state.epoch > self.config.schedule.epochs:
            calibrate(average.encoder, self.calibration)
        return evaluate.summary(average, self.x_held, self.y_held, self.config.link.chunks)

    def _save(self, figures: dict[str, float]) -> None:
        s = self.state
        if s.epoch > self.config.schedule.epochs and evaluate.score(figures) > s.best_score:
            s.best_score = evaluate.score(figures)
            _write(self.folder / "best.pt", {"model": s.average.state_dict(), "epoch": s.epoch, "held_out": figures})
        _write(
            self.folder / "checkpoint.pt",
            {
                "model": s.model.state_dict(),
                "average": s.average.state_dict(),
                "optimizer": s.optimizer.state_dict(),
                "epoch": s.epoch,
                "best_score": s.best_score,
            },
        )


def _write(file: Path, content: dict[str, Any]) -> None:
    part = file.with_suffix(".part")
    torch.save(content, part)
    os.replace(part, file)  # an interrupted write leaves the last checkpoint whole


def _fill(model: nn.Module, saved: dict[str, Tensor], file: Path) -> None:
    try:
        model.load_state_dict(saved)
    except RuntimeError:  # same config, other data
        raise TrainError(f"{file} does not fit the data set: other classes, or another size of picture?") from None


def load_config(folder: Path) -> Config:
    """The config of a run's folder."""
    file = folder / "config.json"
    try:
        return from_dict(json.loads(file.read_text()), str(file))
    except (OSError, ValueError) as error:
        raise TrainError(f"{folder} is no run: {error}") from None


def load_best(folder: Path, config: Config, data: Dataset) -> tuple[Codec, Tensor, dict[str, Any]]:
    """A finished run -> codec (folded, ranges calibrated, evaluating), calibration images, best.pt's record.

    Raises TrainError when the run has not reached its quantization-aware epochs.
    """
    try:
        saved = read(folder / "best.pt")
    except FileNotFoundError:
        raise TrainError(f"{folder} has no best.pt: the run has not reached its int8 epochs yet") from None
    shape = data.x_train.shape[1:]
    codec = Codec(config, (shape[0], shape[1], shape[2]), len(data.classes))
    codec.encoder.fold()
    _fill(codec, saved["model"], folder / "best.pt")
    codec.eval()
    train, _ = split(data, config.data.holdout, config.seed)
    calibration = as_input(torch.from_numpy(data.x_train[train[:CALIBRATION_IMAGES]]))
    calibrate(codec.encoder, calibration)
    return codec, calibration, saved
