"""The host's part: received symbols and the bit error rate -> class logits.

The first step is exact. Over a binary symmetric channel of bit flip probability p, a received level r was sent as
level l with probability proportional to prior(l) * p^d(l, r) * (1 - p)^(b - d), where d is the Hamming distance of
their Gray codes (Bayes' rule). A missing symbol keeps the prior. Each symbol then enters the network as the expected
value of its centre, the estimate of least mean square error: certain on a clean link, near the mean on a bad one.
The BER and the received share also modulate the network's channels (FiLM, arXiv 1709.07871).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.codecs.quantizer import hamming_distances
from train.config import DecoderConfig
from wire.model import MAX_BER, MIN_BER

CONDITION = 32  # features of the link's condition


def log_ber(ber: Tensor) -> Tensor:
    """Return log10 of BER (B,), clamped to [1e-4, 0.5] and shifted to about [-2, 2], as input of a network."""
    return torch.log10(ber.clamp(MIN_BER, MAX_BER)) + 2


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions (He et al. 2015, arXiv 1512.03385), modulated by the link's condition."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.film = nn.Linear(CONDITION, 2 * width)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(B, width, h, w), (B, CONDITION) -> (B, width, h, w)."""
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, 1)
        y = F.relu(self.norm1(self.conv1(x)) * (1 + scale) + shift)
        return F.relu(x + self.norm2(self.conv2(y)))


class Decoder(nn.Module):
    """Decoder of the symbols of an h x w x c latent, sent in `order` (S,), to logits."""

    distances: Tensor
    place: Tensor
    channel: Tensor

    def __init__(
        self, latent_shape: tuple[int, int, int], order: Tensor, bits: int, classes: int, config: DecoderConfig
    ) -> None:
        super().__init__()
        self.latent_shape, self.n_levels = latent_shape, 2**bits
        h, w, c = latent_shape
        if len(order) != h * w * c:
            raise ValueError(f"order has {len(order)} positions, and a latent of {h} x {w} x {c} has {h * w * c}")
        # The last row, all zeros, serves missing symbols: index -1.
        distances = torch.cat([hamming_distances(bits), torch.zeros(1, self.n_levels)])
        self.register_buffer("distances", distances)  # (L + 1, L)
        self.register_buffer("place", torch.argsort(order))  # latent position -> its index in the order
        self.register_buffer("channel", order % c)  # channel of each symbol
        self.prior = nn.Parameter(torch.zeros(c, self.n_levels))
        self.condition = nn.Sequential(nn.Linear(2, CONDITION), nn.ReLU())
        width = config.width
        self.stem = nn.Sequential(nn.Conv2d(c, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(config.blocks))
        self.dropout = nn.Dropout(config.dropout)
        self.classify = nn.Linear(width, classes)

    def posterior(self, symbols: Tensor, ber: Tensor) -> Tensor:
        """Return P(sent level | received symbol, BER), (B, S, L).

        symbols (B, S) int64, -1 where missing; ber (B,), clamped to [1e-4, 0.5].
        """
        p = ber.clamp(MIN_BER, MAX_BER)
        log_odds = torch.log(p / (1 - p))[:, None, None]
        index = torch.where(symbols < 0, self.n_levels, symbols)
        return F.softmax(self.prior[self.channel] + self.distances[index] * log_odds, -1)

    def classify_values(self, values: Tensor, received: Tensor, ber: Tensor) -> Tensor:
        """Map symbol values (B, S), received share (B,) and BER (B,) to logits (B, classes)."""
        h, w, c = self.latent_shape
        x = values[:, self.place].reshape(-1, h, w, c).permute(0, 3, 1, 2)
        condition = self.condition(torch.stack([log_ber(ber), received], 1))
        x = self.stem(x)
        for block in self.blocks:
            x = block(x, condition)
        return self.classify(self.dropout(x.mean((2, 3))))

    def forward(self, symbols: Tensor, ber: Tensor, centres: Tensor) -> Tensor:
        """Map symbols (B, S) int64, -1 where missing, BER (B,) and centres (L,) to logits (B, classes)."""
        received = (symbols >= 0).float().mean(1)
        return self.classify_values(self.posterior(symbols, ber) @ centres, received, ber)
