"""The int8 encoder of a codec in training, and the images over which its ranges are measured."""

import numpy as np
import torch
from torch import Tensor, nn

from train.codecs.encoder import ConvEncoder
from train.data.augment import as_input
from train.data.datasets import Dataset
from train.data.sampling import CALIBRATION, stratified

CALIBRATION_IMAGES = 500


def calibration_images(data: Dataset, train: np.ndarray) -> Tensor:
    """Return the training images (N, C, H, W) over which int8 ranges are measured, here and by the converter."""
    chosen = train[stratified(data.y_train[train], CALIBRATION_IMAGES, CALIBRATION)]
    return as_input(torch.from_numpy(data.x_train[chosen]))


def int8_encoder(model: nn.Module) -> ConvEncoder:
    """Return the encoder of a codec with int8 epochs."""
    encoder = model.get_submodule("encoder")
    if not isinstance(encoder, ConvEncoder):
        raise TypeError(f"{type(model).__name__} has no int8 encoder")
    return encoder
