"""What a run's folder holds for the export, whether Inkling's own or a system that splits a classifier."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from export.errors import ExportError
from train import settings
from train.codecs.deployable import DeployableCodec
from train.config import CodecConfig, RunConfig
from train.data.datasets import Dataset
from train.data.datasets import load as load_data
from train.trainers.codec import load_codec
from train.trainers.split import SplitConfig, load_split_codec
from train.trainers.trainer import calibration_images, split_holdout


@dataclass(frozen=True)
class Finished:
    """A trained codec, evaluating in int8, and what it was trained on and for."""

    config: RunConfig
    codec: DeployableCodec
    data: Dataset
    calibration: Tensor  # images (N, C, H, W) over which the converter measures ranges
    chunks: tuple[tuple[int, int], ...]  # (first symbol, count); the first is the whole payload
    saved: dict[str, Any]  # best.pt's record


def load(run: Path) -> Finished:
    """The run in its folder. Raises TrainError for one that is not finished, ExportError for one of float encoders."""
    saved = settings.read_run(run)
    return _system(run) if isinstance(saved, dict) and "system" in saved else _inkling(run)


def _inkling(run: Path) -> Finished:
    config = CodecConfig.from_run(run)
    data = load_data(config.data.name, config.data.size, config.data.grey)
    codec, calibration, saved = load_codec(run, config, data)
    return Finished(config, codec, data, calibration, config.link.chunks, saved)


def _system(run: Path) -> Finished:
    config = SplitConfig.from_run(run)
    data = load_data(config.data.name, config.data.size, config.data.grey)
    codec, _, saved = load_split_codec(run, data)
    if not isinstance(codec, DeployableCodec):
        raise ExportError(f"{run}: {config.system} has no encoder in int8, which a board needs")
    if not config.schedule.qat_epochs:
        raise ExportError(f"{run} was trained without int8 epochs (schedule.qat_epochs)")
    round_to_half(codec.classifier)
    train, _ = split_holdout(data, config.data.holdout)
    return Finished(config, codec, data, calibration_images(data, train), ((0, codec.n_symbols),), saved)


@torch.no_grad()
def round_to_half(classifier: nn.Module) -> None:
    """Round a frozen classifier's weights to float16 values: decoder.onnx then holds them in half the bytes."""
    for weight in classifier.parameters():
        weight.copy_(weight.half())
