"""Inkling's codec: tiny encoder | learned quantizer | BER-aware decoder with classifier."""

import torch
from torch import Tensor, nn

from train.codecs.decoder import Decoder
from train.codecs.encoder import Encoder
from train.codecs.quantizer import Quantizer, gray_tables
from train.config import CodecConfig
from train.errors import TrainError


class Codec(nn.Module):
    """All that is trained. Symbols travel channel by channel: the first channels learn to matter most."""

    def __init__(self, config: CodecConfig, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        height, width, channels = input_shape
        self.encoder = Encoder(channels, config.encoder.layers)
        stride = self.encoder.stride
        if height % stride or width % stride:
            raise TrainError(f"the encoder's layers need pictures of a multiple of {stride}, not {height} x {width}")
        h, w, c = height // stride, width // stride, self.encoder.latent_channels
        self.input_shape, self.latent_shape, self.n_symbols = input_shape, (h, w, c), h * w * c
        for first, count in config.link.chunks:
            if first < 0 or count < 1 or first + count > self.n_symbols:
                raise TrainError(f"link.chunks: ({first}, {count}) is outside the {self.n_symbols} symbols")
        if tuple(config.link.chunks[0]) != (0, self.n_symbols):
            raise TrainError(f"link.chunks: the first must be the whole payload, [0, {self.n_symbols}]")
        # Row-major (h, w, c) positions, channel by channel.
        self.register_buffer("order", torch.arange(self.n_symbols).reshape(h * w, c).T.reshape(-1))
        self.quantizer = Quantizer(config.quantizer.bits, config.quantizer.temperature)
        d = config.decoder
        self.decoder = Decoder(
            self.latent_shape, self.order, config.quantizer.bits, classes, d.width, d.blocks, d.dropout
        )
        code, level = gray_tables(config.quantizer.bits)
        self.register_buffer("gray", code)
        self.register_buffer("ungray", level)

    def latent_in_order(self, images: Tensor) -> Tensor:
        """Pictures (B, C, H, W) in [0, 1] -> latent values (B, S) in the order of sending."""
        z = self.encoder(images).permute(0, 2, 3, 1).flatten(1)  # (B, h*w*c)
        return z[:, self.order]

    def flip(self, levels: Tensor, flips: Tensor) -> Tensor:
        """Levels (B, S) and flipped bits as an integer a symbol (B, S) -> levels as received."""
        return self.ungray[self.gray[levels] ^ flips]

    def forward(self, images: Tensor, flips: Tensor, missing: Tensor, given_ber: Tensor) -> Tensor:
        """Through the channel, with gradients.

        images (B, C, H, W) in [0, 1]; flips int64 (B, S), the bits to flip in each symbol's Gray code; missing bool
        (B, S); given_ber (B,), what the decoder is told -> logits (B, classes).
        """
        levels, soft = self.quantizer(self.latent_in_order(images))
        received = torch.where(missing, -1, self.flip(levels, flips))
        posterior = self.decoder.posterior(received, given_ber)
        # Straight through: where the symbol arrived unharmed, the sender's soft assignment takes the gradient.
        intact = ((flips == 0) & ~missing)[..., None]
        posterior = posterior + torch.where(intact, soft - soft.detach(), torch.zeros_like(soft))
        values = posterior @ self.quantizer.centres()
        return self.decoder.classify_values(values, (~missing).float().mean(1), given_ber)

    def decode(self, symbols: Tensor, ber: Tensor) -> Tensor:
        """Levels as received (B, S) int64, -1 where missing, and BER (B,) -> logits (B, classes)."""
        return self.decoder(symbols, ber, self.quantizer.centres())

    def latent_centres(self) -> Tensor:
        """Centres (L,) in the units of the encoder's output, which are the quantizer's here."""
        return self.quantizer.centres()

    @property
    def last_layer(self) -> nn.Linear:
        """The one that gives the logits."""
        return self.decoder.classify

    @torch.no_grad()
    def send(self, images: Tensor) -> Tensor:
        """Pictures (B, C, H, W) in [0, 1] -> levels (B, S), as the (fake-quantized) encoder makes them."""
        return self.quantizer.nearest(self.latent_in_order(images))
