"""State of a training between two epochs, which checkpoint.pt holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import nn

from train.run_files import load_weights
from train.trainers.optimizer import Phase

M = TypeVar("M", bound=nn.Module)


@dataclass
class State(Generic[M]):
    """Everything that an epoch changes."""

    model: M
    average: M  # exponential moving average of the weights, which is evaluated and exported
    optimizer: torch.optim.Optimizer
    epoch: int = 0  # finished epochs
    best_score: float = -1.0

    def checkpoint(self, plan: list[Phase]) -> dict[str, Any]:
        """Return the content of a checkpoint, with the phases of the run."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "best_score": self.best_score,
            "plan": [(phase.name, phase.epochs, phase.int8) for phase in plan],
        }

    def restore(self, saved: dict[str, Any], file: Path) -> None:
        """Load the content of a checkpoint from `file`. Raises TrainError if it is of another model."""
        load_weights(self.model, saved["model"], file)
        load_weights(self.average, saved["average"], file)
        self.optimizer.load_state_dict(saved["optimizer"])
        self.epoch, self.best_score = saved["epoch"], saved["best_score"]


def plan_of(saved: dict[str, Any]) -> list[Phase] | None:
    """Return the phases of the run that a checkpoint belongs to, None if it is from before they were kept."""
    return [Phase(name, epochs, 0.0, int8=int8) for name, epochs, int8 in saved["plan"]] if "plan" in saved else None
