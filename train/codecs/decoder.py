"""The host's part: received levels and the bit error rate -> class logits.

Its first step is exact: over a binary symmetric channel of bit flip probability p, a received level r was sent as
level l with probability proportional to prior(l) * p^d(l, r) * (1 - p)^(b - d), d the Hamming distance of their Gray
codes (Bayes' rule). A symbol that did not arrive leaves the prior. Each symbol then enters the network as the
expected value of its centre, the estimate of least mean square error: certain on a clean link, drawn towards the
mean on a bad one. BER and received share also modulate the network's channels (FiLM, arXiv 1709.07871).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.codecs.quantizer import hamming_distances

BER_MIN, BER_MAX = 1e-4, 0.5


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions (He et al. 2015, arXiv 1512.03385), modulated by the link's condition."""

    def __init__(self, width: int, condition: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.film = nn.Linear(condition, 2 * width)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(B, width, h, w), (B, condition) -> (B, width, h, w)."""
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, 1)
        y = F.relu(self.norm1(self.conv1(x)) * (1 + scale) + shift)
        return F.relu(x + self.norm2(self.conv2(y)))


class Decoder(nn.Module):
    """Symbols in `order` of an h x w x c latent -> logits."""

    def __init__(
        self,
        latent_shape: tuple[int, int, int],
        order: Tensor,
        bits: int,
        classes: int,
        width: int,
        blocks: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.latent_shape, self.bits, self.n_levels = latent_shape, bits, 2**bits
        h, w, c = latent_shape
        if len(order) != h * w * c:
            raise ValueError("the order must name every latent position once")
        # The last row, all zeros, is that of a symbol which was not received: index -1.
        distances = torch.cat([hamming_distances(bits), torch.zeros(1, self.n_levels)])
        self.register_buffer("distances", distances)  # (L + 1, L)
        self.register_buffer("place", torch.argsort(order))  # latent position -> its index in the order
        self.register_buffer("channel", order % c)  # channel of each symbol
        self.prior = nn.Parameter(torch.zeros(c, self.n_levels))
        self.condition = nn.Sequential(nn.Linear(2, 32), nn.ReLU())
        self.stem = nn.Sequential(nn.Conv2d(c, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.blocks = nn.ModuleList(ResidualBlock(width, 32) for _ in range(blocks))
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(width, classes)

    def posterior(self, symbols: Tensor, ber: Tensor) -> Tensor:
        """Levels (B, S) int64, -1 where not received, and BER (B,) -> P(sent level), (B, S, L)."""
        p = ber.clamp(BER_MIN, BER_MAX)
        log_odds = torch.log(p / (1 - p))[:, None, None]
        index = torch.where(symbols < 0, self.n_levels, symbols)
        return F.softmax(self.prior[self.channel] + self.distances[index] * log_odds, -1)

    def classify_values(self, values: Tensor, received: Tensor, ber: Tensor) -> Tensor:
        """Symbol values (B, S), received share (B,), BER (B,) -> logits (B, classes)."""
        h, w, c = self.latent_shape
        x = values[:, self.place].reshape(-1, h, w, c).permute(0, 3, 1, 2)
        log_ber = torch.log10(ber.clamp(BER_MIN, BER_MAX)) + 2
        condition = self.condition(torch.stack([log_ber, received], 1))
        x = self.stem(x)
        for block in self.blocks:
            x = block(x, condition)
        return self.classify(self.dropout(x.mean((2, 3))))

    def forward(self, symbols: Tensor, ber: Tensor, centres: Tensor) -> Tensor:
        """Levels (B, S) int64, -1 where not received; BER (B,); centres (L,) -> logits (B, classes)."""
        received = (symbols >= 0).float().mean(1)
        return self.classify_values(self.posterior(symbols, ber) @ centres, received, ber)
