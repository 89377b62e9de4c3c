"""The host's part: received symbols, the board's answer and the bit error rate -> class logits.

The first step is exact. Over a binary symmetric channel of bit flip probability p, a received level r was sent as
level l with probability proportional to prior(l) * p^d(l, r) * (1 - p)^(b - d), where d is the Hamming distance of
their Gray codes (Bayes' rule). A missing symbol keeps the prior. Each symbol then enters the network as the expected
value of its centre, the estimate of least mean square error: certain on a clean link, near the mean on a bad one.
The board's answer is weighed in the same way (answer_posterior.py).

The network starts at the largest grid of the latent heads; each further stage halves the grid, doubles the channels and
adds the heads of its grid. BER and received shares modulate its channels (FiLM, arXiv 1709.07871).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from train.codecs.answer_posterior import AnswerPosterior, log_odds
from train.codecs.quantizer import hamming_distances
from train.config import DecoderConfig
from train.errors import TrainError
from wire.answer import CONFIDENCES
from wire.model import MAX_BER, MIN_BER

CONDITION = 32  # features of the link's condition
EMBEDDING = 128  # features of the pooled heads, and of the board's answer

Shape = tuple[int, int, int]


def log_ber(ber: Tensor) -> Tensor:
    """Return log10 of BER (B,), clamped to [1e-4, 0.5] and shifted to about [-2, 2], as input of a network."""
    return torch.log10(ber.clamp(MIN_BER, MAX_BER)) + 2


class Foldable(nn.Module, ABC):
    """A part of a network with batch norms that can be merged into its convolutions."""

    @abstractmethod
    def fold(self) -> None:
        """Merge every batch norm into its convolution; for evaluation only."""


class ResidualBlock(Foldable):
    """Two 3x3 convolutions (He et al. 2015, arXiv 1512.03385), modulated by the link's condition."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1: nn.Module = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2: nn.Module = nn.BatchNorm2d(width)
        self.film = nn.Linear(CONDITION, 2 * width)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(B, width, h, w), (B, CONDITION) -> (B, width, h, w)."""
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, 1)
        y = F.relu(self.norm1(self.conv1(x)) * (1 + scale) + shift)
        return F.relu(x + self.norm2(self.conv2(y)))

    def fold(self) -> None:
        """Merge both batch norms into their convolutions."""
        self.conv1, self.norm1 = folded(self.conv1, self.norm1), nn.Identity()
        self.conv2, self.norm2 = folded(self.conv2, self.norm2), nn.Identity()


class Stage(Foldable):
    """The network at one grid: the stage before it at half the grid, plus the heads of this grid; then blocks."""

    def __init__(self, before: int, heads: int, width: int, blocks: int) -> None:
        super().__init__()
        self.down = norm_conv(before, width, 2) if before else None
        self.stem = norm_conv(heads, width, 1) if heads else None
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))

    def forward(self, x: Tensor | None, values: Tensor | None, condition: Tensor) -> Tensor:
        """Features of the stage before (B, before, 2h, 2w) and values of the heads (B, heads, h, w), if any."""
        parts = []
        if self.down is not None and x is not None:
            parts.append(self.down(x))
        if self.stem is not None and values is not None:
            parts.append(self.stem(values))
        y = F.relu(torch.stack(parts).sum(0) if len(parts) > 1 else parts[0])
        for block in self.blocks:
            y = block(y, condition)
        return y

    def fold(self) -> None:
        """Merge the batch norms of the first convolutions into them; the blocks have their own `fold`."""
        for part in (self.down, self.stem):
            if part is not None:
                part[0], part[1] = folded(part[0], part[1]), nn.Identity()


def norm_conv(cin: int, cout: int, stride: int) -> nn.Sequential:
    """Return a 3x3 convolution and a batch norm."""
    return nn.Sequential(nn.Conv2d(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d(cout))


def folded(conv: nn.Module, norm: nn.Module) -> nn.Conv2d:
    """Return a convolution with a batch norm after it merged into it."""
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    return fuse_conv_bn_eval(conv, norm)


class HostNetwork(nn.Module):
    """A network that starts from the symbols of latent heads (h, w, c), sent in `order` (S,)."""

    distances: Tensor
    place: Tensor
    channel: Tensor
    head: Tensor

    def __init__(self, heads: Sequence[Shape], order: Tensor, bits: int) -> None:
        super().__init__()
        self.heads, self.n_levels = list(heads), 2**bits
        self.sizes = [h * w * c for h, w, c in heads]
        if len(order) != sum(self.sizes):
            raise ValueError(f"order has {len(order)} positions, and the latent has {sum(self.sizes)}")
        # The last row, all zeros, serves missing symbols: index -1.
        distances = torch.cat([hamming_distances(bits), torch.zeros(1, self.n_levels)])
        self.register_buffer("distances", distances)  # (L + 1, L)
        self.register_buffer("place", torch.argsort(order))  # latent position -> its index in the order
        channel, head = _owners(heads)
        self.register_buffer("channel", channel[order])  # channel of each symbol, counted over all heads
        self.register_buffer("head", F.one_hot(head[order], len(heads)).float())  # (S, heads)
        self.prior = nn.Parameter(torch.zeros(sum(c for _, _, c in heads), self.n_levels))
        self.condition = nn.Sequential(nn.Linear(2 + len(heads), CONDITION), nn.ReLU())

    def posterior(self, symbols: Tensor, ber: Tensor) -> Tensor:
        """Return P(sent level | received symbol, BER), (B, S, L).

        symbols (B, S) int64, -1 where missing; ber (B,), clamped to [1e-4, 0.5].
        """
        index = torch.where(symbols < 0, self.n_levels, symbols)
        return F.softmax(self.prior[self.channel] + self.distances[index] * log_odds(ber)[:, None, None], -1)

    def maps(self, values: Tensor) -> list[Tensor]:
        """Split symbol values (B, S) into the maps of the heads (B, c, h, w)."""
        parts = values[:, self.place].split(self.sizes, 1)
        shaped = [part.reshape(-1, h, w, c) for part, (h, w, c) in zip(parts, self.heads, strict=True)]
        return [part.permute(0, 3, 1, 2) for part in shaped]

    def link_features(self, received: Tensor, ber: Tensor, answered: Tensor) -> Tensor:
        """Return features (B, CONDITION) of the link.

        received (B, S) and answered (B,), float: which symbols, and whether an answer arrived; ber (B,).
        """
        shares = received @ self.head / self.head.sum(0)  # (B, heads)
        return self.condition(torch.cat([log_ber(ber)[:, None], shares, answered[:, None]], 1))

    def fold(self) -> None:
        """Merge every batch norm into its convolution; for evaluation only."""
        for module in [m for m in self.modules() if isinstance(m, Foldable)]:
            module.fold()


class Decoder(HostNetwork):
    """Decoder of the symbols of latent heads, and of an answer, to logits."""

    def __init__(
        self, heads: Sequence[Shape], order: Tensor, bits: int, classes: int, answers: bool, config: DecoderConfig
    ) -> None:
        super().__init__(heads, order, bits)
        self.grids = _grids(heads, config.grids)
        self.stages, width = nn.ModuleList(), 0
        for number, grid in enumerate(self.grids):
            before, width = width, config.width * 2**number
            channels = sum(c for h, w, c in heads if (h, w) == grid)
            self.stages.append(Stage(before, channels, width, config.blocks))
        pooled = sum(size for size, (h, w, _) in zip(self.sizes, heads, strict=True) if h * w == 1)
        self.pooled = nn.Sequential(nn.Linear(pooled, EMBEDDING), nn.ReLU()) if pooled else None
        self.answer = AnswerPosterior(classes) if answers else None
        if answers:
            self.answer_embedding = nn.Sequential(nn.Linear(classes, EMBEDDING), nn.ReLU())
            # Logits of the answer itself by confidence level, and the classes that it speaks for.
            self.gain = nn.Parameter(torch.linspace(0.5, 5.0, CONFIDENCES))
            self.confusion = nn.Parameter(torch.eye(classes))
        features = width + EMBEDDING * ((self.pooled is not None) + answers)
        self.hidden = nn.Sequential(nn.Linear(features, config.hidden), nn.ReLU())
        self.dropout = nn.Dropout(config.dropout)
        self.classify = nn.Linear(config.hidden, classes)

    def classify_values(self, values: Tensor, received: Tensor, ber: Tensor, answer: Tensor | None) -> Tensor:
        """Map symbol values (B, S), which of them were received (B, S) float, BER (B,) and answer (B,) to logits."""
        if self.answer is not None and answer is None:
            answer = torch.full_like(ber, -1, dtype=torch.int64)
        maps = self.maps(values)
        answered = torch.zeros_like(ber) if answer is None else (answer >= 0).to(ber.dtype)
        condition = self.link_features(received, ber, answered)
        x = None
        for stage, grid in zip(self.stages, self.grids, strict=True):
            here = [m for m, (h, w, _) in zip(maps, self.heads, strict=True) if (h, w) == grid]
            x = stage(x, torch.cat(here, 1) if here else None, condition)
        features = [x.mean((2, 3))] if x is not None else []
        if self.pooled is not None:
            here = [m.flatten(1) for m, (h, w, _) in zip(maps, self.heads, strict=True) if h * w == 1]
            features.append(self.pooled(torch.cat(here, 1)))
        direct: Tensor | float = 0.0
        if self.answer is not None:
            sent_class, sent_level = self.answer(answer, ber)
            known = sent_class * (sent_level @ self.gain)[:, None]  # (B, classes), 0 without an answer
            features.append(self.answer_embedding(known))
            direct = known @ self.confusion
        return self.classify(self.dropout(self.hidden(torch.cat(features, 1)))) + direct

    def scale_logits(self, temperature: float) -> None:
        """Divide all logits by a temperature."""
        with torch.no_grad():
            self.classify.weight.div_(temperature)
            self.classify.bias.div_(temperature)
            if self.answer is not None:
                self.confusion.div_(temperature)  # the gain also enters the embedding

    def forward(self, symbols: Tensor, ber: Tensor, answer: Tensor | None, centres: Tensor) -> Tensor:
        """Map symbols (B, S) int64, -1 where missing, BER (B,) and answer words (B,) to logits (B, classes)."""
        received = (symbols >= 0).to(ber.dtype)
        return self.classify_values(self.posterior(symbols, ber) @ centres, received, ber, answer)


def _owners(heads: Sequence[Shape]) -> tuple[Tensor, Tensor]:
    """Return channel, counted over all heads, and head of each latent position, int64 (L,)."""
    channels, numbers, first = [], [], 0
    for number, (h, w, c) in enumerate(heads):
        channels.append(first + torch.arange(c).repeat(h * w))
        numbers.append(torch.full((h * w * c,), number))
        first += c
    return torch.cat(channels), torch.cat(numbers)


def _grids(heads: Sequence[Shape], least: int) -> list[tuple[int, int]]:
    """Return the grids of the stages: from the largest head by halves to the smallest one above 1x1.

    There are at least `least` of them, as far as the grid can be halved.
    """
    grids = {(h, w) for h, w, _ in heads if h * w > 1}
    if not grids:
        return []
    stages = [max(grids)]
    while stages[-1] > min(grids) or len(stages) < least:
        h, w = stages[-1]
        if h % 2 or w % 2:
            break
        stages.append((h // 2, w // 2))
    if not grids <= set(stages):
        raise TrainError("encoder.layers: the grids of the heads must be halves of each other")
    return stages
