"""Random crop and flip of whole batches of uint8 images; the same seed gives the same views."""

import numpy as np
import torch
from torch import Tensor

from train.config import DataConfig


class Views:
    """Augmented views of a training set: view `number` is a fixed crop and flip of every image."""

    def __init__(self, images: np.ndarray, data: DataConfig, seed: int) -> None:
        pad = data.crop_padding
        self.height, self.width = images.shape[1:3]
        self.padded = torch.from_numpy(np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0))))
        self.pad, self.flip, self.seed = pad, data.flip, seed

    def __len__(self) -> int:
        return len(self.padded)

    def choose(self, number: int) -> None:
        """Draw view `number`: one offset and one flip for each image."""
        rng = np.random.default_rng([self.seed, 1, number])
        n = len(self)
        rows = rng.integers(0, 2 * self.pad + 1, n)[:, None] + np.arange(self.height)
        columns = np.arange(self.width)[None, :].repeat(n, 0)
        mirrored = np.zeros(n, bool)
        if self.flip:
            mirrored = rng.random(n) < 0.5
            columns[mirrored] = columns[mirrored, ::-1]
        self.mirrored = torch.from_numpy(mirrored)
        columns = rng.integers(0, 2 * self.pad + 1, n)[:, None] + columns
        self.rows, self.columns = torch.from_numpy(rows), torch.from_numpy(columns)

    def batch(self, index: Tensor) -> Tensor:
        """Return images `index` (B,) of the chosen view, float (B, C, H, W) in [0, 1], channels last in memory."""
        rows, columns = self.rows[index], self.columns[index]
        cut = self.padded[index[:, None, None], rows[:, :, None], columns[:, None, :]]  # (B, H, W, C)
        return as_input(cut)


def as_input(images: Tensor) -> Tensor:
    """Convert images uint8 (B, H, W, C) to the encoder's input, float (B, C, H, W): pixel / 255 and nothing else."""
    return (images.float() / 255).permute(0, 3, 1, 2)
