"""DeepCOD (Yao et al. 2020, SenSys, doi 10.1145/3384419.3430898): compressive encoder, attentive decoder, distillation.

Encoder: one convolution (4x4, stride 4, C -> C/2) and nothing after it. Decoder: self-attention (SAGAN, Zhang et al.
2018, arXiv 1805.08318) and residual transposed convolutions, twice. Neither end gets the link's condition.
The codec distils knowledge from the base classifier on the clean features.

Differences from the public code of SemanticNN (arXiv 2511.11038), which compares with DeepCOD:
- The student's side of the distillation has a gradient. There, both sides are detached, so the loss has no effect.
- The code has as many symbols as SemanticNN's, not four times as many.
- Attention covers all positions, without pooling.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.codecs.split.split_codec import SplitCodec, Stage, zero_bias
from train.impairment import Impairment

DISTILLED_BLOCKS = 4  # the first ones
ORTHOGONAL = 1e-4  # weight of the regularization


class SelfAttention(nn.Module):
    """SAGAN's self-attention: x + gamma o; gamma starts at 0, so that the module starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 8)
        self.query, self.key = nn.Conv2d(channels, inner, 1), nn.Conv2d(channels, inner, 1)
        self.value, self.out = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        query, key, value = (part(x).flatten(2).transpose(1, 2) for part in (self.query, self.key, self.value))
        attended = F.scaled_dot_product_attention(query, key, value, scale=1.0)  # (B, h*w, C)
        return x + self.gamma * self.out(attended.transpose(1, 2).unflatten(2, x.shape[2:]))


class ResidualUp(nn.Module):
    """Two transposed convolutions in parallel with a third: twice the height, the width and the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.main = nn.Sequential(
            nn.ConvTranspose2d(channels, wide, 3, 2, 1, 1),
            nn.BatchNorm2d(wide),
            nn.LeakyReLU(),
            nn.ConvTranspose2d(wide, wide, 3, 1, 1),
            nn.BatchNorm2d(wide),
            nn.LeakyReLU(),
        )
        self.beside = nn.ConvTranspose2d(channels, wide, 3, 2, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, 2C, 2h, 2w)."""
        return self.main(x) + self.beside(x)


class DeepCOD(SplitCodec):
    """Codec of features (C, 4n, 4m) as a code (C/2, n, m): as many symbols as SemanticNN sends."""

    def build(self) -> None:
        """Create the layers of encoder and decoder."""
        c, _, _ = self.feature_shape
        self.latent_shape = self.quarter()
        self.conv = nn.Conv2d(c, c // 2, 4, 4)
        nn.init.orthogonal_(self.conv.weight)
        zero_bias(self.conv)
        self.decoder = nn.Sequential(
            SelfAttention(c // 2),
            ResidualUp(c // 2),
            SelfAttention(c),
            ResidualUp(c),
            nn.BatchNorm2d(2 * c),
            nn.LeakyReLU(),
            nn.Conv2d(2 * c, c, 3, 1, 1),
        )
        self.set_order(torch.arange(math.prod(self.latent_shape)))

    @property
    def stages(self) -> tuple[Stage, ...]:
        """One stage: the task and the distillation together."""
        return (Stage("task", 1.0),)

    def encode(self, features: Tensor, ber: Tensor) -> Tensor:
        """Encode features (B, C, H', W') to a code (B, C/2, h, w); the BER is not used."""
        return self.conv(features)

    def reconstruct(self, values: Tensor, ber: Tensor) -> Tensor:
        """Decode a received code (B, C/2, h, w) to features (B, C, H', W'); the BER is not used."""
        return self.decoder(values)

    def loss(self, stage: str, images: Tensor, labels: Tensor, impairment: Impairment) -> Tensor:
        """Cross-entropy, distillation (mean square errors of block outputs and logits), orthogonal kernels."""
        with torch.no_grad():
            features = self.classifier.features(images)
            targets = self.distilled_outputs(features)
        z = self.encode(features, impairment.given_ber).permute(0, 2, 3, 1).flatten(1)[:, self.order]
        values, _ = self.transmit(z, impairment)
        outputs = self.distilled_outputs(self.reconstruct(self.place(values), impairment.given_ber))
        loss = F.cross_entropy(outputs[-1], labels)
        for output, target in zip(outputs, targets, strict=True):
            loss = loss + F.mse_loss(output, target)
        return loss + ORTHOGONAL * sum(orthogonality_loss(layer.weight) for layer in self.convolutions())

    def distilled_outputs(self, features: Tensor) -> list[Tensor]:
        """Return the base classifier's first block outputs and its logits for features (B, C, H', W')."""
        outputs = self.classifier.block_outputs(features)
        return [*outputs[:DISTILLED_BLOCKS], self.classifier.head(outputs[-1])]

    def convolutions(self) -> list[nn.Conv2d | nn.ConvTranspose2d]:
        """Return the convolutions of encoder and decoder."""
        layers = [self.conv, *self.decoder.modules()]
        return [layer for layer in layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]


def orthogonality_loss(weight: Tensor) -> Tensor:
    """Return |W W' - 1|^2 / 2, the rows of W being a convolution's kernels: 0 if they are orthonormal."""
    rows = weight.flatten(1)
    return (rows @ rows.T - torch.eye(len(rows), device=rows.device)).square().sum() / 2
