"""Inkling's codec: tiny encoder with latent heads and an answer head | learned quantizer | BER-aware decoder."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from train.codecs.answer_posterior import AnswerDecoder
from train.codecs.decoder import Decoder
from train.codecs.deployable import DeployableCodec, Payload
from train.codecs.encoder import SCORE_SCALE, Encoder
from train.codecs.quantizer import Quantizer, gray_tables
from train.compute_device import autocast
from train.config import LatentRunConfig
from train.errors import TrainError
from train.impairment import Impairment
from wire.answer import ANSWER_BITS, MAX_CLASSES
from wire.bundle import MAX_LATENT
from wire.lora import MAX_PACKET_BYTES
from wire.payload import payload_bytes


class Outputs(NamedTuple):
    """Logits (B, classes) of one batch in training."""

    host: Tensor
    board: Tensor | None  # None without an answer head


class Codec(DeployableCodec):
    """Encoder, quantizer and decoder, trained together.

    The deepest head is sent first, each head channel by channel: training with prefixes makes the first symbols matter
    most.
    """

    encoder: Encoder
    decoder: Decoder | AnswerDecoder

    def __init__(self, config: LatentRunConfig, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        encoder = Encoder(input_shape, config.encoder.layers, classes)
        self.encoder = encoder
        self.input_shape, self.has_answer = input_shape, encoder.has_answer
        self.n_symbols = sum(h * w * c for h, w, c in encoder.heads)
        _check_size(config, encoder, classes, self.n_symbols)
        self.chunks = config.link.chunks_of(self.n_symbols)
        _check_chunks(self.chunks, self.n_symbols)
        self.register_buffer("order", sending_order(encoder.heads))
        self.quantizer = Quantizer(config.quantizer.bits, config.quantizer.temperature)
        self.decoder = (
            Decoder(encoder.heads, self.order, config.quantizer.bits, classes, self.has_answer, config.decoder)
            if encoder.heads
            else AnswerDecoder(classes)
        )
        code, level = gray_tables(config.quantizer.bits)
        self.register_buffer("gray", code)
        self.register_buffer("ungray", level)
        if self.has_answer:
            self.register_answer(classes)

    @property
    def heads(self) -> list[tuple[int, int, int]]:
        """Shapes (h, w, c) of the latent heads."""
        return self.encoder.heads

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Encode images (B, C, H, W) in [0, 1] to latent values (B, S) in the order of sending and board logits."""
        with autocast(images.device, False):  # int8 needs more bits than bfloat16 has
            outputs = self.encoder.outputs(images)
        board = outputs.pop().flatten(1) * SCORE_SCALE if self.has_answer else None
        flat = [z.permute(0, 2, 3, 1).flatten(1) for z in outputs]
        latent = torch.cat(flat, 1) if flat else images.new_zeros(len(images), 0)  # (B, S)
        return latent[:, self.order], board

    def board_logits(self, images: Tensor) -> Tensor:
        """Return the answer head's logits (B, classes) of images (B, C, H, W) in [0, 1]."""
        with autocast(images.device, False):
            return self.encoder.scores(images) * SCORE_SCALE

    def forward(self, images: Tensor, impairment: Impairment) -> Outputs:
        """Return the host's logits after the channel and the board's, with gradients.

        images (B, C, H, W) in [0, 1].
        """
        assert isinstance(self.decoder, Decoder)
        latent, board = self.encode(images)
        with autocast(images.device, False):
            symbols, soft = self.quantizer(latent)
            flips, missing = impairment.flips, impairment.missing
            received = torch.where(missing, -1, self.flip(symbols, flips))
            posterior = self.decoder.posterior(received, impairment.given_ber)
            # Straight through: where the symbol arrived undamaged, the sender's soft assignment gets the gradient.
            intact = ((flips == 0) & ~missing)[..., None]
            posterior = posterior + torch.where(intact, soft - soft.detach(), torch.zeros_like(soft))
            values = posterior @ self.quantizer.centres()
        answer = None
        if board is not None:
            answer = torch.where(impairment.answer_missing, -1, self.answers(board) ^ impairment.answer_flips)
        host = self.decoder.classify_values(values, (~missing).to(values.dtype), impairment.given_ber, answer)
        return Outputs(host.float(), board)

    def decode(self, symbols: Tensor, ber: Tensor, answer: Tensor | None = None) -> Tensor:
        """Decode received symbols (B, S) int64, -1 where missing, at BER (B,) to logits (B, classes).

        answer int64 (B,): received answer words, -1 where missing, by default everywhere.
        """
        return self.decoder(symbols, ber, answer, self.quantizer.centres())

    def latent_centres(self) -> Tensor:
        """Return the quantizer's centres (L,): encoder and quantizer share their units."""
        return self.quantizer.centres()

    def scale_logits(self, temperature: float) -> None:
        """Divide all logits of `decode` by a temperature."""
        self.decoder.scale_logits(temperature)

    @torch.no_grad()
    def send(self, images: Tensor, ber: Tensor | None = None) -> Payload:
        """Encode images (B, C, H, W) in [0, 1] to symbols (B, S) and answers; the encoder does not use the BER."""
        latent, board = self.encode(images)
        return Payload(self.quantizer.nearest(latent), None if board is None else self.answers(board))


class GeneralCodec(Codec):
    """A codec whose decoder gives an embedding (B, D) of unit length instead of logits."""

    output = "embedding"

    def decode(self, symbols: Tensor, ber: Tensor, answer: Tensor | None = None) -> Tensor:
        """Decode received symbols (B, S) int64, -1 where missing, at BER (B,) to embeddings (B, D)."""
        return F.normalize(super().decode(symbols, ber, answer), dim=1)


def sending_order(heads: list[tuple[int, int, int]]) -> Tensor:
    """Return the latent positions (S,) in the order of sending: the last head first, each channel by channel."""
    parts, first = [torch.zeros(0, dtype=torch.int64)], 0
    for h, w, c in heads:
        parts.append(first + torch.arange(h * w * c).reshape(h * w, c).T.reshape(-1))
        first += h * w * c
    return torch.cat(parts[::-1])


def _check_size(config: LatentRunConfig, encoder: Encoder, classes: int, n_symbols: int) -> None:
    """Raise TrainError if a bundle, an answer or a packet would have no room for what the encoder gives."""
    if n_symbols >= MAX_LATENT:
        raise TrainError(f"encoder.layers: the heads have {n_symbols:,} values, more than {MAX_LATENT - 1:,}")
    if encoder.has_answer and classes > MAX_CLASSES:
        raise TrainError(f"encoder.layers: 'answer' has room for {MAX_CLASSES:,} classes, the images have {classes:,}")
    size = payload_bytes(n_symbols * config.quantizer.bits + ANSWER_BITS * encoder.has_answer, 1)
    if "lora" in config.link.channels and size > MAX_PACKET_BYTES:
        raise TrainError(f"link.channels: lora carries up to {MAX_PACKET_BYTES} bytes, and the payload has {size:,}")


def _check_chunks(chunks: tuple[tuple[int, int], ...], n_symbols: int) -> None:
    for first, count in chunks:
        if first < 0 or count < 1 or first + count > n_symbols:
            raise TrainError(f"link.chunks: ({first}, {count}) is outside the {n_symbols} symbols")
    if n_symbols and tuple(chunks[0]) != (0, n_symbols):
        raise TrainError(f"link.chunks: the first must be the whole payload, [0, {n_symbols}]")
