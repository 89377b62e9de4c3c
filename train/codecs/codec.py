"""Inkling's codec: tiny encoder | learned quantizer | BER-aware decoder with classifier."""

import torch
from torch import Tensor, nn

from train.codecs.decoder import Decoder
from train.codecs.deployable import DeployableCodec
from train.codecs.encoder import Encoder
from train.codecs.quantizer import Quantizer, gray_tables
from train.config import CodecConfig
from train.errors import TrainError


class Codec(DeployableCodec):
    """Encoder, quantizer and decoder, trained together.

    Symbols are sent channel by channel: training with prefixes makes the first channels matter most.
    """

    def __init__(self, config: CodecConfig, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        height, width, channels = input_shape
        encoder = Encoder(channels, config.encoder.layers)
        self.encoder = encoder
        stride = encoder.stride
        if height % stride or width % stride:
            raise TrainError(
                f"encoder.layers reduce the image by {stride}: height and width must be multiples of {stride}, "
                f"not {height} x {width}"
            )
        h, w, c = height // stride, width // stride, encoder.latent_channels
        self.input_shape, self.latent_shape, self.n_symbols = input_shape, (h, w, c), h * w * c
        for first, count in config.link.chunks:
            if first < 0 or count < 1 or first + count > self.n_symbols:
                raise TrainError(f"link.chunks: ({first}, {count}) is outside the {self.n_symbols} symbols")
        if tuple(config.link.chunks[0]) != (0, self.n_symbols):
            raise TrainError(f"link.chunks: the first must be the whole payload, [0, {self.n_symbols}]")
        # Row-major (h, w, c) positions, channel by channel.
        self.register_buffer("order", torch.arange(self.n_symbols).reshape(h * w, c).T.reshape(-1))
        self.quantizer = Quantizer(config.quantizer.bits, config.quantizer.temperature)
        self.decoder = Decoder(self.latent_shape, self.order, config.quantizer.bits, classes, config.decoder)
        code, level = gray_tables(config.quantizer.bits)
        self.register_buffer("gray", code)
        self.register_buffer("ungray", level)

    def latent_in_order(self, images: Tensor) -> Tensor:
        """Encode images (B, C, H, W) in [0, 1] to latent values (B, S) in the order of sending."""
        z = self.encoder(images).permute(0, 2, 3, 1).flatten(1)  # (B, h*w*c)
        return z[:, self.order]

    def forward(self, images: Tensor, flips: Tensor, missing: Tensor, given_ber: Tensor) -> Tensor:
        """Return logits (B, classes) after the channel, with gradients.

        images (B, C, H, W) in [0, 1]; flips int64 (B, S), the bits to flip in each symbol's Gray code; missing bool
        (B, S); given_ber (B,), the BER that the decoder gets.
        """
        symbols, soft = self.quantizer(self.latent_in_order(images))
        received = torch.where(missing, -1, self.flip(symbols, flips))
        posterior = self.decoder.posterior(received, given_ber)
        # Straight through: where the symbol arrived undamaged, the sender's soft assignment gets the gradient.
        intact = ((flips == 0) & ~missing)[..., None]
        posterior = posterior + torch.where(intact, soft - soft.detach(), torch.zeros_like(soft))
        values = posterior @ self.quantizer.centres()
        return self.decoder.classify_values(values, (~missing).float().mean(1), given_ber)

    def decode(self, symbols: Tensor, ber: Tensor) -> Tensor:
        """Decode received symbols (B, S) int64, -1 where missing, at BER (B,) to logits (B, classes)."""
        return self.decoder(symbols, ber, self.quantizer.centres())

    def latent_centres(self) -> Tensor:
        """Return the quantizer's centres (L,): encoder and quantizer share their units."""
        return self.quantizer.centres()

    @property
    def last_layer(self) -> nn.Linear:
        """The layer that computes the logits."""
        return self.decoder.classify

    @torch.no_grad()
    def send(self, images: Tensor, ber: Tensor | None = None) -> Tensor:
        """Encode images (B, C, H, W) in [0, 1] to symbols (B, S); the encoder does not use the BER."""
        return self.quantizer.nearest(self.latent_in_order(images))
