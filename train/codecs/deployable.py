"""Base classes: a codec that sends symbols, and one whose encoder a board can run in int8."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from train.codecs.encoder import ConvEncoder
from train.codecs.quantizer import Quantizer


class SymbolCodec(nn.Module, ABC):
    """A codec that sends S symbols per image and classifies the symbols that arrive."""

    quantizer: Quantizer
    input_shape: tuple[int, int, int]  # (H, W, C)
    latent_shape: tuple[int, int, int]  # (h, w, c)
    n_symbols: int  # S
    # Buffers that a subclass registers:
    order: Tensor  # latent positions that are sent (S,), row-major in (h, w, c)
    gray: Tensor  # Gray code of each level (L,)
    ungray: Tensor  # level of each Gray code (L,)

    @abstractmethod
    def send(self, images: Tensor, ber: Tensor | None = None) -> Tensor:
        """Encode images (B, C, H, W) in [0, 1] to symbols int64 (B, S).

        ber (B,) is the BER that the receiver last reported, for encoders that adapt to it.
        """

    def flip(self, symbols: Tensor, flips: Tensor) -> Tensor:
        """Flip bits of symbols (B, S); `flips` (B, S) holds the bits to flip in the Gray code of each."""
        return self.ungray[self.gray[symbols] ^ flips]

    @abstractmethod
    def decode(self, symbols: Tensor, ber: Tensor) -> Tensor:
        """Decode received symbols (B, S) int64, -1 where missing, at BER (B,) to logits (B, classes)."""


class DeployableCodec(SymbolCodec):
    """A codec whose encoder a board can run in int8; the rest runs on the host."""

    encoder: ConvEncoder

    @abstractmethod
    def latent_centres(self) -> Tensor:
        """Return the quantizer's centres (L,) in the units of the encoder's output."""

    @property
    @abstractmethod
    def last_layer(self) -> nn.Linear:
        """The layer that computes the logits."""
