"""SemanticNN (Huang et al. 2025, arXiv 2511.11038): soft quantization, BER-aware decoder, two stages, XAI.

Encoder: one convolution (4x4, stride 4, C -> C/2), GDN, PReLU, power normalization. Decoder: five transposed
convolutions with IGDN, and attention modules that get the BER. Stage 1 learns to clean features (denoising
autoencoder), stage 2 to classify. docs/systems.md has the equations and the differences from the published code.
"""

import math
from dataclasses import dataclass

import torch
from captum.attr import IntegratedGradients
from torch import Tensor, nn
from torch.nn import functional as F

from train import parallel, settings
from train.codecs.decoder import log_ber
from train.codecs.split.attention import AttentionFeature
from train.codecs.split.gdn import GDN
from train.codecs.split.split_codec import SplitCodec, Stage, zero_bias
from train.impairment import Impairment
from wire.model import MIN_BER


def init_transposed(conv: nn.ConvTranspose2d) -> None:
    """Initialise weights to keep the variance (He et al. 2015, arXiv 1502.01852).

    PyTorch's own fan-in is not that of a transposed convolution.
    """
    fan_in = conv.in_channels * conv.kernel_size[0] * conv.kernel_size[1] / (conv.stride[0] * conv.stride[1])
    nn.init.normal_(conv.weight, 0.0, (2 / fan_in) ** 0.5)
    zero_bias(conv)


class Expand(nn.Module):
    """Transposed convolution, IGDN, PReLU, and attention that gets the link's condition."""

    def __init__(self, cin: int, cout: int, stride: int, padding: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(cin, cout, 3, stride, padding)
        init_transposed(self.conv)
        self.norm = GDN(cout, inverse=True)
        self.activation = nn.PReLU()
        self.attention = AttentionFeature(cout)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """(B, cin, h, w), (B,) -> (B, cout, h', w')."""
        return self.attention(self.activation(self.norm(self.conv(x))), condition)


class FeatureDecoder(nn.Module):
    """Decoder of a code (B, C/2, n, n) and a condition (B,) to features (B, C, 4n, 4n).

    Kernels, strides and channels are the published ones. Each layer crops its border; the published code
    crops once, in the last layer. Only the means in the attention modules used the border, which is 28 % of the work.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        c = channels
        # n -> n -> n + 2 -> 2n + 1 -> 4n + 1 -> 4n
        self.expand = nn.ModuleList(
            [
                Expand(c // 2, c, 1, 1),
                Expand(c, 3 * c // 2, 1, 0),
                Expand(3 * c // 2, 2 * c, 2, 2),
                Expand(2 * c, 3 * c // 2, 2, 1),
            ]
        )
        self.last = nn.ConvTranspose2d(3 * c // 2, c, 2, 1, 1)
        init_transposed(self.last)
        self.norm = GDN(c, inverse=True)

    def forward(self, code: Tensor, condition: Tensor) -> Tensor:
        """(B, C/2, n, n), (B,) -> (B, C, 4n, 4n)."""
        for layer in self.expand:
            code = layer(code, condition)
        return self.norm(self.last(code))


class SemanticNN(SplitCodec):
    """SemanticNN as in the paper, for PyTorch."""

    @dataclass(frozen=True)
    class Options(SplitCodec.Options):
        """Settings of a config. Raises TrainError for a value out of range."""

        compression: float = 0.0  # share of the code that is not sent: all but a central rectangle
        stage1: float = 0.3  # share of the epochs in stage 1; 0: task-oriented training only
        usage: float = 2.0  # weight of the centre-usage regularizer
        xai: bool = True  # attribution term in the loss of stage 2
        xai_weight: float = 0.5  # weight of the attribution term
        xai_images: int = 16  # images of each batch that are attributed
        soft_quantization: bool = True  # false: straight-through gradient, fixed centres
        ber_input: bool = True  # false: the decoder does not get the BER

        def __post_init__(self) -> None:
            settings.check(
                {
                    "compression must be 0 to below 1": 0 <= self.compression < 1,
                    "stage1 must be 0 to 1": 0 <= self.stage1 <= 1,
                    "usage must be at least 0": self.usage >= 0,
                    "xai_weight must be at least 0": self.xai_weight >= 0,
                    "xai_images must be at least 1": self.xai_images >= 1,
                },
                "options",
            )

    options: Options

    def build(self) -> None:
        """Create the layers of encoder and decoder."""
        self.latent_shape = self.quarter()
        self.build_encoder()
        self.decoder = FeatureDecoder(self.feature_shape[0])
        self.quantizer.requires_grad_(self.options.soft_quantization)
        self.set_order(central_positions(self.latent_shape, self.options.compression))

    def build_encoder(self) -> None:
        """Create the layers of `encode`."""
        channels, _, _ = self.feature_shape
        self.conv = nn.Conv2d(channels, channels // 2, 4, 4)
        self.norm = GDN(channels // 2)
        self.activation = nn.PReLU(init=1.0)  # at PyTorch's 0.25, the lowest centres start out of reach

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Denoising autoencoder, then task-oriented training."""
        share = self.options.stage1
        both = (Stage("stage 1", share), Stage("stage 2", 1 - share))
        return tuple(stage for stage in both if stage.share > 0)

    def encode(self, features: Tensor, ber: Tensor) -> Tensor:
        """Encode features (B, C, H', W') to a code of unit mean power (B, C/2, h, w); the BER is not used."""
        code = self.activation(self.norm(self.conv(features)))
        return code / code.square().mean((1, 2, 3), keepdim=True).add(1e-12).sqrt()

    def reconstruct(self, values: Tensor, ber: Tensor) -> Tensor:
        """Decode a received code (B, C/2, h, w) at BER (B,) to features (B, C, H', W')."""
        condition = log_ber(ber) if self.options.ber_input else torch.zeros_like(ber)
        return self.decoder(values, condition)

    def transmit(self, z: Tensor, impairment: Impairment) -> tuple[Tensor, Tensor]:
        """Send latent values as `SplitCodec.transmit` does.

        Without soft quantization, the gradient of an intact symbol goes straight to its latent value.
        """
        values, soft = super().transmit(z, impairment)
        if not self.options.soft_quantization:
            values = values.detach() + torch.where(impairment.flips == 0, z - z.detach(), 0.0)
        return values, soft

    def loss(self, stage: str, images: Tensor, labels: Tensor, impairment: Impairment) -> Tensor:
        """Stage 1: mean square error of the cleaned features. Stage 2: cross-entropy, centre usage, XAI."""
        z = self.latent_in_order(images, impairment.given_ber)
        values, soft = self.transmit(z, impairment)
        if stage == "stage 1":
            with torch.no_grad():
                features = self.classifier.features(images)
            return F.mse_loss(self.reconstruct(self.place(values), impairment.given_ber), features)
        loss = F.cross_entropy(self.classify_values(values, impairment.given_ber), labels)
        loss = loss + self.options.usage * usage_loss(soft)
        n, weight = parallel.leading(self.options.xai_images, len(images))
        if self.options.xai and n:
            clean, _ = self.transmit(z[:n], impairment.clean(n))
            entropy = attribution_entropy(self.attribution(clean, labels[:n]))
            loss = loss + self.options.xai_weight * weight * entropy
        return loss

    def attribution(self, values: Tensor, labels: Tensor) -> Tensor:
        """Return integrated gradients of the loss (B, S) at the quantized code `values` (B, S), from a code of zeros.

        Sundararajan et al. 2017 (arXiv 1703.01365), trapezoid over the two ends of the path, as in the paper's code
        (captum's weights are half as large, and only shares matter). The gradients are constants, (value - baseline)
        is not: through it the encoder learns.
        """

        def losses(point: Tensor, target: Tensor) -> Tensor:
            ber = point.new_full((len(point),), MIN_BER)
            return F.cross_entropy(self.classify_values(point, ber), target, reduction="none")

        return IntegratedGradients(losses).attribute(
            values, baselines=0.0, additional_forward_args=labels, n_steps=2, method="riemann_trapezoid"
        )


def central_positions(latent_shape: tuple[int, int, int], compression: float) -> Tensor:
    """Return the positions (S,), row-major in (h, w, c), of the central rectangle that `compression` leaves.

    The positions are listed channel by channel.
    """
    h, w, c = latent_shape
    side = (1 - compression) ** 0.5
    rows, columns = max(1, round(h * side)), max(1, round(w * side))
    top, left = (h - rows) // 2, (w - columns) // 2
    positions = torch.arange(h * w * c).reshape(h, w, c)[top : top + rows, left : left + columns]
    return positions.reshape(-1, c).T.reshape(-1)


def usage_loss(soft: Tensor) -> Tensor:
    """Return the mean square deviation of the centres' use from uniform.

    soft (B, S, L): soft assignments, since counts have no gradient.
    """
    n_levels = soft.shape[-1]
    return (parallel.mean(soft.mean((0, 1))) - 1 / n_levels).square().mean()


def attribution_entropy(attribution: Tensor) -> Tensor:
    """Return the entropy of the symbols' shares in |attribution| (B, S), from 0 (one symbol) to 1 (all alike)."""
    share = attribution.abs() + 1e-12
    share = share / share.sum(1, keepdim=True)
    entropy = -(share * share.log()).sum(1)
    return entropy.mean() / math.log(attribution.shape[1])
