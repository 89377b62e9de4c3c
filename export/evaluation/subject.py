"""The subjects of an evaluation behind one interface, and a bundle as boards and hosts run it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from host.classify.decoder import decoder_of
from host.reference import ReferenceEncoder
from train.impairment import payload_flips
from wire.answer import ANSWER_BITS, answer_word
from wire.bundle import Bundle
from wire.model import MIN_BER
from wire.payload import bits_to_symbols, symbols_to_bits

BATCH = 8  # images whose flips are drawn together


@dataclass(frozen=True, eq=False)
class Encoded:
    """A board's results for N images.

    symbols (N, S) int64; None if it only answers. classes and confidences (N,) int64: its own answers; None without an
    answer head. A base classifier has no confidence levels.
    """

    symbols: np.ndarray | None
    classes: np.ndarray | None
    confidences: np.ndarray | None


class Subject(Protocol):
    """Something that classifies images behind a link that flips bits."""

    @property
    def alone(self) -> str:
        """The name of what decides without a link: the board, or a base classifier."""

    @property
    def prefixes(self) -> dict[str, int]:
        """Number of symbols of each payload that can be decoded, by its title; the whole payload first."""

    def encode(self, images: np.ndarray, on_progress: Callable[[], None]) -> Encoded:
        """Encode images uint8 (N, H, W, C)."""

    def predict(self, encoded: Encoded, n_symbols: int, ber: float, draw: int) -> np.ndarray:
        """Return the host's classes (N,) for payloads of n_symbols after one draw of flips. It is given the BER."""


class BundleSubject:
    """A bundle: TFLite's reference kernels as the board, and the host's decoder, with its check and limits.

    Raises HostError if the decoder cannot be run.
    """

    alone = "board"

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._encoder = ReferenceEncoder(bundle.encoder_path)
        self._decoder = decoder_of(bundle)

    @property
    def prefixes(self) -> dict[str, int]:
        """See Subject.prefixes."""
        chunks = [(chunk, count) for chunk, (first, count) in enumerate(self._bundle.chunks) if first == 0]
        return {f"{self._bundle.chunk_bytes(chunk)} bytes": count for chunk, count in chunks}

    def encode(self, images: np.ndarray, on_progress: Callable[[], None]) -> Encoded:
        """See Subject.encode."""
        outputs, bundle = self._encoder.outputs(images, on_progress), self._bundle
        symbols = bundle.symbols(outputs[:, : bundle.latent_size]) if bundle.heads else None
        if bundle.answer is None:
            return Encoded(symbols, None, None)
        return Encoded(symbols, *bundle.answer.answers(outputs[:, bundle.latent_size :]))

    def predict(self, encoded: Encoded, n_symbols: int, ber: float, draw: int) -> np.ndarray:
        """See Subject.predict."""
        rng, predicted = np.random.default_rng([draw, round(1e6 * ber)]), []
        for symbols, answers in self._received(encoded, n_symbols, ber, rng):
            given = np.full(len(symbols), max(ber, MIN_BER))
            predicted.append(self._decoder.logits(symbols, given, answers).argmax(axis=1))
        return np.concatenate(predicted)

    def _received(
        self, encoded: Encoded, n_symbols: int, ber: float, rng: np.random.Generator
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield symbols (B, S), -1 = not sent, and answer words (B,), -1 = none, after the flips, batch by batch."""
        assert encoded.symbols is not None
        width, bits = encoded.symbols.shape[1], self._bundle.bits_per_symbol
        for first in range(0, len(encoded.symbols), BATCH):
            part = slice(first, first + BATCH)
            sent = encoded.symbols[part, :n_symbols]
            answer_bits = ANSWER_BITS if encoded.classes is not None else 0
            mask = payload_flips(("bsc",), np.full(len(sent), ber), answer_bits + n_symbols * bits, rng)
            symbols = np.full((len(sent), width), -1, np.int64)
            flipped = symbols_to_bits(sent, bits) ^ mask[:, answer_bits:].astype(np.uint8)
            symbols[:, :n_symbols] = bits_to_symbols(flipped, bits)
            answers = np.full(len(sent), -1, np.int64)
            if encoded.classes is not None and encoded.confidences is not None:
                words = answer_word(encoded.classes[part], encoded.confidences[part])
                answers = words ^ mask[:, :answer_bits] @ (1 << np.arange(ANSWER_BITS)[::-1])
            yield symbols, answers
