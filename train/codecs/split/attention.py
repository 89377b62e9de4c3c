"""Attention feature module of ADJSCC (Xu et al. 2020, arXiv 2012.00533, section III): channels weighted by the link.

s = sigmoid(W2 relu(W1 [mean over h, w of x; condition])), y = s x: channels that a bad link damages get less weight.
"""

import torch
from torch import Tensor, nn


class AttentionFeature(nn.Module):
    """Scale of each channel of (B, C, H, W), computed from its mean and the link's condition."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, last = nn.Linear(channels + 1, channels), nn.Linear(channels, channels)
        self.factor = nn.Sequential(first, nn.ReLU(), last, nn.Sigmoid())
        nn.init.constant_(last.bias, 2.0)  # start near 1: four modules at 0.5 in a row would leave little signal

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(B, C, H, W), condition (B,): the log of the BER or the SNR -> (B, C, H, W)."""
        context = torch.cat([x.mean((2, 3)), condition[:, None]], 1)
        return x * self.factor(context)[:, :, None, None]
