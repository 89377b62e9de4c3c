"""Bits that were received several times, each copy weighted by the reliability of its link."""

from collections.abc import Sequence
from functools import lru_cache
from math import comb, exp, log

import numpy as np

from wire import bch

BLOCK_BITS = 8 * bch.BLOCK_BYTES
# Bit error rates between which a copy is weighted. Radios flip bits in bursts, so no damaged copy is trusted more; one
# that is worse says hardly anything.
MIN_COPY_BER, MAX_COPY_BER = 0.02, 0.3
# Of packets this short, the estimates are drawn half-way to the mean of all copies.
PRIOR_BITS = 64
# Two copies do not say which is the better one. Where the radio measured SNR, the bit error rates differ by this factor
# per dB, at most by that of 3 dB: LoRa's differ by 2.5 to 6 (channel_sim).
NEPERS_PER_DB, MAX_NEPERS = 1.0, 3.0
_TILTS = np.geomspace(0.05, 20, 32)  # of the Chernoff bound, in units of the mean reliability


def flips(first: bytes, second: bytes) -> int:
    """Return the number of bits in which two packets of equal length differ."""
    return (int.from_bytes(first, "big") ^ int.from_bytes(second, "big")).bit_count()


def copy_bers(packets: Sequence[bytes], snrs: Sequence[float | None]) -> list[float]:
    """Return the bit error rate of each copy of a packet, as the differences between the copies show it.

    Copies i and j over independent links differ in a share d of their bits with 1 - 2 d = (1 - 2 p_i) (1 - 2 p_j). In
    logarithms, that is a sum of one unknown number per copy, which three copies or more determine (least squares). Of
    two copies, the SNR in dB divides the sum; without it, both have the same share.
    """
    count, bits = len(packets), 8 * len(packets[0])
    if count == 1:
        return [MIN_COPY_BER]
    sums = np.zeros((count, count))
    for i in range(count):
        for j in range(i):
            share = (flips(packets[i], packets[j]) + 0.5) / (bits + 1)
            sums[i, j] = sums[j, i] = -log(max(1 - 2 * share, 1e-3))
    total = sums.sum() / 2 / (count - 1)
    if count > 2:
        own = (sums.sum(axis=1) - total) / (count - 2)
        own = (bits * own + PRIOR_BITS * total / count) / (bits + PRIOR_BITS)
    else:
        own = total * _shares(snrs)
    return [min(MAX_COPY_BER, max(MIN_COPY_BER, (1 - exp(-max(0.0, one))) / 2)) for one in own.tolist()]


def _shares(snrs: Sequence[float | None]) -> np.ndarray:
    """Return the shares (2,) of two copies in their common damage."""
    first, second = snrs
    if first is None or second is None:
        return np.full(2, 0.5)
    ratio = exp(max(-MAX_NEPERS, min(MAX_NEPERS, NEPERS_PER_DB * (second - first))))
    return np.array([ratio, 1.0]) / (1 + ratio)


class SoftBlock:
    """The 64 bits of a block by several copies, each bit with its log-likelihood ratio log P(0) / P(1).

    The cost of a codeword is by how much it is less likely than the likeliest bits, in natural logarithms: the sum of
    the ratios of the bits in which it differs from these.
    """

    def __init__(self, blocks: Sequence[bytes], bers: Sequence[float]) -> None:
        self._copies = [np.uint64(int.from_bytes(block, "big")) for block in blocks]
        self._weights = [log((1 - ber) / ber) for ber in bers]
        rows = np.unpackbits(np.frombuffer(b"".join(blocks), np.uint8)).reshape(len(blocks), -1)
        self.ratios = np.array(self._weights) @ (1.0 - 2.0 * rows)  # (64,)
        self.reliabilities = np.abs(self.ratios)
        self.hard = np.packbits(self.ratios < 0).tobytes()  # the likelier bits
        self._least = self._distance(np.frombuffer(self.hard, ">u8").astype(np.uint64))[0]

    def costs(self, codewords: np.ndarray) -> np.ndarray:
        """Return the cost (K,) of each codeword (K,) uint64."""
        return self._distance(codewords) - self._least

    def _distance(self, codewords: np.ndarray) -> np.ndarray:
        total = np.zeros(len(codewords))
        for copy, weight in zip(self._copies, self._weights, strict=True):
            total += weight * bch.weights(codewords ^ copy)
        return total

    def limit(self, candidates: int, rate: float) -> float:
        """Return the cost that the cheapest of so many codewords has at most at this rate, if the bits mean nothing.

        For bits that are random given their reliabilities r, P(cost <= t) <= exp(s t) prod (1 + exp(-s r)) / 2 for
        every s > 0 (Chernoff). Negative if no cost is small enough.
        """
        mean = float(self.reliabilities.mean())
        if not mean:
            return -1.0
        tilts = _TILTS / mean
        logs = np.log1p(np.exp(-tilts[:, None] * self.reliabilities)).sum(axis=1) - len(self.reliabilities) * log(2)
        return float(((log(rate / max(1, candidates)) - logs) / tilts).max())


@lru_cache(maxsize=64)
def least_agreements(ber_percent: int, rate: float) -> np.ndarray:
    """Return in how many bits (65,) a copy must agree with one block, by the number of those in which another differs.

    A copy of the other one agrees with the first in so many at most at this rate, at a bit error rate in percent.
    """
    return np.array([_least_agreement(distance, ber_percent / 100, rate) for distance in range(BLOCK_BITS + 1)])


def _least_agreement(distance: int, ber: float, rate: float) -> int:
    tail = 0.0
    for agreed in range(distance, -1, -1):
        tail += comb(distance, agreed) * ber**agreed * (1 - ber) ** (distance - agreed)
        if tail > rate:
            return agreed + 1
    return 0
