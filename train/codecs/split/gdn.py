"""Generalized divisive normalization (Ballé et al. 2016, arXiv 1511.06281) and its inverse.

y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2); IGDN multiplies by the root instead. For the host and the PyTorch
reference only: an encoder for a board uses batch norm, which merges into the convolution.
"""

import torch
from torch import Tensor, nn

BETA_MIN, GAMMA_START = 1e-6, 0.1


class GDN(nn.Module):
    """GDN over the channels of (B, C, H, W), or IGDN if `inverse`."""

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        # Squares keep both positive: beta = b^2 + BETA_MIN, gamma = g^2. Off the diagonal, g starts near 0, not at 0,
        # where a square has no gradient.
        self.b = nn.Parameter(torch.ones(channels))
        self.g = nn.Parameter((GAMMA_START * torch.eye(channels) + 1e-4).sqrt())

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        # One row per pixel: on a CPU, one matrix product is faster than a 1x1 convolution and its backward.
        rows = x.permute(0, 2, 3, 1).flatten(0, 2)
        root = torch.addmm(self.b.square() + BETA_MIN, rows.square(), self.g.square().T).sqrt()
        rows = rows * root if self.inverse else rows / root
        # Not len(x), which would fix the batch in ONNX.
        return rows.unflatten(0, (x.shape[0], *x.shape[2:])).permute(0, 3, 1, 2)
