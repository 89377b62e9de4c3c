"""What the systems that split a classifier share: stem | encoder | quantizer ~~ channel ~~ decoder | rest.

A system is one file here with a class `System` (a `SplitCodec`) and a dataclass `Options`, and one config that names
the file. The base classifier is frozen; what a system learns is the codec between its two parts.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.fx.experimental import optimization
from torch.utils.flop_counter import FlopCounterMode

from train.classifiers.architectures import Classifier, feature_shape
from train.codecs.quantizer import Quantizer, gray_tables
from train.config import QuantizerConfig
from train.errors import TrainError
from train.impairment import Impairment
from train.trainers.compute_device import of

BER_MIN, BER_MAX = 1e-4, 0.5


class Stage(NamedTuple):
    """A stage of training: its name, which `SplitCodec.loss` is told, and its share of the float epochs."""

    name: str
    share: float


class SplitCodec(nn.Module, ABC):
    """A frozen classifier, split after its stem, with a codec between its parts.

    A subclass says in `build` what the codec is, and in the other methods what it does.
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
        height, width, channels = input_shape
        if channels != 3:
            raise TrainError(f"base classifiers take colour pictures, and these have {channels} channel")
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
        """Make the layers of encoder and decoder, set `latent_shape`, and call `set_order` last.

        `options`, `feature_shape` (C, H', W'), `classifier` and `quantizer` are there already.
        """

    @property
    @abstractmethod
    def stages(self) -> tuple[Stage, ...]:
        """Stages of training, in order; their shares add up to 1."""

    def stem(self, images: Tensor) -> Tensor:
        """The device's first layer: pictures (B, 3, H, W) in [0, 1] -> features (B, C, H', W')."""
        return self.classifier.features(images)

    @abstractmethod
    def encode(self, features: Tensor, ber: Tensor) -> Tensor:
        """The device: features (B, C, H', W'), BER as the receiver last reported it (B,) -> latent (B, c, h, w)."""

    @abstractmethod
    def reconstruct(self, values: Tensor, ber: Tensor) -> Tensor:
        """The host: latent values as received (B, c, h, w), BER as estimated (B,) -> features (B, C, H', W')."""

    @abstractmethod
    def loss(self, stage: str, images: Tensor, labels: Tensor, link: Impairment) -> Tensor:
        """Loss of a batch: images (B, 3, H, W) in [0, 1], labels (B,), what the channel does to its symbols."""

    def quarter(self) -> tuple[int, int, int]:
        """Latent shape (h, w, c) of a code a quarter as high and wide as the features, with half their channels.

        Raises TrainError for features that do not divide by 4.
        """
        channels, height, width = self.feature_shape
        if height % 4 or width % 4:
            system = type(self).__module__.rpartition(".")[2]
            raise TrainError(f"{system} needs features of a multiple of 4, the stem's are {height} x {width}")
        return height // 4, width // 4, channels // 2

    def set_order(self, positions: Tensor) -> None:
        """Send the latent's `positions` (S,), row-major in (h, w, c)."""
        self.n_symbols = len(positions)
        self.register_buffer("order", positions)

    def train(self, mode: bool = True) -> "SplitCodec":
        """As in PyTorch, but the base classifier always evaluates."""
        super().train(mode)
        self.classifier.eval()
        return self

    def latent_in_order(self, images: Tensor, ber: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) in [0, 1] and BER (B,) -> latent values (B, S) in the order of sending."""
        z = self.encode(self.stem(images), ber).permute(0, 2, 3, 1).flatten(1)  # (B, h*w*c)
        return z[:, self.order]

    def flip(self, levels: Tensor, flips: Tensor) -> Tensor:
        """Levels (B, S) and flipped bits as an integer a symbol (B, S) -> levels as received."""
        return self.ungray[self.gray[levels] ^ flips]

    def transmit(self, z: Tensor, link: Impairment) -> tuple[Tensor, Tensor]:
        """Latent values (B, S) -> (values as received (B, S), soft assignment (B, S, L)), with gradients.

        Forward, each symbol is its centre, or that of the symbol into which flips turned it. Backward, an intact
        symbol takes the gradient of its soft assignment, which reaches encoder and centres (Agustsson et al. 2017,
        arXiv 1704.00648); a damaged one that of the centre which arrived, since what was sent does not show in it.
        """
        levels, soft = self.quantizer(z)
        centres = self.quantizer.centres()
        arrived = centres[self.flip(levels, link.flips)]
        softly = soft @ centres
        return torch.where(link.flips == 0, arrived.detach() + softly - softly.detach(), arrived), soft

    def place(self, values: Tensor) -> Tensor:
        """Values in the order of sending (B, S) -> latent (B, c, h, w); positions that are not sent are 0."""
        h, w, c = self.latent_shape
        latent = values.new_zeros(values.shape[0], h * w * c)  # len() would fix the batch in ONNX
        latent = latent.index_copy(1, self.order, values)
        return latent.reshape(-1, h, w, c).permute(0, 3, 1, 2)

    def classify_values(self, values: Tensor, ber: Tensor) -> Tensor:
        """Values as received (B, S), BER (B,) -> logits (B, classes)."""
        return self.classifier.classify(self.reconstruct(self.place(values), ber))

    def decode(self, symbols: Tensor, ber: Tensor) -> Tensor:
        """Levels as received (B, S) int64, -1 where missing, and BER (B,) -> logits (B, classes)."""
        values = self.quantizer.centres()[symbols.clamp_min(0)] * (symbols >= 0)
        return self.classify_values(values, ber)

    @torch.no_grad()
    def send(self, images: Tensor, ber: Tensor | None = None) -> Tensor:
        """Pictures (B, 3, H, W) in [0, 1] -> levels (B, S); ber (B,): the receiver's report, none by default."""
        if ber is None:
            ber = images.new_full((len(images),), BER_MIN)
        return self.quantizer.nearest(self.latent_in_order(images, ber))

    def encoder_macs(self) -> int:
        """Multiply-accumulate operations of the device for one picture, stem included."""
        training = self.training
        self.eval()
        height, width, channels = self.input_shape
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            images = torch.zeros(1, channels, height, width, device=of(self))
            self.latent_in_order(images, images.new_full((1,), BER_MIN))
        self.train(training)
        return counter.get_total_flops() // 2


def frozen(classifier: Classifier) -> Classifier:
    """The same classifier for evaluation alone: no gradients of its own, batch norm merged into the convolutions."""
    classifier.eval()
    for index, block in enumerate(classifier.blocks):
        classifier.blocks[index] = optimization.fuse(block)
    return classifier.requires_grad_(False)


def log_ber(ber: Tensor) -> Tensor:
    """BER (B,) -> log10, clamped to [1e-4, 0.5] and shifted to about [-2, 2]: what a network is told."""
    return torch.log10(ber.clamp(BER_MIN, BER_MAX)) + 2
