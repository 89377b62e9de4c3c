"""DeepCOD (Yao et al. 2020, SenSys, doi 10.1145/3384419.3430898): compressive encoder, attentive decoder, distillation.

Encoder: one convolution (4x4, stride 4, C -> C/2), without anything after it. Decoder: self-attention (SAGAN, Zhang et
al. 2018, arXiv 1805.08318) and residual transposed convolutions, twice. Neither end is told the link's condition.
Knowledge is distilled from the base classifier on the clean features; in the public code of SemanticNN (arXiv
2511.11038) its feature terms are detached on both sides, and teach nothing. Here the student's side has a gradient.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.codecs.split.split_codec import SplitCodec, Stage
from train.impairment import Impairment

DISTILLED_BLOCKS = 4  # the first ones
ORTHOGONAL = 1e-4  # weight of the regularization


class SelfAttention(nn.Module):
    """SAGAN's: every position looks at all others; x + gamma o, gamma from 0, so that it starts as nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 8)
        self.query, self.key = nn.Conv2d(channels, inner, 1), nn.Conv2d(channels, inner, 1)
        self.value, self.out = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) -> the same shape."""
        query, key, value = (part(x).flatten(2).transpose(1, 2) for part in (self.query, self.key, self.value))
        found = F.scaled_dot_product_attention(query, key, value, scale=1.0)  # (B, h*w, C)
        return x + self.gamma * self.out(found.transpose(1, 2).unflatten(2, x.shape[2:]))


class ResidualUp(nn.Module):
    """Two transposed convolutions beside a third one: twice the height, the width and the channels."""

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
    """Features (C, 4n, 4m) as a code (n, m, C/2): as many symbols as SemanticNN sends."""

    def build(self) -> None:
        """Encoder and decoder of the code."""
        c, _, _ = self.feature_shape
        self.latent_shape = self.quarter()
        self.conv = nn.Conv2d(c, c // 2, 4, 4)
        nn.init.orthogonal_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)
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
        """One: the task and the distillation at once."""
        return (Stage("task", 1.0),)

    def encode(self, features: Tensor, ber: Tensor) -> Tensor:
        """Features (B, C, H', W') -> code (B, C/2, h, w); the encoder is not told the BER."""
        return self.conv(features)

    def reconstruct(self, values: Tensor, ber: Tensor) -> Tensor:
        """Code as received (B, C/2, h, w) -> features (B, C, H', W'); the decoder is not told the BER."""
        return self.decoder(values)

    def loss(self, stage: str, images: Tensor, labels: Tensor, link: Impairment) -> Tensor:
        """Cross-entropy, distillation (mean square errors of block outputs and logits), orthogonal kernels."""
        with torch.no_grad():
            features = self.classifier.features(images)
            targets = self.seen_behind(features)
        z = self.encode(features, link.given_ber).permute(0, 2, 3, 1).flatten(1)[:, self.order]
        values, _ = self.transmit(z, link)
        seen = self.seen_behind(self.reconstruct(self.place(values), link.given_ber))
        loss = F.cross_entropy(seen[-1], labels)
        for ours, target in zip(seen, targets, strict=True):
            loss = loss + F.mse_loss(ours, target)
        return loss + ORTHOGONAL * sum(skew(layer.weight) for layer in self.convolutions())

    def seen_behind(self, features: Tensor) -> list[Tensor]:
        """Features (B, C, H', W') -> what the base classifier makes of them: its first blocks' outputs, its logits."""
        outputs = self.classifier.block_outputs(features)
        return [*outputs[:DISTILLED_BLOCKS], self.classifier.head(outputs[-1])]

    def convolutions(self) -> list[nn.Conv2d | nn.ConvTranspose2d]:
        """Those of the codec, encoder and decoder."""
        layers = [self.conv, *self.decoder.modules()]
        return [layer for layer in layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]


def skew(weight: Tensor) -> Tensor:
    """|W W' - 1|^2 / 2 of a convolution's kernels as the rows of W: 0 where they are orthonormal."""
    rows = weight.flatten(1)
    return (rows @ rows.T - torch.eye(len(rows), device=rows.device)).square().sum() / 2
