"""The training loop of every run: phases of epochs, learning rate, averaged weights, checkpoints, log.

What is trained, and by which loss, a subclass says. A run resumes after each epoch.
"""

import copy
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from train.codecs.fakequant import calibrate
from train.config import DataConfig, ScheduleConfig
from train.data.augment import Views, as_input
from train.data.datasets import Dataset
from train.errors import TrainError
from train.trainers.compute_device import CPU, title
from train.trainers.optimizer import adamw, update_average
from train.trainers.progress import Progress
from train.trainers.run_files import fill, read, saved_config, write

CALIBRATION_IMAGES = 500
EVALUATE_EVERY = 4  # epochs; those of which one is chosen are evaluated one by one


class RunConfig(Protocol):
    """What the loop needs of a config."""

    name: str
    data: DataConfig
    schedule: ScheduleConfig
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """For config.json."""


C = TypeVar("C", bound=RunConfig)
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Phase:
    """Epochs of one objective: linear warm-up to `lr`, then a cosine down to `end_lr`."""

    name: str
    epochs: int
    lr: float
    end_lr: float = 0.0
    warmup_epochs: float = 0.0
    int8: bool = False  # on the encoder with batch norm merged and its values rounded as on the board


@dataclass
class State(Generic[M]):
    """Everything that a checkpoint holds."""

    model: M
    average: M  # exponential moving average of the weights: the one that is evaluated and exported
    optimizer: torch.optim.Optimizer
    epoch: int = 0  # epochs done
    best_score: float = -1.0


def split(data: Dataset, holdout: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training images: (to train on, held out for model selection).

    The same for every run on the data, whatever its seed, and a smaller holdout is part of a larger one: what a system
    holds out, a base classifier with the same holdout has not seen.
    """
    if not 0 < holdout < len(data.x_train):
        raise TrainError(f"data.holdout = {holdout}, but there are {len(data.x_train)} training images")
    order = np.random.default_rng([0, 0]).permutation(len(data.x_train))
    return np.sort(order[holdout:]), np.sort(order[:holdout])


def calibration_images(data: Dataset, train: np.ndarray) -> Tensor:
    """The training images (N, C, H, W) over which int8 ranges are measured, here and by the converter."""
    return as_input(torch.from_numpy(data.x_train[train[:CALIBRATION_IMAGES]]))


class Trainer(ABC, Generic[C, M]):
    """One run in its folder: `config.json`, `checkpoint.pt`, `best.pt`, `log.jsonl`."""

    def __init__(self, config: C, data: Dataset, folder: Path, device: torch.device = CPU) -> None:
        self.config, self.data, self.folder, self.device = config, data, folder, device
        self._refuse_another_config()
        torch.manual_seed(config.seed)
        train, held = split(data, config.data.holdout)
        self.x_held, self.y_held = data.x_train[held], data.y_train[held]
        self.labels = torch.from_numpy(data.y_train[train]).to(device)
        self.views = Views(data.x_train[train], config.data, config.seed)
        self.calibration = calibration_images(data, train).to(device)
        model = self.build().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.state: State[M] = State(model, copy.deepcopy(model), adamw(model, config.schedule.weight_decay))
        self.steps_per_epoch = len(train) // config.schedule.batch
        if self.steps_per_epoch < 1:
            raise TrainError(f"{len(train)} training images do not fill one batch of {config.schedule.batch}")
        self.plan = self.phases()
        self.total_epochs = sum(phase.epochs for phase in self.plan)
        folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        # Last: a config that turned out wrong above leaves no claim on the folder.
        (folder / "config.json").write_text(json.dumps(config.as_dict(), indent=1) + "\n")

    @staticmethod
    @abstractmethod
    def parse(values: object, where: str) -> C:
        """The config that config.json holds, checked."""

    @abstractmethod
    def build(self) -> M:
        """The model, freshly initialised."""

    @abstractmethod
    def loss(self, pictures: Tensor, index: Tensor, phase: Phase, rng: np.random.Generator) -> Tensor:
        """Loss of one batch: pictures (B, C, H, W) in [0, 1], training images `index` (B,) in the chosen view."""

    @abstractmethod
    def evaluate(self, model: M) -> dict[str, float]:
        """Accuracies on the held-out images, by name."""

    @abstractmethod
    def score(self, figures: dict[str, float]) -> float:
        """What model selection maximises."""

    def phases(self) -> list[Phase]:
        """Float epochs, then, where there are any, int8 ones."""
        s = self.config.schedule
        return [Phase("float", s.epochs, s.lr, self._end_lr(), s.warmup_epochs), *self._int8()]

    def prepare(self) -> None:
        """What else a run needs in its folder."""

    def kept(self, model: M) -> dict[str, Tensor]:
        """What best.pt keeps of the model; `evaluate` must measure the same."""
        return model.state_dict()

    def view(self) -> int:
        """Number of the augmented view that the coming epoch sees."""
        return self.state.epoch

    def _end_lr(self) -> float:
        # Not to zero where quantization-aware training goes on from there, at qat_lr.
        s = self.config.schedule
        return min(s.qat_lr, s.lr) if s.qat_epochs else 0.0

    def _int8(self) -> list[Phase]:
        s = self.config.schedule
        return [Phase("int8", s.qat_epochs, s.qat_lr, int8=True)] if s.qat_epochs else []

    def _refuse_another_config(self) -> None:
        file = self.folder / "config.json"
        if file.exists() and self.parse(saved_config(self.folder), str(file)) != self.config:
            raise TrainError(f"{self.folder} holds a run of another config; give --out another folder")

    def resume(self) -> bool:
        """Go on from the last checkpoint; False when there is none."""
        file = self.folder / "checkpoint.pt"
        if not file.exists():
            return False
        saved = read(file)
        _, phase = self._phase(saved["epoch"] - 1)
        if phase.int8:  # its encoder is a folded one
            self._start(phase)
        s = self.state
        fill(s.model, saved["model"], file)
        fill(s.average, saved["average"], file)
        s.optimizer.load_state_dict(saved["optimizer"])
        s.epoch, s.best_score = saved["epoch"], saved["best_score"]
        return True

    def go(self) -> None:
        """Resume where there is something to resume, and train to the end."""
        if self.resume():
            print(f"going on after epoch {self.state.epoch} of {self.total_epochs}")
        self.train()

    def train(self) -> None:
        """Run what remains of the epochs. Raises TrainError where a GPU's memory does not suffice."""
        try:
            self._train()
        except torch.OutOfMemoryError:
            raise TrainError("the GPU's memory is full: lower schedule.batch, or try --device cpu") from None

    def _train(self) -> None:
        with Progress(self.total_epochs, self.steps_per_epoch, self.state.epoch) as progress:
            while self.state.epoch < self.total_epochs:
                first, phase = self._phase(self.state.epoch)
                if self.state.epoch == first > 0:
                    self._start(phase)
                started = time.monotonic()
                loss = self._epoch(first, phase, progress.step)
                self.state.epoch += 1
                figures = self._evaluate(phase) if self._due(phase) else {}
                self._save(figures, phase)
                record = {
                    "epoch": self.state.epoch,
                    "loss": round(loss, 4),
                    "seconds": round(time.monotonic() - started, 1),
                    "device": title(self.device),
                }
                with (self.folder / "log.jsonl").open("a") as log:
                    log.write(json.dumps({**record, "held_out": figures}) + "\n")
                progress.epoch_done(self.state.epoch, loss, figures, phase.name)

    def _phase(self, epoch: int) -> tuple[int, Phase]:
        """The phase of the epoch that follows `epoch` ones, and the number of epochs before it."""
        first = 0
        for phase in self.plan:
            if epoch < first + phase.epochs:
                return first, phase
            first += phase.epochs
        raise ValueError(f"no epoch follows {epoch}")

    def _start(self, phase: Phase) -> None:
        # Go on from the average, the better model, for a board with batch norm merged as it will have it.
        s = self.state
        if phase.int8:
            s.average.encoder.fold()
        s.model = copy.deepcopy(s.average)
        s.optimizer = adamw(s.model, self.config.schedule.weight_decay)

    def _learning_rate(self, phase: Phase, step: int) -> float:
        warmup = round(phase.warmup_epochs * self.steps_per_epoch)
        if step < warmup:
            return phase.lr * (step + 1) / warmup
        done = (step - warmup) / max(1, phase.epochs * self.steps_per_epoch - warmup)
        return phase.end_lr + (phase.lr - phase.end_lr) * 0.5 * (1 + math.cos(math.pi * done))

    def _epoch(self, first: int, phase: Phase, each: Callable[[float], None]) -> float:
        s, c = self.state, self.config
        torch.manual_seed(c.seed * 100_003 + s.epoch)
        rng = np.random.default_rng([c.seed, 3, s.epoch])
        self.views.choose(self.view())
        if phase.int8:
            calibrate(s.model.encoder, self.calibration)
        s.model.train()
        order = torch.from_numpy(rng.permutation(len(self.views)))
        total = 0.0
        for number in range(self.steps_per_epoch):
            index = order[number * c.schedule.batch : (number + 1) * c.schedule.batch]
            rate = self._learning_rate(phase, (s.epoch - first) * self.steps_per_epoch + number)
            for group in s.optimizer.param_groups:
                group["lr"] = rate
            loss = self._step(number, index, phase, rng)
            total += loss
            if not math.isfinite(loss):
                raise TrainError(f"the loss is {loss} in epoch {s.epoch + 1}: lower schedule.lr")
            each(loss)
        return total / self.steps_per_epoch

    def _step(self, number: int, index: Tensor, phase: Phase, rng: np.random.Generator) -> float:
        s = self.state
        loss = self.loss(self.views.batch(index).to(self.device), index, phase, rng)
        s.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(s.model.parameters(), 2.0)
        s.optimizer.step()
        # A young average must not remember the random start: its memory grows with its age.
        age = s.epoch * self.steps_per_epoch + number
        update_average(s.average, s.model, min(self.config.schedule.ema, (1 + age) / (10 + age)))
        return loss.item()

    def _candidate(self, phase: Phase) -> bool:
        # Each int8 epoch may be the one that is kept; without such, the last one is.
        return phase.int8 or (not self.plan[-1].int8 and self.state.epoch == self.total_epochs)

    def _due(self, phase: Phase) -> bool:
        return self._candidate(phase) or self.state.epoch % EVALUATE_EVERY == 0

    def _evaluate(self, phase: Phase) -> dict[str, float]:
        average = self.state.average
        if phase.int8:
            calibrate(average.encoder, self.calibration)
        return self.evaluate(average)

    def _save(self, figures: dict[str, float], phase: Phase) -> None:
        s = self.state
        if self._candidate(phase) and self.score(figures) > s.best_score:
            s.best_score = self.score(figures)
            record = {"epoch": s.epoch, "held_out": figures, "config": self.config.as_dict()}
            write(self.folder / "best.pt", {"model": self.kept(s.average), **record})
        write(
            self.folder / "checkpoint.pt",
            {
                "model": s.model.state_dict(),
                "average": s.average.state_dict(),
                "optimizer": s.optimizer.state_dict(),
                "epoch": s.epoch,
                "best_score": s.best_score,
            },
        )
