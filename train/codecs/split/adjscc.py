"""ADJSCC (Xu et al. 2020, arXiv 2012.00533): attention conditioned on the SNR at both ends, trained end to end.

Encoder: three feature learning modules (convolution, GDN, PReLU) with attention between them, power normalization.
Decoder: two transposed ones (with IGDN) and their attention, then a transposed convolution and IGDN. Layers are those
of the "3+3" variant to which SemanticNN (arXiv 2511.11038) is compared, without its sigmoid: features exceed 1.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from channel_sim.channels.by_ber import at_ber
from train.codecs.split.attention import AttentionFeature
from train.codecs.split.gdn import GDN
from train.codecs.split.semanticnn import Expand, start
from train.codecs.split.split_codec import BER_MIN, SplitCodec, Stage
from train.impairment import Impairment

WORST_BER = 0.3  # told as -8.6 dB; towards 0.5, dB go to minus infinity


class Reduce(nn.Module):
    """Feature learning module of the device: convolution, GDN, PReLU."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, stride, padding)
        nn.init.kaiming_normal_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)
        self.norm = GDN(cout)
        self.activation = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, cin, h, w) -> (B, cout, h', w')."""
        return self.activation(self.norm(self.conv(x)))


class ADJSCC(SplitCodec):
    """Features (C, 4n, 4m) as a code (n, m, C/2): as many symbols as SemanticNN sends."""

    def build(self) -> None:
        """Encoder and decoder of the code."""
        c, _, _ = self.feature_shape
        self.latent_shape = self.quarter()
        # 4n -> 4n + 3 -> 2n + 1 -> n -> 2n + 1 -> 4n + 3 -> 4n
        self.encoder = nn.ModuleList([Reduce(c, 2 * c, 2, 1, 2), Reduce(2 * c, c, 3, 2, 0), Reduce(c, c // 2, 3, 2, 0)])
        nn.init.ones_(self.encoder[2].activation.weight)  # as SemanticNN's: half-closed, the lowest centres lie idle
        self.attention = nn.ModuleList([AttentionFeature(2 * c), AttentionFeature(c)])
        self.decoder = nn.ModuleList([Expand(c // 2, c, 2, 0), Expand(c, 2 * c, 2, 0)])
        self.last = nn.ConvTranspose2d(2 * c, c, 2, 1, 2)
        start(self.last)
        self.norm = GDN(c, inverse=True)
        self.set_order(torch.arange(math.prod(self.latent_shape)))

    @property
    def stages(self) -> tuple[Stage, ...]:
        """One: the task."""
        return (Stage("task", 1.0),)

    def encode(self, features: Tensor, ber: Tensor) -> Tensor:
        """Features (B, C, H', W'), BER last reported (B,) -> code of unit mean power (B, C/2, h, w)."""
        told = snr(ber)
        first, second, last = self.encoder
        code = self.attention[0](first(features), told)
        code = last(self.attention[1](second(code), told))
        return code / code.square().mean((1, 2, 3), keepdim=True).add(1e-12).sqrt()

    def reconstruct(self, values: Tensor, ber: Tensor) -> Tensor:
        """Code as received (B, C/2, h, w), BER as estimated (B,) -> features (B, C, H', W')."""
        told = snr(ber)
        for layer in self.decoder:
            values = layer(values, told)
        return self.norm(self.last(values))

    def loss(self, stage: str, images: Tensor, labels: Tensor, link: Impairment) -> Tensor:
        """Cross-entropy of the task.

        The original minimises the error of the picture. Here every system is judged by the classes it gets right,
        and a system that is trained for something else would lose for that reason alone.
        """
        values, _ = self.transmit(self.latent_in_order(images, link.given_ber), link)
        return F.cross_entropy(self.classify_values(values, link.given_ber), labels)


def snr(ber: Tensor) -> Tensor:
    """BER (B,) -> SNR (B,) at which BPSK over white noise has it, BER = Q(sqrt(2 snr)), in units of 4 dB.

    In such units it spans about [-2, 2], as the inputs beside it and the log BER that SemanticNN is told.
    """
    rate = ber.clamp(BER_MIN, WORST_BER).cpu().double().numpy()
    return torch.from_numpy(at_ber("bpsk-awgn", rate).ebn0_db / 4).to(ber)
