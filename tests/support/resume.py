"""Support for tests of resumed runs: interrupt a training after an epoch, compare two runs."""

from pathlib import Path

import pytest
import torch

from train.trainers import trainer


def cut_off(patch: pytest.MonkeyPatch, epoch: int) -> None:
    """Interrupt a training after an epoch, as Ctrl-C does."""

    class CutOff(trainer.Progress):
        def epoch_done(self, done: int, loss: float, held_out: dict[str, float], phase: str, n_held: int) -> None:
            if done == epoch:
                raise KeyboardInterrupt

    patch.setattr(trainer, "Progress", CutOff)


def differing(run: Path, other: Path) -> list[str]:
    """Return the names of the weights, and of their averages, that differ in the checkpoints of two runs."""
    one, two = (torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (run, other))
    parts = ("model", "average")
    return [
        f"{part}.{name}" for part in parts for name in two[part] if not torch.equal(one[part][name], two[part][name])
    ]
