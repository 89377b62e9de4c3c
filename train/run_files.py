"""Files of a run's folder: tensors saved by PyTorch, and log.jsonl."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from train.errors import TrainError


def load_tensors(file: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Load tensors and plain containers, never code. Raises TrainError for a damaged file."""
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # an unpickler that reads junk may raise anything
        line = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise TrainError(f"{file} is damaged, or not a PyTorch file ({line})") from None


def save_tensors(file: Path, content: dict[str, Any]) -> None:
    """Save tensors and plain containers. An interrupted write leaves the old file whole."""
    part = file.with_suffix(".part")
    torch.save(content, part)
    os.replace(part, file)


def load_weights(model: nn.Module, saved: dict[str, Tensor], file: Path) -> None:
    """Load a saved state into a model of the same config. Raises TrainError, which names `file`, if it does not fit."""
    try:
        model.load_state_dict(saved)
    except RuntimeError:  # same config, other data
        raise TrainError(f"{file} does not fit the data set: other classes, or another image size?") from None


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Return the records of the finished epochs in a run's log.jsonl; none without the file.

    A last line without its end is left out: it was being written, or the disk was full.
    """
    file = folder / "log.jsonl"
    try:
        return [json.loads(line) for line in file.read_text().split("\n")[:-1]] if file.exists() else []
    except (OSError, ValueError) as error:
        raise TrainError(f"{file} cannot be read: {error}") from None


def read_best(folder: Path, stage: str) -> dict[str, Any]:
    """Return the record in a run's best.pt. `stage` is what a run without the file has not reached."""
    try:
        return load_tensors(folder / "best.pt")
    except FileNotFoundError:
        raise TrainError(f"{folder} has no best.pt: the run has not reached its {stage} yet") from None
