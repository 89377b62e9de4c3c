"""How many bits the link flips, from the bits that the receiver knows for sure and from what its radio measures."""

from collections import deque
from functools import lru_cache
from math import comb, exp, isfinite, log1p

import numpy as np

from host.receive.events import FeatureFrame
from host.receive.headers import HEADER_BITS, SYNC_BITS
from wire.frame import CRC16_BYTES

LEAST, MOST = 1e-4, 0.5
# The prior is Beta(PRIOR_FLIPS, PRIOR_BITS - PRIOR_FLIPS): mean 1e-2, worth a fifth of what one frame tells.
PRIOR_FLIPS, PRIOR_BITS = 0.2, 20.0
FORGET = 0.95
# In natural logarithms: a steady link surprises once in about a thousand frames.
SURPRISE = 6.0
# With a radio's SNR (or RSSI): a past frame counts by how alike its reading was, in dB, which is about a reading's own
# error, and fades slowly, since what may drift is only the relation of reading to bit error rate.
ALIKE_DB, FORGET_ALIKE, REMEMBERED = 1.0, 0.99, 100
# The bit error rates that are weighed against each other: in steps of 5 %, a half of what any evidence resolves.
RATES = np.geomspace(1e-6, MOST, 256)
_LOG, _LOG_NOT = np.log(RATES), np.log1p(-RATES)
# As a density over log p, which the rates are evenly spread over: one power of p more than over p.
_PRIOR = PRIOR_FLIPS * _LOG + (PRIOR_BITS - PRIOR_FLIPS - 1) * _LOG_NOT
# What damage a CRC-16 lets pass.
CHANCE = 2.0**-16


def log_likelihood(frame: FeatureFrame) -> np.ndarray:
    """What one frame says of each of RATES, (R,): the logarithm of the probability of what was seen of it.

    - k of the n bits of sync and header flipped: k log p + (n - k) log(1 - p).
    - The CRC-16 over N bits, if it came: none of them flipped, (1 - p)^N, when it is right, or one in 65536 of the
      other cases; else at least one, 1 - (1 - p)^N.
    - Frames with more flips than the receiver bears never arrive, so that the flips in those that do are too few:
      minus the logarithm of the probability of having passed its tests (a truncated binomial).
    """
    bits, flips = HEADER_BITS, frame.header_flips
    if frame.sync_flips is not None:
        bits, flips = bits + SYNC_BITS, flips + frame.sync_flips
    said = flips * _LOG + (bits - flips) * _LOG_NOT
    if frame.whole:
        said = said + _crc_said(_guarded_bits(frame), frame.crc_ok)
    for test in frame.match.passed:
        said = said - _passed(*test)
    return said


class BerEstimator:
    """Bit error rate of one device's link: the posterior mean over RATES, with forgetting.

    Each frame adds its `log_likelihood` to a Beta prior, cut to RATES (Gelman et al., Bayesian Data Analysis, 3rd
    edition, section 2.4); before that, all earlier evidence is multiplied by `forget` (a power prior: Ibrahim & Chen,
    Statistical Science 15, 2000): 0.95 follows a drifting link within about twenty frames. A frame that is too
    unlikely under the estimate ends an era: the past is dropped (a generalised likelihood ratio test for a change;
    Basseville & Nikiforov, Detection of Abrupt Changes, section 2.4.3).

    When the radio measured the frame's SNR (or, without that, its RSSI), the past is weighed by likeness instead: the
    frames that came at a similar SNR tell most, each with weight exp(-d^2 / 2) for d in units of ALIKE_DB (local
    likelihood: Tibshirani & Hastie, JASA 82, 1987). So nothing has to be known of the radio or its modulation.

    The estimate lies within [1e-4, 0.5].
    """

    def __init__(self, forget: float = FORGET) -> None:
        self._forget = forget
        self._steady = np.zeros_like(RATES)
        self._measured: deque[tuple[float, np.ndarray]] = deque(maxlen=REMEMBERED)
        self.estimate = _mean(_PRIOR)

    def update(self, frame: FeatureFrame) -> float:
        """Take a frame's evidence in; the link's bit error rate as far as this frame is concerned."""
        new = log_likelihood(frame)
        readings = [reading for reading in (frame.snr_db, frame.rssi_dbm) if reading is not None and isfinite(reading)]
        reading = readings[0] if readings else None
        past = self._forget * self._steady if reading is None else self._alike(reading)
        if new.max() - np.interp(np.log(_mean(past + _PRIOR)), _LOG, new) > SURPRISE:
            past = np.zeros_like(RATES)
            self._measured.clear()
        self.estimate = _mean(past + new + _PRIOR)
        if reading is None:
            self._steady = past + new
        else:
            self._measured.append((reading, new))
        return self.estimate

    def _alike(self, reading: float) -> np.ndarray:
        if not self._measured:
            return np.zeros_like(RATES)
        readings = np.array([before for before, _ in self._measured])
        ages = np.arange(len(readings))[::-1]
        weights = np.exp(-0.5 * ((readings - reading) / ALIKE_DB) ** 2) * FORGET_ALIKE**ages
        return weights @ np.array([said for _, said in self._measured])


def payload_ber(frame: FeatureFrame, link_ber: float) -> float:
    """The bit error rate to expect in this frame's payload, on a link of `link_ber`: what its decoder is told.

    With c = (1 - p)^N for the N bits under the CRC-16: under a wrong one p / (1 - c), as one flip is certain; under a
    right one 2^-16 p / (c + 2^-16 (1 - c)), next to nothing unless so many bits can hardly have come unharmed.
    """
    if not frame.whole:
        return link_ber
    clean = exp(_guarded_bits(frame) * log1p(-link_ber))
    if frame.crc_ok:
        return max(LEAST, CHANCE * link_ber / (clean + CHANCE * (1 - clean)))
    return min(MOST, link_ber / (1 - clean))


def _guarded_bits(frame: FeatureFrame) -> int:
    return 8 * (frame.layout.payload_bytes + CRC16_BYTES)


def _mean(log_posterior: np.ndarray) -> float:
    """Mean of a density over log RATES, known up to a factor, within [LEAST, MOST]."""
    weights = np.exp(log_posterior - log_posterior.max())
    return float(min(MOST, max(LEAST, weights @ RATES / weights.sum())))


@lru_cache(maxsize=256)
def _crc_said(bits: int, right: bool) -> np.ndarray:
    """log P(a CRC-16 over so many bits is right, or wrong) at each of RATES."""
    flipped = -np.expm1(bits * _LOG_NOT)
    return np.logaddexp(bits * _LOG_NOT, np.log(CHANCE * flipped)) if right else np.log(flipped)


@lru_cache(maxsize=256)
def _passed(bits: int, most: int) -> np.ndarray:
    """log P(at most `most` of `bits` bits flipped) at each of RATES."""
    return np.log(sum(float(comb(bits, k)) * np.exp(k * _LOG + (bits - k) * _LOG_NOT) for k in range(most + 1)))
