"""One image out of several frames: chunks beside each other, copies combined by the worth of each bit."""

from math import log

import numpy as np

from host.receive.events import FeatureFrame, bits_to_symbols
from wire.model import Model

# No number of copies makes a bit surer than that: e^-40 is less than any doubt that a CRC leaves.
MOST_SURE = 40.0


class ImageBits:
    """The bits of one image, each with its log-likelihood ratio log P(bit = 0) / P(bit = 1).

    A bit that came over a binary symmetric channel of bit error rate p says +-log((1 - p) / p), and independent
    copies add up (Hagenauer, Offer & Papke, IEEE Trans. Inf. Theory 42, 1996): a copy from a good link outweighs
    several from bad ones, which a vote would not let it. Copies that were made behind the damage are not
    independent, and count for more than they are worth.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._llr = np.zeros(model.chunk_bits(0))
        self._received = np.zeros(len(self._llr), bool)
        self.frames = 0

    def add(self, frame: FeatureFrame, ber: float) -> None:
        """Add a frame of this image, in whose payload a bit is wrong with probability `ber`."""
        self.frames += 1
        first = self._model.chunk_symbols(frame.chunk)[0] * self._model.bits_per_symbol
        here = slice(first, first + len(frame.bits))
        came = frame.bits >= 0
        self._llr[here] += np.where(came, 1 - 2 * frame.bits.astype(float), 0.0) * log((1 - ber) / ber)
        np.clip(self._llr, -MOST_SURE, MOST_SURE, out=self._llr)
        self._received[here] |= came

    def symbols(self) -> np.ndarray:
        """The likelier level of each symbol (S,) int64, -1 where bits are missing."""
        bits = np.where(self._received, self._llr < 0, -1).astype(np.int8)
        return bits_to_symbols(bits, self._model.bits_per_symbol)

    def ber(self) -> float:
        """The bit error rate that is left: the mean probability that a received bit's decision is wrong.

        Of a single frame, that is its own.
        """
        doubt = np.exp(-np.abs(self._llr[self._received]))
        return float(np.mean(doubt / (1 + doubt)))
