"""Learned scalar quantizer: sorted centres, Gray-labelled levels, hard forward and soft backward.

Forward, a latent value becomes the level of its nearest centre. Backward, the gradient is that of the soft
assignment softmax(-(z - c)^2 / T) (Agustsson et al. 2017, arXiv 1704.00648), so encoder and centres both learn.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def gaussian_centres(levels: int) -> Tensor:
    """Centres of `levels` equally probable cells of N(0, 1) -> (levels,), ascending: where training starts."""
    p = (torch.arange(levels) + 0.5) / levels
    return torch.special.ndtri(p)


class Quantizer(nn.Module):
    """Latent values -> levels 0..L-1 and their soft assignment."""

    def __init__(self, bits: int, temperature: float) -> None:
        super().__init__()
        self.bits, self.n_levels, self.temperature = bits, 2**bits, temperature
        start = gaussian_centres(self.n_levels)
        self.first = nn.Parameter(start[:1].clone())
        # Gaps go through softplus: positive, so the centres stay sorted whatever the optimizer does.
        self.gaps = nn.Parameter(torch.log(torch.expm1(start.diff())))

    def centres(self) -> Tensor:
        """(L,), ascending."""
        return torch.cat([self.first, self.first + F.softplus(self.gaps).cumsum(0)])

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Latent values (...) -> levels int64 (...) and soft assignment (..., L), which carries the gradient."""
        distance = (z[..., None] - self.centres()).square()  # (..., L)
        return self.nearest(z), F.softmax(-distance / self.temperature, -1)

    def nearest(self, z: Tensor) -> Tensor:
        """(...) -> level of the nearest centre, ties down, int64 (...)."""
        c = self.centres().detach()
        return torch.bucketize(z.detach(), (c[1:] + c[:-1]) / 2)


def gray_tables(bits: int) -> tuple[Tensor, Tensor]:
    """Gray code of each level and level of each Gray code, int64 (2 ** bits,) each; code = l ^ (l >> 1)."""
    level = torch.arange(2**bits)
    code = level ^ (level >> 1)
    return code, torch.argsort(code)


def hamming_distances(bits: int) -> Tensor:
    """(L, L) float: bits in which the Gray codes of two levels differ."""
    code, _ = gray_tables(bits)
    differ = code[:, None] ^ code[None, :]
    return sum(((differ >> b) & 1).float() for b in range(bits))  # type: ignore[return-value]
