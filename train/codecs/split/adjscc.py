"""ADJSCC (Xu et al. 2020, arXiv 2012.00533): attention conditioned on the SNR at both ends, trained end to end.

Encoder: three feature learning modules (convolution, GDN, PReLU) with attention between them, power normalization.
Decoder: two transposed modules (with IGDN) and their attention, then a transposed convolution and IGDN.

Differences from the paper:
- Symbols pass a quantizer and bit flips, not white noise.
- Layers are those of the "3+3" variant that SemanticNN (arXiv 2511.11038) compares with, without its sigmoid:
  features exceed 1.
- The loss is the task's, not the error of the image.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from channel_sim.channels.by_ber import at_ber
from channel_sim.channels.psk import Psk
from train.codecs.split.attention import AttentionFeature
from train.codecs.split.gdn import GDN
from train.codecs.split.semanticnn import Expand, init_transposed
from train.codecs.split.split_codec import SplitCodec, Stage, zero_bias
from train.impairment import Impairment
from wire.model import MIN_BER

WORST_BER = 0.3  # -8.6 dB; at 0.5 the SNR in dB would be minus infinity


class Reduce(nn.Module):
    """Feature learning module of the device: convolution, GDN, PReLU."""

    def __init__(self, cin: int, cout: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, stride, padding)
        nn.init.kaiming_normal_(self.conv.weight)
        zero_bias(self.conv)
        self.norm = GDN(cout)
        self.activation = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """(B, cin, h, w) -> (B, cout, h', w')."""
        return self.activation(self.norm(self.conv(x)))


class ADJSCC(SplitCodec):
    """Codec of features (C, 4n, 4m) as a code (C/2, n, m): as many symbols as SemanticNN sends."""

    adapts = True

    def build(self) -> None:
        """Create the layers of encoder and decoder."""
        c, _, _ = self.feature_shape
        self.latent_shape = self.quarter()
        # 4n -> 4n + 3 -> 2n + 1 -> n -> 2n + 1 -> 4n + 3 -> 4n
        reduce = [Reduce(c, 2 * c, 2, 1, 2), Reduce(2 * c, c, 3, 2, 0), Reduce(c, c // 2, 3, 2, 0)]
        nn.init.ones_(reduce[2].activation.weight)  # as SemanticNN's: at 0.25, the lowest centres are unused
        self.encoder = nn.ModuleList(reduce)
        self.attention = nn.ModuleList([AttentionFeature(2 * c), AttentionFeature(c)])
        self.decoder = nn.ModuleList([Expand(c // 2, c, 2, 0), Expand(c, 2 * c, 2, 0)])
        self.last = nn.ConvTranspose2d(2 * c, c, 2, 1, 2)
        init_transposed(self.last)
        self.norm = GDN(c, inverse=True)
        self.set_order(torch.arange(math.prod(self.latent_shape)))

    @property
    def stages(self) -> tuple[Stage, ...]:
        """One stage: the task."""
        return (Stage("task", 1.0),)

    def encode(self, features: Tensor, ber: Tensor) -> Tensor:
        """Encode features (B, C, H', W') at the last reported BER (B,) to a code of unit mean power (B, C/2, h, w)."""
        condition = snr(ber)
        first, second, last = self.encoder
        code = self.attention[0](first(features), condition)
        code = last(self.attention[1](second(code), condition))
        return code / code.square().mean((1, 2, 3), keepdim=True).add(1e-12).sqrt()

    def reconstruct(self, values: Tensor, ber: Tensor) -> Tensor:
        """Decode a received code (B, C/2, h, w) at the estimated BER (B,) to features (B, C, H', W')."""
        condition = snr(ber)
        for layer in self.decoder:
            values = layer(values, condition)
        return self.norm(self.last(values))

    def loss(self, stage: str, images: Tensor, labels: Tensor, impairment: Impairment) -> Tensor:
        """Return the cross-entropy of the task.

        The original minimises the error of the image. The comparison counts correct classes, and a codec that is
        trained for something else would lose for that reason alone.
        """
        values, _ = self.transmit(self.latent_in_order(images, impairment.given_ber), impairment)
        return F.cross_entropy(self.classify_values(values, impairment.given_ber), labels)


def snr(ber: Tensor) -> Tensor:
    """Map BER (B,) to the SNR (B,) of BPSK over white noise, BER = Q(sqrt(2 snr)), in units of 4 dB.

    In these units it spans about [-2, 2], like the other inputs of a network and SemanticNN's log BER.
    """
    rate = ber.clamp(MIN_BER, WORST_BER).cpu().double().numpy()
    channel = at_ber("bpsk-awgn", rate)
    assert isinstance(channel, Psk)
    return torch.from_numpy(channel.ebn0_db / 4).to(ber)
