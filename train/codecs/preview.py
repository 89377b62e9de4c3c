"""The preview network: received symbols and the bit error rate -> a reconstruction of the image, on the host.

It starts as the decoder does, with the expected value of each symbol's centre, but goes from the smallest grid to the
image: each stage doubles the grid by a sub-pixel convolution (Shi et al. 2016, arXiv 1609.05158), halves the channels
and adds the latent heads of its grid. Few bytes leave most of an image open, and what the network adds is what was
likely in its training images: a preview may show what was not there.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.codecs.codec import Codec
from train.codecs.decoder import CONDITION, Foldable, HostNetwork, ResidualBlock, Shape, folded, norm_conv
from train.config import PreviewNetworkConfig
from train.errors import TrainError

WINDOW, STRIDE = 8, 4  # pixels: height and width of the windows of the structural similarity, and their distance
SCALES = 3  # of the structural similarity in the loss, each half of the one before
C1, C2 = 0.01**2, 0.03**2  # stabilisers of the structural similarity, for values in [0, 1]


class UpStage(Foldable):
    """The network at one grid: the stage before it, enlarged to twice its grid, plus heads; then blocks."""

    def __init__(self, before: int, heads: int, width: int, blocks: int) -> None:
        super().__init__()
        self.up = None
        if before:
            up = nn.Conv2d(before, 4 * width, 1, bias=False)
            self.up = nn.Sequential(up, nn.BatchNorm2d(4 * width), nn.PixelShuffle(2))
        self.stem = norm_conv(heads, width, 1) if heads else None
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))

    def forward(self, x: Tensor | None, values: Tensor | None, condition: Tensor) -> Tensor:
        """Map features (B, before, h/2, w/2) and values of heads (B, heads, h, w), if any, to (B, width, h, w)."""
        parts = []
        if self.up is not None and x is not None:
            parts.append(self.up(x))
        if self.stem is not None and values is not None:
            parts.append(self.stem(values))
        y = F.relu(parts[0] + parts[1] if len(parts) > 1 else parts[0])
        for block in self.blocks:
            y = block(y, condition)
        return y

    def fold(self) -> None:
        """Merge the batch norms of the first convolutions into them; the blocks have their own `fold`."""
        for part in (self.up, self.stem):
            if part is not None:
                part[0], part[1] = folded(part[0], part[1]), nn.Identity()


class Preview(HostNetwork):
    """Preview network for the payloads of a codec, of which it has a copy of the centres."""

    centres: Tensor

    def __init__(self, codec: Codec, config: PreviewNetworkConfig) -> None:
        super().__init__(codec.heads, codec.order, codec.quantizer.bits)
        height, width, channels = codec.input_shape
        self.grids = _grids(codec.heads, (height // 2, width // 2))
        self.register_buffer("centres", codec.latent_centres().detach().clone())
        with torch.no_grad():
            self.prior.copy_(codec.decoder.get_parameter("prior"))
        self.stages, before = nn.ModuleList(), 0
        for number, grid in enumerate(self.grids):
            n_channels = min(config.width * 2 ** (len(self.grids) - 1 - number), config.max_width)
            heads = sum(c for h, w, c in codec.heads if (h, w) == grid)
            self.stages.append(UpStage(before, heads, n_channels, config.blocks))
            before = n_channels
        self.last = nn.Sequential(nn.Conv2d(before, 4 * channels, 3, padding=1), nn.PixelShuffle(2))
        pooled = sum(c for h, w, c in codec.heads if h * w == 1)
        self.pooled = nn.Linear(pooled, CONDITION) if pooled else None

    def forward(self, symbols: Tensor, ber: Tensor) -> Tensor:
        """Map symbols (B, S) int64, -1 where missing, and BER (B,) to images (B, C, H, W) in [0, 1]."""
        maps = self.maps(self.posterior(symbols, ber) @ self.centres)
        condition = self.link_features((symbols >= 0).to(ber.dtype), ber, torch.zeros_like(ber))
        if self.pooled is not None:  # heads of one pixel modulate all grids, as the link's condition does
            whole = [m.flatten(1) for m, (h, w, _) in zip(maps, self.heads, strict=True) if h * w == 1]
            condition = condition + self.pooled(torch.cat(whole, 1))
        x = None
        for stage, grid in zip(self.stages, self.grids, strict=True):
            here = [m for m, (h, w, _) in zip(maps, self.heads, strict=True) if (h, w) == grid]
            x = stage(x, torch.cat(here, 1) if here else None, condition)
        return torch.sigmoid(self.last(x))


def _grids(heads: Sequence[Shape], largest: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the grids of the stages, from the smallest latent head above 1x1 by doubles to `largest`.

    Raises TrainError if a head does not fit in.
    """
    of_heads = {(h, w) for h, w, _ in heads if h * w > 1}
    if not of_heads:
        raise TrainError("codec: a preview needs a latent head with a grid, and all heads of this codec are of 1 x 1")
    grids = [min(of_heads)]
    while grids[-1] < largest:
        h, w = grids[-1]
        grids.append((2 * h, 2 * w))
    if grids[-1] != largest or not of_heads <= set(grids):
        raise TrainError("codec: a preview needs latent heads of at most half the image's height and width")
    return grids


def structural_similarity(one: Tensor, two: Tensor) -> Tensor:
    """Return the structural similarity (B,) of images (B, C, H, W) in [0, 1], at most 1.

    Wang et al. 2004, with uniform windows of 8 x 8 pixels, every 4 pixels: dense windows cost as much as the network.
    An image that is smaller is one window.
    """
    size = min(WINDOW, *one.shape[2:])

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, size, STRIDE)

    m1, m2 = mean(one), mean(two)
    v1, v2, v12 = mean(one * one) - m1 * m1, mean(two * two) - m2 * m2, mean(one * two) - m1 * m2
    found = (2 * m1 * m2 + C1) * (2 * v12 + C2) / ((m1 * m1 + m2 * m2 + C1) * (v1 + v2 + C2))
    return found.mean((1, 2, 3))


def preview_loss(predicted: Tensor, images: Tensor, structure_weight: float) -> Tensor:
    """Return the mean absolute error plus the weighted structural dissimilarity, whose mean is over three scales."""
    loss = (predicted - images).abs().mean()
    for scale in range(SCALES):
        if scale:
            predicted, images = F.avg_pool2d(predicted, 2), F.avg_pool2d(images, 2)
        loss = loss + structure_weight / SCALES * (1 - structural_similarity(predicted, images).mean())
    return loss
