"""Base classes: a codec that sends symbols, and one whose encoder a board can run in int8."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.codecs.answer_posterior import answer_words
from train.codecs.encoder import ConvEncoder
from train.codecs.quantizer import Quantizer
from wire.answer import CONFIDENCES, confidence_floor


class Payload(NamedTuple):
    """The content of the payloads of N images."""

    symbols: Tensor  # int64 (N, S)
    answers: Tensor | None = None  # int64 (N,): answer words; None for a codec without an answer head


class SymbolCodec(nn.Module, ABC):
    """A codec that sends S symbols per image and classifies the symbols that arrive."""

    quantizer: Quantizer
    input_shape: tuple[int, int, int]  # (H, W, C)
    n_symbols: int  # S
    has_answer = False  # an answer travels with the symbols
    adapts = False  # the encoder depends on the BER that the receiver last reported
    # Buffers that a subclass registers:
    order: Tensor  # positions that are sent (S,), in the latent: all heads, row-major (h, w, c), one after another
    gray: Tensor  # Gray code of each level (L,)
    ungray: Tensor  # level of each Gray code (L,)
    # Buffers of a codec with an answer head, which `register_answer` registers:
    words: Tensor  # answer words (classes, levels)
    floors: Tensor  # probabilities from which each confidence level but the lowest starts
    temperature: Tensor  # makes the softmax of the board's logits a probability; fitted on held-out images

    @property
    @abstractmethod
    def heads(self) -> Sequence[tuple[int, int, int]]:
        """Shapes (h, w, c) of the latent heads."""

    @abstractmethod
    def send(self, images: Tensor, ber: Tensor | None = None) -> Payload:
        """Encode images (B, C, H, W) in [0, 1] to the content of their payloads.

        ber (B,) is the BER that the receiver last reported, for encoders that adapt to it.
        """

    def register_answer(self, classes: int) -> None:
        """Register the buffers of a codec whose board answers."""
        self.register_buffer("words", answer_words(classes))
        self.register_buffer("floors", torch.tensor([confidence_floor(level) for level in range(1, CONFIDENCES)]))
        self.register_buffer("temperature", torch.tensor(1.0))

    def board_logits(self, images: Tensor) -> Tensor:
        """Return the answer head's logits (B, classes) of images (B, C, H, W) in [0, 1]."""
        raise NotImplementedError(f"{type(self).__name__} has no answer head")

    def answers(self, board: Tensor) -> Tensor:
        """Return the answer words (B,) int64 of the board's logits (B, classes)."""
        confident, index = F.softmax(board.detach() / self.temperature, 1).max(1)
        level = (confident[:, None] >= self.floors).sum(1)
        return self.words[index, level]

    def flip(self, symbols: Tensor, flips: Tensor) -> Tensor:
        """Flip bits of symbols (B, S); `flips` (B, S) holds the bits to flip in the Gray code of each."""
        return self.ungray[self.gray[symbols] ^ flips]

    @abstractmethod
    def decode(self, symbols: Tensor, ber: Tensor, answer: Tensor | None = None) -> Tensor:
        """Decode received symbols (B, S) int64, -1 where missing, at BER (B,) to logits (B, classes).

        answer int64 (B,): received answer words, -1 where missing, by default everywhere; unused by a codec
        without an answer head.
        """


class DeployableCodec(SymbolCodec):
    """A codec whose encoder a board can run in int8; the rest runs on the host."""

    encoder: ConvEncoder
    output = "logits"  # what `decode` gives, and the name of decoder.onnx's output

    @abstractmethod
    def latent_centres(self) -> Tensor:
        """Return the quantizer's centres (L,) in the units of the encoder's output."""

    @abstractmethod
    def scale_logits(self, temperature: float) -> None:
        """Divide all logits of `decode` by a temperature."""


@torch.no_grad()
def scale_layer(layer: nn.Linear, temperature: float) -> None:
    """Divide what a layer computes by a temperature."""
    layer.weight.div_(temperature)
    layer.bias.div_(temperature)
