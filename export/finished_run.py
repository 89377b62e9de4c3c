"""Finished runs as the export needs them: of Inkling's own codec or of a split codec."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from export.errors import ExportError
from train import settings
from train.classifiers.embedding import embeddings
from train.codecs.deployable import DeployableCodec
from train.config import CodecConfig, GeneralConfig, RunConfig
from train.data.datasets import Dataset, load_for
from train.data.pool import load_pool
from train.data.sampling import split_holdout
from train.trainers.codec import load_codec
from train.trainers.int8 import calibration_images
from train.trainers.split import SplitConfig, load_split_codec


@dataclass(frozen=True)
class FinishedRun:
    """A trained codec in evaluation mode, its encoder in int8, with its config and data."""

    config: RunConfig
    codec: DeployableCodec
    data: Dataset
    calibration: Tensor  # images (N, C, H, W) over which the converter measures ranges
    chunks: tuple[tuple[int, int], ...]  # (first symbol, count); the first is the whole payload
    saved: dict[str, Any]  # the record of best.pt
    embeddings: np.ndarray | None = None  # of the test images (N, D), of unit length; None for a codec that classifies


def load_run(folder: Path) -> FinishedRun:
    """Load the run in a folder.

    Raises TrainError if it is not finished, and ExportError if its encoder is not in int8.
    """
    saved = settings.read_run(folder)
    if isinstance(saved, dict) and "system" in saved:
        return _split(folder)
    return _general(folder) if isinstance(saved, dict) and "embedding" in saved else _inkling(folder)


def _inkling(folder: Path) -> FinishedRun:
    config = CodecConfig.from_run(folder)
    data = load_for(config.data)
    codec, calibration, saved = load_codec(folder, config, data)
    codec.decoder.fold()
    round_to_half(codec.decoder)
    return FinishedRun(config, codec, data, calibration, codec.chunks, saved)


def _general(folder: Path) -> FinishedRun:
    config = GeneralConfig.from_run(folder)
    data = load_pool(config)
    targets = embeddings(config.embedding, np.concatenate([data.x_train, data.x_test]))
    codec, calibration, saved = load_codec(folder, config, data, targets.shape[2])
    codec.decoder.fold()
    round_to_half(codec.decoder)
    of_test = targets[0][data.y_test].astype(np.float32)
    return FinishedRun(config, codec, data, calibration, codec.chunks, saved, of_test)


def _split(folder: Path) -> FinishedRun:
    config = SplitConfig.from_run(folder)
    data = load_for(config.data)
    codec, _, saved = load_split_codec(folder, data)
    if not isinstance(codec, DeployableCodec):
        raise ExportError(f"{folder}: {config.system} has no int8 encoder, and boards run only int8 encoders")
    if not config.schedule.qat_epochs:
        raise ExportError(f"{folder} was trained without int8 epochs (schedule.qat_epochs), which a board needs")
    round_to_half(codec.classifier)
    train, _ = split_holdout(data, config.data.holdout)
    return FinishedRun(config, codec, data, calibration_images(data, train), ((0, codec.n_symbols),), saved)


@torch.no_grad()
def round_to_half(host: nn.Module) -> None:
    """Round the weights of the host's network to float16 values, which decoder.onnx stores in half the bytes."""
    for weight in host.parameters():
        weight.copy_(weight.half())
