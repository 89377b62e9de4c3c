"""What the export needs of a codec, whichever system it is of."""

from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from train.codecs.encoder import ConvEncoder
from train.codecs.quantizer import Quantizer


@runtime_checkable
class DeployableCodec(Protocol):
    """A codec whose encoder a board can run in int8; the rest runs on the host."""

    encoder: ConvEncoder
    quantizer: Quantizer
    order: Tensor  # positions that are sent (S,), row-major in (h, w, c)
    n_symbols: int
    input_shape: tuple[int, int, int]  # (H, W, C)
    latent_shape: tuple[int, int, int]  # (h, w, c)

    def latent_centres(self) -> Tensor:
        """The quantizer's centres (L,) in the units of the encoder's output."""

    @property
    def last_layer(self) -> nn.Linear:
        """The one that gives the logits."""

    def eval(self) -> nn.Module:
        """As in PyTorch."""

    def send(self, images: Tensor) -> Tensor:
        """Pictures (B, C, H, W) in [0, 1] -> levels (B, S)."""

    def flip(self, levels: Tensor, flips: Tensor) -> Tensor:
        """Levels (B, S) and flipped bits as an integer a symbol (B, S) -> levels as received."""

    def decode(self, symbols: Tensor, ber: Tensor) -> Tensor:
        """Levels as received (B, S) int64, -1 where missing, and BER (B,) -> logits (B, classes)."""
