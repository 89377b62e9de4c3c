"""SemanticNN's decoder, stages and losses behind Inkling's encoder: what the encoder alone is worth.

Huang et al. 2025 (arXiv 2511.11038) split a classifier, so that the device computes its stem. Here the device computes
an encoder of the layers that Inkling's has, from pixel to symbol in int8, and sends as many symbols. Decoder and frozen
classifier are SemanticNN's.
"""

from dataclasses import dataclass

from torch import Tensor

from train import settings
from train.codecs.deployable import DeployableCodec, scale_layer
from train.codecs.encoder import Encoder
from train.codecs.split.semanticnn import SemanticNN
from train.compute_device import autocast
from train.errors import TrainError

TRUNK = (
    "conv4s2 16",
    "sep4s2 32",
    "sep 32",
    "sep 32",
    "sep 32",
)  # 0.51 million MACs of 32 x 32 pixels, with a head of 8


def check_trunk(trunk: tuple[str, ...]) -> None:
    """Raise TrainError if the layers of an encoder without its head have one, or an answer."""
    has_end = any(line.startswith(("head", "answer")) for line in trunk)
    settings.check(
        {"trunk must have no 'head' and no 'answer': the code's shape gives the head": not has_end}, "options"
    )


def inkling_encoder(
    input_shape: tuple[int, int, int], trunk: tuple[str, ...], latent_shape: tuple[int, int, int]
) -> Encoder:
    """Return an encoder of Inkling's layers and a latent head of that shape (h, w, c).

    Raises TrainError if the layers lead to another grid.
    """
    h, w, c = latent_shape
    encoder = Encoder(input_shape, (*trunk, f"head {c}"), classes=0)
    if encoder.heads != [latent_shape]:
        ((height, width, _),) = encoder.heads
        raise TrainError(f"options: trunk leads to a grid of {height} x {width}, and the code has {h} x {w}")
    return encoder


class SemanticNNInkling(SemanticNN, DeployableCodec):
    """SemanticNN whose stem and encoder are Inkling's encoder."""

    encoder: Encoder

    @dataclass(frozen=True)
    class Options(SemanticNN.Options):
        """Settings of a config. Raises TrainError for a value out of range."""

        trunk: tuple[str, ...] = TRUNK  # layers of Inkling's encoder before its latent head

        def __post_init__(self) -> None:
            super().__post_init__()
            check_trunk(self.trunk)

    options: Options

    def build_encoder(self) -> None:
        """Create Inkling's encoder."""
        self.encoder = inkling_encoder(self.input_shape, self.options.trunk, self.latent_shape)

    def stem(self, images: Tensor) -> Tensor:
        """Return the images (B, 3, H, W): the encoder has a stem of its own."""
        return images

    def encode(self, features: Tensor, ber: Tensor) -> Tensor:
        """Encode images (B, 3, H, W) to a code (B, C/2, h, w); the BER is not used."""
        with autocast(features.device, False):  # int8 needs more bits than bfloat16 has
            return self.encoder.outputs(features)[0]

    def latent_centres(self) -> Tensor:
        """Return the quantizer's centres (L,): encoder and quantizer share their units."""
        return self.quantizer.centres()

    def scale_logits(self, temperature: float) -> None:
        """Divide all logits by a temperature."""
        scale_layer(self.classifier.last, temperature)

    def encoder_macs(self) -> int:
        """Return the device's multiply-accumulate operations per image."""
        return self.encoder.macs(*self.input_shape[:2])
