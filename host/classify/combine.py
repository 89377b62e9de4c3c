"""Combination of an image's frames: chunks side by side, copies weighted by the reliability of each bit."""

from math import log

import numpy as np

from host.receive.events import FeatureFrame, received_symbols
from wire.model import Model

# Limit of a bit's log-likelihood ratio, so that the sum over copies stays bounded. e^-40 is far below the probability
# of an error that a CRC misses.
MAX_LLR = 40.0


class ImageBits:
    """Bits of one image, each with its log-likelihood ratio log P(bit = 0) / P(bit = 1).

    A bit received over a binary symmetric channel of bit error rate p has the ratio +-log((1 - p) / p), and those of
    independent copies add up (Hagenauer, Offer & Papke, IEEE Trans. Inf. Theory 42, 1996). Unlike in a majority vote, a
    copy over a good link outweighs several over bad ones. Copies made after the damage are not independent and get too
    much weight.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._llr = np.zeros(model.chunk_bits(0))
        self._received = np.zeros(len(self._llr), bool)
        self.frames = 0

    def add(self, frame: FeatureFrame, ber: float) -> None:
        """Add a frame of this image. `ber` is the probability that a bit of its payload is wrong."""
        self.frames += 1
        first = self._model.chunk_symbols(frame.chunk)[0] * self._model.bits_per_symbol
        place = slice(first, first + len(frame.bits))
        received = frame.bits >= 0
        self._llr[place] += np.where(received, 1 - 2 * frame.bits.astype(float), 0.0) * log((1 - ber) / ber)
        np.clip(self._llr, -MAX_LLR, MAX_LLR, out=self._llr)
        self._received[place] |= received

    def symbols(self) -> np.ndarray:
        """Return the symbols (S,) int64 of the likelier bits, -1 where bits are missing."""
        bits = np.where(self._received, self._llr < 0, -1).astype(np.int8)
        return received_symbols(bits, self._model.bits_per_symbol)

    def ber(self) -> float:
        """Return the remaining bit error rate: the mean probability that a received bit is wrong.

        For a single frame it is the frame's own.
        """
        odds = np.exp(-np.abs(self._llr[self._received]))
        return float(np.mean(odds / (1 + odds)))
