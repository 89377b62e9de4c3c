"""The trainer of every run: phases of epochs, learning rate, averaged weights, checkpoints, log.

A subclass defines the model and its loss. A run can be resumed after each epoch.
"""

import copy
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from train.codecs.encoder import ConvEncoder
from train.codecs.fakequant import calibrate
from train.compute_device import CPU, autocast, device_name, has_fast_bf16
from train.config import RunConfig, held_out_count, steps_per_epoch
from train.data.augment import Views, as_input
from train.data.datasets import Dataset
from train.data.sampling import CALIBRATION, SPLIT, stratified
from train.errors import TrainError
from train.run_files import load_tensors, load_weights, save_tensors
from train.trainers.optimizer import Phase, adamw, update_average
from train.trainers.progress import Progress

CALIBRATION_IMAGES = 500
EVALUATE_EVERY = 4  # epochs; epochs that may become best.pt are all evaluated

C = TypeVar("C", bound=RunConfig)
M = TypeVar("M", bound=nn.Module)


@dataclass
class State(Generic[M]):
    """Everything that a checkpoint holds."""

    model: M
    average: M  # exponential moving average of the weights, which is evaluated and exported
    optimizer: torch.optim.Optimizer
    epoch: int = 0  # finished epochs
    best_score: float = -1.0


def split_holdout(data: Dataset, holdout: int | float) -> tuple[np.ndarray, np.ndarray]:
    """Split the training images into sorted indices (to train on, held out for model selection), by class.

    The split is the same for every run on the data, whatever its seed, and a smaller holdout is part of a larger one:
    a base classifier has not seen the images that a split codec with the same holdout holds out.
    """
    count = held_out_count(holdout, len(data.x_train))
    order = stratified(data.y_train, len(data.y_train), SPLIT)
    return np.sort(order[count:]), np.sort(order[:count])


def calibration_images(data: Dataset, train: np.ndarray) -> Tensor:
    """Return the training images (N, C, H, W) over which int8 ranges are measured, here and by the converter."""
    chosen = train[stratified(data.y_train[train], CALIBRATION_IMAGES, CALIBRATION)]
    return as_input(torch.from_numpy(data.x_train[chosen]))


def int8_encoder(model: nn.Module) -> ConvEncoder:
    """Return the encoder of a codec with int8 epochs."""
    encoder = model.get_submodule("encoder")
    if not isinstance(encoder, ConvEncoder):
        raise TypeError(f"{type(model).__name__} has no int8 encoder")
    return encoder


class Trainer(ABC, Generic[C, M]):
    """Trainer of one run in its folder: `config.json`, `checkpoint.pt`, `best.pt`, `log.jsonl`."""

    def __init__(self, config: C, data: Dataset, folder: Path, device: torch.device = CPU) -> None:
        self.config, self.data, self.folder, self.device = config, data, folder, device
        self.bf16 = has_fast_bf16(device)
        self._refuse_another_config()
        torch.manual_seed(config.seed)
        train, held = split_holdout(data, config.data.holdout)
        self.x_held, self.y_held = data.x_train[held], data.y_train[held]
        self.labels = torch.from_numpy(data.y_train[train]).to(device)
        self.views = Views(data.x_train[train], config.data, config.seed)
        self.calibration = calibration_images(data, train).to(device)
        model = self.build().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.state: State[M] = State(model, copy.deepcopy(model), adamw(model, config.schedule.weight_decay))
        self.steps_per_epoch = steps_per_epoch(len(train), config.schedule.batch)
        self.plan = self.phases()
        self.total_epochs = sum(phase.epochs for phase in self.plan)
        folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        # Written last: a config that fails above must not claim the folder.
        (folder / "config.json").write_text(json.dumps(config.as_dict(), indent=1) + "\n")

    @abstractmethod
    def build(self) -> M:
        """Build the model, freshly initialised."""

    @abstractmethod
    def loss(self, images: Tensor, index: Tensor, phase: Phase, rng: np.random.Generator) -> Tensor:
        """Return the loss of one batch: images (B, C, H, W) in [0, 1], a view of training images `index` (B,)."""

    @abstractmethod
    def evaluate(self, model: M) -> dict[str, float]:
        """Return accuracies on the held-out images, by name."""

    @abstractmethod
    def score(self, accuracies: dict[str, float]) -> float:
        """Return the number that model selection maximises."""

    def phases(self) -> list[Phase]:
        """Return the float epochs and the int8 epochs, if any."""
        s = self.config.schedule
        return [Phase("float", s.epochs, s.lr, self._end_lr(), s.warmup_epochs), *self._int8_phases()]

    def prepare(self) -> None:
        """Load or make what else a run needs in its folder."""

    def saved_weights(self, model: M) -> dict[str, Tensor]:
        """Return the weights that best.pt holds; `evaluate` must measure the same."""
        return model.state_dict()

    def view_number(self) -> int:
        """Return the number of the augmented view for the next epoch."""
        return self.state.epoch

    def _end_lr(self) -> float:
        # Quantization-aware epochs continue at qat_lr, so the float epochs do not decay to zero before them.
        s = self.config.schedule
        return min(s.qat_lr, s.lr) if s.qat_epochs else 0.0

    def _int8_phases(self) -> list[Phase]:
        s = self.config.schedule
        return [Phase("int8", s.qat_epochs, s.qat_lr, int8=True)] if s.qat_epochs else []

    def _refuse_another_config(self) -> None:
        if (self.folder / "config.json").exists() and type(self.config).from_run(self.folder) != self.config:
            raise TrainError(f"{self.folder} holds a run of another config; give --out another folder")

    def resume(self) -> bool:
        """Load the last checkpoint; return False if there is none."""
        file = self.folder / "checkpoint.pt"
        if not file.exists():
            return False
        saved = load_tensors(file)
        _, phase = self._phase_after(saved["epoch"] - 1)
        if phase.int8:  # the saved encoder is folded
            self._start(phase)
        s = self.state
        load_weights(s.model, saved["model"], file)
        load_weights(s.average, saved["average"], file)
        s.optimizer.load_state_dict(saved["optimizer"])
        s.epoch, s.best_score = saved["epoch"], saved["best_score"]
        return True

    def run(self) -> None:
        """Resume if there is a checkpoint, then train to the end."""
        if self.resume():
            print(f"resuming after epoch {self.state.epoch} of {self.total_epochs}")
        self.train()

    def train(self) -> None:
        """Train the remaining epochs. Raises TrainError if a GPU runs out of memory."""
        try:
            self._train()
        except torch.OutOfMemoryError:
            raise TrainError("the GPU's memory is full: lower schedule.batch, or try --device cpu") from None

    def _train(self) -> None:
        with Progress(self.total_epochs, self.steps_per_epoch, self.state.epoch) as progress:
            while self.state.epoch < self.total_epochs:
                first, phase = self._phase_after(self.state.epoch)
                if self.state.epoch == first > 0:
                    self._start(phase)
                started = time.monotonic()
                loss = self._train_epoch(first, phase, progress.step)
                self.state.epoch += 1
                held_out = self._evaluate(phase) if self._is_evaluated(phase) else {}
                self._save(held_out, phase)
                record = {
                    "epoch": self.state.epoch,
                    "loss": round(loss, 4),
                    "seconds": round(time.monotonic() - started, 1),
                    "device": device_name(self.device),
                }
                with (self.folder / "log.jsonl").open("a") as log:
                    log.write(json.dumps({**record, "held_out": held_out}) + "\n")
                progress.epoch_done(self.state.epoch, loss, held_out, phase.name)

    def _phase_after(self, epoch: int) -> tuple[int, Phase]:
        """Return the number of epochs before the phase of the next epoch, and that phase; `epoch` ones are finished."""
        first = 0
        for phase in self.plan:
            if epoch < first + phase.epochs:
                return first, phase
            first += phase.epochs
        raise ValueError(f"no epoch follows {epoch}")

    def _start(self, phase: Phase) -> None:
        # A phase starts from the average, the better model; in int8, with batch norm merged as on the board.
        s = self.state
        if phase.int8:
            int8_encoder(s.average).fold()
        s.model = copy.deepcopy(s.average)
        s.optimizer = adamw(s.model, self.config.schedule.weight_decay)

    def _train_epoch(self, first: int, phase: Phase, on_progress: Callable[[float], None]) -> float:
        """Train one epoch of a phase that began after `first` epochs; return the mean loss."""
        s, c = self.state, self.config
        torch.manual_seed(c.seed * 100_003 + s.epoch)
        rng = np.random.default_rng([c.seed, 3, s.epoch])
        self.views.choose(self.view_number())
        if phase.int8:
            calibrate(int8_encoder(s.model), self.calibration)
        s.model.train()
        order = torch.from_numpy(rng.permutation(len(self.views)))
        total = 0.0
        for number in range(self.steps_per_epoch):
            index = order[number * c.schedule.batch : (number + 1) * c.schedule.batch]
            rate = phase.learning_rate((s.epoch - first) * self.steps_per_epoch + number, self.steps_per_epoch)
            for group in s.optimizer.param_groups:
                group["lr"] = rate
            loss = self._train_step(number, index, phase, rng)
            total += loss
            if not math.isfinite(loss):
                raise TrainError(f"the loss is {loss} in epoch {s.epoch + 1}: lower schedule.lr")
            on_progress(loss)
        return total / self.steps_per_epoch

    def _train_step(self, number: int, index: Tensor, phase: Phase, rng: np.random.Generator) -> float:
        s = self.state
        with autocast(self.device, self.bf16):
            loss = self.loss(self.views.batch(index).to(self.device), index, phase, rng)
        s.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(s.model.parameters(), 2.0)
        s.optimizer.step()
        # The decay grows with the number of steps, so that the average forgets the random start.
        age = s.epoch * self.steps_per_epoch + number
        update_average(s.average, s.model, min(self.config.schedule.ema, (1 + age) / (10 + age)))
        return loss.item()

    def _may_be_best(self, phase: Phase) -> bool:
        # Any int8 epoch may be kept; in a run without int8 epochs, the last epoch is.
        return phase.int8 or (not self.plan[-1].int8 and self.state.epoch == self.total_epochs)

    def _is_evaluated(self, phase: Phase) -> bool:
        return self._may_be_best(phase) or self.state.epoch % EVALUATE_EVERY == 0

    def _evaluate(self, phase: Phase) -> dict[str, float]:
        average = self.state.average
        if phase.int8:
            calibrate(int8_encoder(average), self.calibration)
        return self.evaluate(average)

    def _save(self, held_out: dict[str, float], phase: Phase) -> None:
        s = self.state
        if self._may_be_best(phase) and self.score(held_out) > s.best_score:
            s.best_score = self.score(held_out)
            record = {"epoch": s.epoch, "held_out": held_out, "config": self.config.as_dict()}
            save_tensors(self.folder / "best.pt", {"model": self.saved_weights(s.average), **record})
        save_tensors(
            self.folder / "checkpoint.pt",
            {
                "model": s.model.state_dict(),
                "average": s.average.state_dict(),
                "optimizer": s.optimizer.state_dict(),
                "epoch": s.epoch,
                "best_score": s.best_score,
            },
        )
