"""Files of a run's folder: tensors saved by PyTorch, and log.jsonl."""

import io
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from train.errors import TrainError
from wire.files import write_whole


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
    """Save tensors and plain containers. An interrupted write leaves the old file whole.

    Raises OSError, which names the file.
    """
    packed = io.BytesIO()
    torch.save(content, packed)  # to memory first: on a full disk, torch itself ends the process
    write_whole(file, packed.getbuffer())


def load_weights(model: nn.Module, saved: dict[str, Tensor], file: Path) -> None:
    """Load a saved state into a model of the same config. Raises TrainError, which names `file`, if it does not fit."""
    try:
        model.load_state_dict(saved)
    except RuntimeError:  # same config, other data
        raise TrainError(f"{file} does not fit the data set: other classes, or another image size?") from None


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Return the records of the finished epochs in a run's log.jsonl; none without the file.

    Torn lines are left out: they were being written when the disk was full or the power failed.
    """
    file = folder / "log.jsonl"
    try:
        lines = file.read_bytes().split(b"\n") if file.exists() else []
    except OSError as error:
        raise TrainError(f"{file} cannot be read: {error.strerror}") from None
    return [record for line in lines[:-1] if (record := _record(line))]


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "epoch" in record else None


def read_best(folder: Path, stage: str) -> dict[str, Any]:
    """Return the record in a run's best.pt. `stage` is what a run without the file has not reached."""
    try:
        return load_tensors(folder / "best.pt")
    except FileNotFoundError:
        raise TrainError(f"{folder} has no best.pt: the run has not reached its {stage} yet") from None
