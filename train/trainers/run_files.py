"""What a run keeps in its folder: config.json, log.jsonl and what torch.save wrote, whoever wrote it."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from train.errors import TrainError


def read(file: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Tensors and plain containers, nothing that runs code. TrainError of one line when the file is damaged."""
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # an unpickler that reads junk may raise anything
        line = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise TrainError(f"{file} is damaged, or not PyTorch's ({line})") from None


def write(file: Path, content: dict[str, Any]) -> None:
    """Keep tensors and plain containers; the file is there whole or as it was."""
    part = file.with_suffix(".part")
    torch.save(content, part)
    os.replace(part, file)  # an interrupted write leaves the last checkpoint whole


def fill(model: nn.Module, saved: dict[str, Tensor], file: Path) -> None:
    """Load a saved state into a model of the same config."""
    try:
        model.load_state_dict(saved)
    except RuntimeError:  # same config, other data
        raise TrainError(f"{file} does not fit the data set: other classes, or another size of picture?") from None


def saved_config(folder: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """What a run's config.json holds."""
    try:
        return json.loads((folder / "config.json").read_text())
    except (OSError, ValueError) as error:
        raise TrainError(f"{folder} is no run: {error}") from None


def read_log(folder: Path) -> list[dict[str, Any]]:
    """What a run's log.jsonl says of each epoch that is done; nothing where there is none yet."""
    file = folder / "log.jsonl"
    try:
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    except (OSError, ValueError) as error:
        raise TrainError(f"{file} cannot be read: {error}") from None


def read_best(folder: Path, not_yet: str) -> dict[str, Any]:
    """A run's best.pt; `not_yet` says what a run without one has not reached."""
    try:
        return read(folder / "best.pt")
    except FileNotFoundError:
        raise TrainError(f"{folder} has no best.pt: the run has not reached its {not_yet} yet") from None
