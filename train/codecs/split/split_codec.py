"""The parts that all split codecs share: stem | encoder | quantizer ~~ channel ~~ decoder | rest of the classifier.

A split codec is one file with a subclass of `SplitCodec`, one entry in `registry.py`, and one config that names it.
The base classifier is frozen; training learns the codec between its two parts.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.fx.experimental import optimization
from torch.utils.flop_counter import FlopCounterMode

from train.classifiers.architectures import Classifier, feature_shape
from train.codecs.deployable import Payload, SymbolCodec
from train.codecs.quantizer import Quantizer, gray_tables
from train.compute_device import device_of
from train.config import QuantizerConfig
from train.errors import TrainError
from train.impairment import Impairment
from wire.model import MIN_BER


class Stage(NamedTuple):
    """A stage of training: its name, which `SplitCodec.loss` receives, and its share of the float epochs."""

    name: str
    share: float


class SplitCodec(SymbolCodec):
    """A frozen classifier, split after its stem, with a codec between its parts.

    A subclass creates the layers of the codec in `build` and computes with them in the other abstract methods.
    """

    @dataclass(frozen=True)
    class Options:
        """Settings of the `[options]` table; a codec with settings defines its own subclass."""

    options: Options
    latent_shape: tuple[int, int, int]  # (h, w, c)

    def __init__(
        self, classifier: Classifier, input_shape: tuple[int, int, int], quantizer: QuantizerConfig, options: Options
    ) -> None:
        super().__init__()
        height, width, _ = input_shape
        self.input_shape, self.options = input_shape, options
        self.feature_shape = feature_shape(classifier, height, width)  # (C, H', W')
        self.classifier = frozen(classifier)
        self.quantizer = Quantizer(quantizer.bits, quantizer.temperature)
        code, level = gray_tables(quantizer.bits)
        self.register_buffer("gray", code)
        self.register_buffer("ungray", level)
        self.build()

    @abstractmethod
    def build(self) -> None:
        """Create the layers of encoder and decoder, set `latent_shape`, and call `set_order` last.

        `options`, `feature_shape` (C, H', W'), `classifier` and `quantizer` already exist.
        """

    @property
    @abstractmethod
    def stages(self) -> tuple[Stage, ...]:
        """Stages of training, in order; their shares add up to 1."""

    def stem(self, images: Tensor) -> Tensor:
        """Compute the device's first layer: images (B, C, H, W) in [0, 1] -> features (B, C, H', W')."""
        return self.classifier.features(images)

    @abstractmethod
    def encode(self, features: Tensor, ber: Tensor) -> Tensor:
        """Encode features (B, C, H', W') on the device to a latent (B, c, h, w).

        ber (B,) is the BER that the receiver last reported.
        """

    @abstractmethod
    def reconstruct(self, values: Tensor, ber: Tensor) -> Tensor:
        """Decode received latent values (B, c, h, w) on the host to features (B, C, H', W').

        ber (B,) is the receiver's estimate.
        """

    @abstractmethod
    def loss(self, stage: str, images: Tensor, labels: Tensor, impairment: Impairment) -> Tensor:
        """Return the loss of a batch in the stage of that name.

        images (B, 3, H, W) in [0, 1]; labels (B,); `impairment` is what the channel does to the batch's symbols.
        """

    @property
    def heads(self) -> tuple[tuple[int, int, int]]:
        """Shape (h, w, c) of the only latent."""
        return (self.latent_shape,)

    def quarter(self) -> tuple[int, int, int]:
        """Return the latent shape (h, w, c) of a quarter of the features' height and width, and half their channels.

        Raises TrainError if height or width do not divide by 4.
        """
        channels, height, width = self.feature_shape
        if height % 4 or width % 4:
            raise TrainError(
                f"{type(self).__name__} needs features whose height and width are multiples of 4, "
                f"and the stem's are {height} x {width}"
            )
        return height // 4, width // 4, channels // 2

    def set_order(self, positions: Tensor) -> None:
        """Send the latent's `positions` (S,), row-major in (h, w, c), in that order."""
        self.n_symbols = len(positions)
        self.register_buffer("order", positions)

    def train(self, mode: bool = True) -> Self:
        """Set the mode as in PyTorch; the base classifier stays in evaluation mode."""
        super().train(mode)
        self.classifier.eval()
        return self

    def latent_in_order(self, images: Tensor, ber: Tensor) -> Tensor:
        """Encode images (B, 3, H, W) in [0, 1] at BER (B,) to latent values (B, S) in the order of sending."""
        z = self.encode(self.stem(images), ber).permute(0, 2, 3, 1).flatten(1)  # (B, h*w*c)
        return z[:, self.order]

    def transmit(self, z: Tensor, impairment: Impairment) -> tuple[Tensor, Tensor]:
        """Send latent values (B, S); return received values (B, S) and soft assignments (B, S, L), with gradients.

        Forward, each symbol is the centre of its level, or of the level that flips turned it into. Backward, an intact
        symbol gets the gradient of its soft assignment, which reaches encoder and centres (Agustsson et al. 2017,
        arXiv 1704.00648); a damaged one that of the centre which arrived, as it does not depend on what was sent.
        """
        symbols, soft = self.quantizer(z)
        centres = self.quantizer.centres()
        arrived = centres[self.flip(symbols, impairment.flips)]
        expected = soft @ centres
        return torch.where(impairment.flips == 0, arrived.detach() + expected - expected.detach(), arrived), soft

    def place(self, values: Tensor) -> Tensor:
        """Put values in the order of sending (B, S) into a latent (B, c, h, w); positions that are not sent are 0."""
        h, w, c = self.latent_shape
        latent = values.new_zeros(values.shape[0], h * w * c)  # len() would fix the batch in ONNX
        latent = latent.index_copy(1, self.order, values)
        return latent.reshape(-1, h, w, c).permute(0, 3, 1, 2)

    def classify_values(self, values: Tensor, ber: Tensor) -> Tensor:
        """Map received values (B, S) and BER (B,) to logits (B, classes)."""
        return self.classifier.classify(self.reconstruct(self.place(values), ber))

    def decode(self, symbols: Tensor, ber: Tensor, answer: Tensor | None = None) -> Tensor:
        """Decode received symbols (B, S) int64, -1 where missing, at BER (B,) to logits (B, classes)."""
        values = self.quantizer.centres()[symbols.clamp_min(0)] * (symbols >= 0)
        return self.classify_values(values, ber)

    @torch.no_grad()
    def send(self, images: Tensor, ber: Tensor | None = None) -> Payload:
        """Encode images (B, 3, H, W) in [0, 1] to symbols (B, S).

        ber (B,) is the BER that the receiver last reported, by default the least one.
        """
        if ber is None:
            ber = images.new_full((len(images),), MIN_BER)
        return Payload(self.quantizer.nearest(self.latent_in_order(images, ber)))

    def encoder_macs(self) -> int:
        """Return the device's multiply-accumulate operations per image, stem included."""
        training = self.training
        self.eval()
        height, width, channels = self.input_shape
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            images = torch.zeros(1, channels, height, width, device=device_of(self))
            self.latent_in_order(images, images.new_full((1,), MIN_BER))
        self.train(training)
        return counter.get_total_flops() // 2


def frozen(classifier: Classifier) -> Classifier:
    """Freeze a classifier for evaluation: no gradients for its weights, batch norm merged into the convolutions."""
    classifier.eval()
    for index, block in enumerate(classifier.blocks):
        classifier.blocks[index] = optimization.fuse(block)
    return classifier.requires_grad_(False)


def zero_bias(conv: nn.Conv2d | nn.ConvTranspose2d) -> None:
    """Set a convolution's bias to 0."""
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
