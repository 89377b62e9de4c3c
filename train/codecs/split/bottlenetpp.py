"""BottleNet++ (Shao and Zhang 2020, ICC Workshops, arXiv 1910.14315): a bottleneck trained through the channel.

Encoder: one convolution that reduces size and channels and also gets the link's condition, batch norm, sigmoid.
Decoder: one transposed convolution, batch norm, ReLU. The codec is trained within the frozen base classifier first,
then with it (`[fine_tune]`).

Differences from the paper and its public code:
- Symbols pass the quantizer of all split codecs and bit flips, not white noise or erasures of the bits of 8-bit values.
- The condition is the log of the BER of each image; there, it is one standard deviation or erasure rate per batch.
- The code has as many symbols as SemanticNN's: 4x4 with stride 4, not 2x2 with stride 2.
- In the public code, the decoder of a spatially reduced code is a 3x3 convolution, which does not restore the size.
- Batch norms of the base classifier keep their averages in the fine-tuning.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.codecs.decoder import log_ber
from train.codecs.split.semanticnn import init_transposed
from train.codecs.split.split_codec import SplitCodec, Stage
from train.impairment import Impairment

# The sigmoid of a Gaussian of mean 0 and deviation 1 has mean 1/2 and this deviation: divided by it, the code starts in
# the units of the quantizer's centres.
DEVIATION = 0.208


class BottleNetPP(SplitCodec):
    """Codec of features (C, 4n, 4m) as a code (C/2, n, m): as many symbols as SemanticNN sends."""

    adapts = True

    def build(self) -> None:
        """Create the layers of encoder and decoder."""
        c, _, _ = self.feature_shape
        self.latent_shape = self.quarter()
        self.conv = nn.Conv2d(c + 1, c // 2, 4, 4, bias=False)
        self.norm = nn.BatchNorm2d(c // 2)
        self.up = nn.ConvTranspose2d(c // 2, c, 4, 4, bias=False)
        init_transposed(self.up)
        self.up_norm = nn.BatchNorm2d(c)
        self.set_order(torch.arange(math.prod(self.latent_shape)))

    @property
    def stages(self) -> tuple[Stage, ...]:
        """One stage: the task."""
        return (Stage("task", 1.0),)

    def encode(self, features: Tensor, ber: Tensor) -> Tensor:
        """Encode features (B, C, H', W') at the last reported BER (B,) to a code (B, C/2, h, w)."""
        condition = log_ber(ber)[:, None, None, None].expand(-1, 1, *features.shape[2:])
        code = torch.sigmoid(self.norm(self.conv(torch.cat([features, condition], 1))))
        return (code - 0.5) / DEVIATION

    def reconstruct(self, values: Tensor, ber: Tensor) -> Tensor:
        """Decode a received code (B, C/2, h, w) to features (B, C, H', W'); the BER is not used."""
        return F.relu(self.up_norm(self.up(values)))

    def loss(self, stage: str, images: Tensor, labels: Tensor, impairment: Impairment) -> Tensor:
        """Return the cross-entropy of the task."""
        values, _ = self.transmit(self.latent_in_order(images, impairment.given_ber), impairment)
        return F.cross_entropy(self.classify_values(values, impairment.given_ber), labels)
