"""Inkling's codec in front of a frozen classifier: what training everything together is worth.

Encoder, quantizer and the first step of the host are Inkling's: the posterior of each symbol, of which codec.py and
decoder.py have the equations, and residual blocks that know the bit error rate. Then the grid grows to that of the
features behind the classifier's stem, and the rest of the frozen classifier decides, where Inkling's own network would.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.codecs.decoder import HostNetwork, Shape, Stage
from train.codecs.deployable import DeployableCodec, scale_layer
from train.codecs.encoder import Encoder
from train.codecs.preview import UpStage
from train.codecs.split import split_codec
from train.codecs.split.semanticnn_inkling import TRUNK, check_trunk, inkling_encoder
from train.codecs.split.split_codec import SplitCodec
from train.compute_device import autocast
from train.config import DecoderConfig
from train.impairment import Impairment


class FeatureNetwork(HostNetwork):
    """A host's network from the symbols of one latent head (n, n, c) to features (C, 4n, 4n)."""

    def __init__(self, head: Shape, order: Tensor, bits: int, channels: int, config: DecoderConfig) -> None:
        super().__init__([head], order, bits)
        width = config.width
        self.first = Stage(0, head[2], width, config.blocks)
        self.grown = nn.ModuleList([UpStage(width, 0, width // 2, 1), UpStage(width // 2, 0, width // 4, 1)])
        self.last = nn.Conv2d(width // 4, channels, 3, padding=1)

    def forward(self, latent: Tensor, ber: Tensor) -> Tensor:
        """Map expected latent values (B, c, n, n), all of which arrived, and BER (B,) to features (B, C, 4n, 4n)."""
        arrived = latent.new_ones(latent.shape[0], len(self.head))
        condition = self.link_features(arrived, ber, torch.zeros_like(ber))
        x = self.first(None, latent, condition)
        for stage in self.grown:
            x = stage(x, None, condition)
        return self.last(x)


class InklingFrozen(SplitCodec, DeployableCodec):
    """Inkling's encoder and host around a frozen classifier."""

    encoder: Encoder

    @dataclass(frozen=True)
    class Options(SplitCodec.Options):
        """Settings of a config. Raises TrainError for a value out of range."""

        trunk: tuple[str, ...] = TRUNK  # layers of Inkling's encoder before its latent head

        def __post_init__(self) -> None:
            check_trunk(self.trunk)

    options: Options

    def build(self) -> None:
        """Create the layers of encoder and host."""
        self.latent_shape = self.quarter()
        h, w, c = self.latent_shape
        self.encoder = inkling_encoder(self.input_shape, self.options.trunk, self.latent_shape)
        self.set_order(torch.arange(h * w * c))
        bits = self.quantizer.bits
        self.network = FeatureNetwork(self.latent_shape, self.order, bits, self.feature_shape[0], DecoderConfig())

    @property
    def stages(self) -> tuple[split_codec.Stage, ...]:
        """One stage: the task."""
        return (split_codec.Stage("task", 1.0),)

    def stem(self, images: Tensor) -> Tensor:
        """Return the images (B, 3, H, W): the encoder has a stem of its own."""
        return images

    def encode(self, features: Tensor, ber: Tensor) -> Tensor:
        """Encode images (B, 3, H, W) to a code (B, C/2, h, w); the BER is not used."""
        with autocast(features.device, False):  # int8 needs more bits than bfloat16 has
            return self.encoder.outputs(features)[0]

    def reconstruct(self, values: Tensor, ber: Tensor) -> Tensor:
        """Decode expected latent values (B, c, h, w) at BER (B,) to features (B, C, H', W')."""
        return self.network(values, ber)

    def loss(self, stage: str, images: Tensor, labels: Tensor, impairment: Impairment) -> Tensor:
        """Cross-entropy of the classifier's decision."""
        z = self.latent_in_order(images, impairment.given_ber)
        with autocast(images.device, False):
            symbols, soft = self.quantizer(z)
            posterior = self.network.posterior(self.flip(symbols, impairment.flips), impairment.given_ber)
            # Straight through, as in Codec: an undamaged symbol gets the gradient of the sender's soft assignment.
            intact = (impairment.flips == 0)[..., None]
            posterior = posterior + torch.where(intact, soft - soft.detach(), torch.zeros_like(soft))
            values = posterior @ self.quantizer.centres()
        return F.cross_entropy(self.classify_values(values, impairment.given_ber), labels)

    def decode(self, symbols: Tensor, ber: Tensor, answer: Tensor | None = None) -> Tensor:
        """Decode received symbols (B, S) int64, -1 where missing, at BER (B,) to logits (B, classes)."""
        return self.classify_values(self.network.posterior(symbols, ber) @ self.quantizer.centres(), ber)

    def latent_centres(self) -> Tensor:
        """Return the quantizer's centres (L,): encoder and quantizer share their units."""
        return self.quantizer.centres()

    def scale_logits(self, temperature: float) -> None:
        """Divide all logits by a temperature."""
        scale_layer(self.classifier.last, temperature)

    def encoder_macs(self) -> int:
        """Return the device's multiply-accumulate operations per image."""
        return self.encoder.macs(*self.input_shape[:2])
