"""Conditions for resuming a run: the same settings, except for more epochs, and the same training data.

This module does without torch, so that a mistake is reported before torch is imported.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from train import settings
from train.config import RunConfig
from train.data.datasets import Dataset
from train.data.sampling import held_out_count
from train.errors import TrainError
from wire import files
from wire.files import to_json

EXTENDABLE = ("schedule.epochs", "schedule.qat_epochs")
SHOWN = 5  # settings that differ

C = TypeVar("C", bound=RunConfig)


class PhaseLike(Protocol):
    """Phase of a training, as train.trainers.optimizer.Phase."""

    @property
    def name(self) -> str: ...

    @property
    def epochs(self) -> int: ...

    @property
    def int8(self) -> bool: ...


def config_of_run(folder: Path, config: C, n_images: int) -> C | None:
    """Return the config of the run in a folder, None if there is none; `n_images` training images.

    Raises TrainError if it differs from `config` in more than a lower number of epochs.
    """
    if not (folder / "config.json").exists():
        return None
    old = type(config).from_run(folder)
    found = settings.differences(_counted(old, n_images).as_dict(), _counted(config, n_images).as_dict())
    other = [str(one) for one in found if not (one.name in EXTENDABLE and one.new > one.old)]
    if other:
        more = f" and {len(other) - SHOWN} more" if len(other) > SHOWN else ""
        raise TrainError(f"{folder} holds another run: {'; '.join(other[:SHOWN])}{more}; give --out another folder")
    return old


def _counted(config: C, n_images: int) -> C:
    """Return a config with data.holdout as a number of images."""
    return replace(config, data=replace(config.data, holdout=held_out_count(config.data.holdout, n_images)))


def check_data(folder: Path, data: Dataset) -> str:
    """Return the digest of a data set; raise TrainError if the run in a folder began with other training data.

    Runs from before this check have none recorded.
    """
    file, now = folder / "data.json", digest(data)
    try:
        recorded = json.loads(file.read_text())["sha256"] if file.exists() else now
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainError(f"{file} cannot be read: {error}") from None
    if recorded != now:
        raise TrainError(
            f"{folder} was trained on other images, labels or classes than {data.name} has now; "
            "restore these, or train again with another --out"
        )
    return now


def record_data(folder: Path, data: Dataset, sha256: str) -> None:
    """Write the digest of the training data to a run's folder."""
    content = {"name": data.name, "training_images": len(data.y_train), "sha256": sha256}
    write_json(folder / "data.json", content)


def write_json(file: Path, content: object) -> None:
    """Write a JSON file; see `write_whole`."""
    write_whole(file, to_json(content, indent=1) + "\n")


def write_whole(file: Path, text: str) -> None:
    """Write a text file in UTF-8. An interrupted write leaves the old file whole. Raises OSError with its name."""
    files.write_whole(file, text.encode())


def digest(data: Dataset) -> str:
    """Return the SHA-256 of the training images, their labels and the names of the classes."""
    found = hashlib.sha256(json.dumps([data.x_train.shape, data.classes, data.source]).encode())
    if not data.source:
        found.update(np.ascontiguousarray(data.x_train).data)
    found.update(np.ascontiguousarray(data.y_train, "<i8").data)
    return found.hexdigest()


def must_go_back(old: Sequence[PhaseLike], new: Sequence[PhaseLike], epoch: int) -> bool:
    """Return True if a run must go back to the end of its float epochs, to train more of these.

    old, new: phases of the run so far, and those that it shall have now; epoch: number of finished epochs. Raises
    TrainError if it cannot have them any more.
    """
    if [phase.name for phase in old] != [phase.name for phase in new]:
        raise TrainError("the run cannot be extended: it would have other stages; give --out another folder")
    end = 0
    for number, (before, now) in enumerate(zip(old, new, strict=True)):
        end += before.epochs
        if now.epochs != before.epochs and epoch > end:  # a phase would change after the next one has begun
            if old[number + 1].int8:
                return True
            raise TrainError(
                f"the run cannot be extended: its stage {before.name!r} is over; give --out another folder"
            )
    return False
