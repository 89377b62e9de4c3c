"""For the tests of resuming: a training cut off after an epoch, and two runs compared."""

from pathlib import Path

import pytest
import torch

from train.trainers import trainer as loop


def cut_off(patch: pytest.MonkeyPatch, epoch: int) -> None:
    """Interrupt a training after an epoch, as Ctrl-C does."""

    class CutOff(loop.Progress):
        def epoch_done(self, done: int, loss: float, figures: dict[str, float], phase: str) -> None:
            if done == epoch:
                raise KeyboardInterrupt

    patch.setattr(loop, "Progress", CutOff)


def differing(run: Path, other: Path) -> list[str]:
    """Names of the weights, and of their averages, in which two runs' checkpoints are not equal bit for bit."""
    one, two = (torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (run, other))
    parts = ("model", "average")
    return [
        f"{part}.{name}" for part in parts for name in two[part] if not torch.equal(one[part][name], two[part][name])
    ]
