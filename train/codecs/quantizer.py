"""Learned scalar quantizer: sorted centres, Gray-labelled levels, hard forward and soft backward.

Forward, a latent value becomes the level of its nearest centre. Backward, the gradient is that of the soft
assignment softmax(-(z - c)^2 / T) (Agustsson et al. 2017, arXiv 1704.00648), so encoder and centres both learn.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def gaussian_centres(n_levels: int) -> Tensor:
    """Return the initial centres (n_levels,): ascending, those of equally probable cells of N(0, 1)."""
    p = (torch.arange(n_levels) + 0.5) / n_levels
    return torch.special.ndtri(p)


class Quantizer(nn.Module):
    """Quantizer of latent values to symbols, whose values are levels 0..L-1."""

    def __init__(self, bits: int, temperature: float) -> None:
        super().__init__()
        self.bits, self.n_levels, self.temperature = bits, 2**bits, temperature
        start = gaussian_centres(self.n_levels)
        self.first = nn.Parameter(start[:1].clone())
        # Softplus makes the gaps positive, so the centres stay sorted whatever the optimizer does.
        self.gaps = nn.Parameter(torch.log(torch.expm1(start.diff())))

    def centres(self) -> Tensor:
        """Return the centres (L,), ascending."""
        return torch.cat([self.first, self.first + F.softplus(self.gaps).cumsum(0)])

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Map latent values (...) to symbols int64 (...) and soft assignments (..., L), which carry the gradient."""
        distance = (z[..., None] - self.centres()).square()  # (..., L)
        return self.nearest(z), F.softmax(-distance / self.temperature, -1)

    def nearest(self, z: Tensor) -> Tensor:
        """Map latent values (...) to the levels of their nearest centres, int64 (...); a tie goes down."""
        c = self.centres().detach()
        return torch.bucketize(z.detach(), (c[1:] + c[:-1]) / 2)


def gray_tables(bits: int) -> tuple[Tensor, Tensor]:
    """Return the Gray code of each level, l ^ (l >> 1), and the level of each Gray code, int64 (2 ** bits,) each."""
    level = torch.arange(2**bits)
    code = level ^ (level >> 1)
    return code, torch.argsort(code)


def hamming_distances(bits: int) -> Tensor:
    """Return the number of bits in which the Gray codes of two levels differ, float (L, L)."""
    code, _ = gray_tables(bits)
    differ = code[:, None] ^ code[None, :]
    return torch.stack([((differ >> b) & 1).float() for b in range(bits)]).sum(0)
