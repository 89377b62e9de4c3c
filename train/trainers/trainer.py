"""The trainer of every run: phases of epochs, learning rate, averaged weights, checkpoints, log.

A subclass defines the model and its loss. A run can be resumed after each epoch.
"""

import contextlib
import copy
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from train import parallel
from train.codecs.fakequant import calibrate
from train.compute_device import CPU, autocast, device_name, has_fast_bf16
from train.config import RunConfig
from train.data.augment import Views
from train.data.datasets import Dataset
from train.data.sampling import split_holdout, steps_per_epoch, stratified
from train.errors import TrainError
from train.run_files import load_tensors, load_weights, read_best, read_log, save_tensors
from train.trainers import resuming
from train.trainers.history import History
from train.trainers.int8 import calibration_images, int8_encoder
from train.trainers.optimizer import Phase, adamw, update_average
from train.trainers.progress import Progress, percentages
from train.trainers.state import State, plan_of

QUICK_IMAGES = 1000  # held-out images after an epoch that cannot become best.pt
CHECKPOINT = "checkpoint.pt"
FLOAT = "float.pt"  # the checkpoint before the int8 epochs, from which a run is extended

C = TypeVar("C", bound=RunConfig)
M = TypeVar("M", bound=nn.Module)


class Trainer(ABC, Generic[C, M]):
    """Trainer of one run in its folder, whose files docs/training.md lists."""

    measure = "%"  # what `evaluate` gives, times 100: the share of correctly classified images

    def __init__(self, config: C, data: Dataset, folder: Path, device: torch.device = CPU) -> None:
        self.config, self.data, self.folder, self.device = config, data, folder, device
        self.bf16 = has_fast_bf16(device)
        self.begun = resuming.config_of_run(folder, config, len(data.x_train))
        self.data_sha256 = resuming.check_data(folder, data)
        torch.manual_seed(config.seed)
        train, held = split_holdout(data, config.data.holdout)
        self.x_held, self.y_held = data.x_train[held], data.y_train[held]
        self.labels = torch.from_numpy(data.y_train[train]).to(device)
        self.after_epoch: Callable[[int, float], None] | None = None  # told the epoch and its score on held-out images
        self.views = Views(data.x_train[train], config.data, config.seed)
        self.calibration = calibration_images(data, train).to(device)
        model = self.build().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        parallel.share(model, config.schedule.batch)
        self.state: State[M] = State(model, copy.deepcopy(model), adamw(model, config.schedule.weight_decay))
        self.steps_per_epoch = steps_per_epoch(len(train), config.schedule.batch)
        self.plan = self.phases()
        self.total_epochs = sum(phase.epochs for phase in self.plan)
        folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        if self.begun is None:  # last: a config that fails above must not claim the folder
            self._claim()

    @abstractmethod
    def build(self) -> M:
        """Build the model, freshly initialised."""

    @abstractmethod
    def loss(self, images: Tensor, index: Tensor, phase: Phase, rng: np.random.Generator) -> Tensor:
        """Return the loss of one batch: images (B, C, H, W) in [0, 1], a view of training images `index` (B,)."""

    @abstractmethod
    def evaluate(self, model: M, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Return accuracies on images uint8 (N, H, W, C) that the model was not trained on, by name."""

    @abstractmethod
    def score(self, accuracies: dict[str, float]) -> float:
        """Return the number that model selection maximises."""

    def phases(self) -> list[Phase]:
        """Return the float epochs and the int8 epochs, if any."""
        s = self.config.schedule
        return [Phase("float", s.epochs, s.lr, self._end_lr(), s.warmup_epochs), *self._int8_phases()]

    def prepare(self) -> None:
        """Load or make what else a run needs in its folder."""

    def adapt(self, model: M) -> None:
        """Fit what a model needs to be fitted on the held-out images before it is evaluated."""

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

    def _claim(self) -> None:
        if not parallel.is_first():
            return
        resuming.record_data(self.folder, self.data, self.data_sha256)
        resuming.write_json(self.folder / "config.json", self.config.as_dict())

    def resume(self) -> bool:
        """Load the last checkpoint; return False if there is none.

        A run whose config has more epochs now is extended. Raises TrainError if it cannot be.
        """
        file = self.folder / CHECKPOINT
        if not file.exists():
            parallel.check_same(0, self.folder)
            self._claim()
            return False
        saved = load_tensors(file)
        before = plan_of(saved) or self._plan_of(self.begun or self.config)
        if resuming.must_go_back(before, self.plan, saved["epoch"]):
            file = self.folder / FLOAT
            if not file.exists():
                raise TrainError(f"{self.folder} cannot be extended, as it has no {FLOAT}; give --out another folder")
            saved = load_tensors(file)
        self._restore(saved, file)
        parallel.check_same(saved["epoch"], self.folder)  # all have read the files, and one may write
        total = sum(phase.epochs for phase in before)
        if total != self.total_epochs:
            print(f"extending the run from {total} to {self.total_epochs} epochs")
            if file.name == FLOAT or not self.plan[-1].int8:
                self.state.best_score = -1.0  # best.pt is replaced by the first model that may become it
            if parallel.is_first():
                save_tensors(self.folder / CHECKPOINT, self.state.checkpoint(self.plan))
        self._claim()
        return True

    def _plan_of(self, config: C) -> list[Phase]:
        other = copy.copy(self)
        other.config = config
        return other.phases()

    def _restore(self, saved: dict[str, Any], file: Path) -> None:
        _, phase = self._phase_after(saved["epoch"] - 1)
        if phase.int8:  # the saved encoder is folded
            self._start(phase)
        self.state.restore(saved, file)

    def run(self) -> None:
        """Resume if there is a checkpoint, train to the end, and print the accuracies on the test images."""
        if self.resume():
            print(f"resuming after epoch {self.state.epoch} of {self.total_epochs}")
        self.train()
        with parallel.first_alone():
            if parallel.is_first():
                tested = self.test()
                print(f"test {self.measure} by BER, {tested['images']:,} images  {percentages(tested['accuracies'])}")

    def test(self) -> dict[str, Any]:
        """Return the accuracies of best.pt on the test images, with their number and the epoch; test.json keeps them.

        Test images choose nothing; they are measured once a run has ended.
        """
        best, file = read_best(self.folder, "last epoch"), self.folder / "test.json"
        facts = {"epoch": best["epoch"], "held_out": best["held_out"], "images": len(self.data.y_test)}
        if file.exists():
            kept = json.loads(file.read_text())
            if facts.items() <= kept.items():
                return kept
        model = copy.deepcopy(self.state.average).to(CPU)
        load_weights(model, best["model"], self.folder / "best.pt")
        if self.plan[-1].int8:
            calibrate(int8_encoder(model), self.calibration.to(CPU))
        tested = {**facts, "accuracies": self.evaluate(model, self.data.x_test, self.data.y_test)}
        resuming.write_json(file, tested)
        return tested

    def train(self) -> None:
        """Train the remaining epochs. Raises TrainError if a GPU runs out of memory."""
        try:
            self._train()
        except torch.OutOfMemoryError:
            raise TrainError("the GPU's memory is full: lower schedule.batch, or try --device cpu") from None

    def _train(self) -> None:
        with contextlib.ExitStack() as stack:
            progress = stack.enter_context(
                Progress(self.total_epochs, self.steps_per_epoch, self.state.epoch, self.measure)
            )
            history = None
            if parallel.is_first():
                history = stack.enter_context(History(self.folder, read_log(self.folder), self.state.epoch))
            while self.state.epoch < self.total_epochs:
                first, phase = self._phase_after(self.state.epoch)
                if self.state.epoch == first > 0:
                    self._start(phase)
                started = time.monotonic()
                loss = self._train_epoch(first, phase, progress.step)
                self.state.epoch += 1
                if history:
                    record = self._end_epoch(first, phase, loss, started)
                    history.append(record)
                    progress.epoch_done(
                        self.state.epoch, loss, record["held_out"], phase.name, record["held_out_images"]
                    )
                    if self.after_epoch:
                        self.after_epoch(self.state.epoch, self.score(record["held_out"]))
                parallel.same_weights(self.state.model, self.state.average)  # `adapt` has changed those of the first

    def _end_epoch(self, first: int, phase: Phase, loss: float, started: float) -> dict[str, Any]:
        """Evaluate and save after an epoch of a phase that began after `first` epochs; return its record."""
        n_held, held_out = self._evaluate(phase)
        self._save(held_out, phase)
        steps = (self.state.epoch - first) * self.steps_per_epoch
        return {
            "epoch": self.state.epoch,
            "phase": phase.name,
            "loss": round(loss, 4),
            "lr": phase.learning_rate(steps - 1, self.steps_per_epoch),
            "seconds": round(time.monotonic() - started, 1),
            "device": device_name(self.device),
            "held_out_images": n_held,
            "held_out": held_out,
        }

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
            index = parallel.part(order[number * c.schedule.batch : (number + 1) * c.schedule.batch])
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
        parallel.average_gradients(s.model)
        nn.utils.clip_grad_norm_(s.model.parameters(), 2.0)
        s.optimizer.step()
        # The decay grows with the number of steps, so that the average forgets the random start.
        age = s.epoch * self.steps_per_epoch + number
        update_average(s.average, s.model, min(self.config.schedule.ema, (1 + age) / (10 + age)))
        return parallel.mean(loss.detach()).item()

    def _may_be_best(self, phase: Phase) -> bool:
        # Any int8 epoch may be kept; in a run without int8 epochs, the last epoch is.
        return phase.int8 or (not self.plan[-1].int8 and self.state.epoch == self.total_epochs)

    def _evaluate(self, phase: Phase) -> tuple[int, dict[str, float]]:
        """Return the number of held-out images that the average is evaluated on, and its accuracies."""
        average = self.state.average
        if phase.int8:
            calibrate(int8_encoder(average), self.calibration)
        self.adapt(average)
        n = len(self.y_held) if self._may_be_best(phase) else QUICK_IMAGES
        chosen = np.sort(stratified(self.y_held, n))
        return len(chosen), self.evaluate(average, self.x_held[chosen], self.y_held[chosen])

    def _save(self, held_out: dict[str, float], phase: Phase) -> None:
        s = self.state
        if self._may_be_best(phase) and self.score(held_out) > s.best_score:
            s.best_score = self.score(held_out)
            record = {"epoch": s.epoch, "held_out": held_out, "config": self.config.as_dict()}
            save_tensors(self.folder / "best.pt", {"model": self.saved_weights(s.average), **record})
        if self.plan[-1].int8 and s.epoch == sum(part.epochs for part in self.plan if not part.int8):
            save_tensors(self.folder / FLOAT, s.checkpoint(self.plan))
        save_tensors(self.folder / CHECKPOINT, s.checkpoint(self.plan))
