"""Estimation of a link's bit error rate from known bits, CRCs and the radio's signal measurements."""

import base64
from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import comb, exp, isfinite, log1p
from typing import Any, NamedTuple

import numpy as np

from host.receive.events import AnswerFrame, FeatureFrame
from host.receive.matching import HEADER_BITS, SYNC_BITS
from wire.frame import CRC16_BYTES
from wire.model import MAX_BER, MIN_BER
from wire.secure.frames import PAYLOAD_TAG_BYTES
from wire.secure.limits import TAG_BITS

# The prior is Beta(PRIOR_FLIPS, PRIOR_BITS - PRIOR_FLIPS): mean 1e-2, a fifth of the weight of one frame.
PRIOR_FLIPS, PRIOR_BITS = 0.2, 20.0
FORGETTING = 0.95
# In natural logarithms. On a steady link, about one frame in a thousand exceeds it.
SURPRISE = 6.0
# With SNR or RSSI readings, a past frame is weighted by the difference of its reading, on a scale of 1 dB, which is
# about the error of a reading. It is forgotten slowly, since only the relation of reading to bit error rate can drift.
READING_SCALE_DB, READING_FORGETTING, MAX_READINGS = 1.0, 0.99, 100
_AGED = READING_FORGETTING ** np.arange(MAX_READINGS)[::-1]
# The bit error rates that are compared, in steps of 5 %: half of the difference that any evidence can resolve.
BERS = np.geomspace(1e-6, MAX_BER, 256)
_LOG, _LOG_NOT = np.log(BERS), np.log1p(-BERS)
# As a density over log p, over which BERS are evenly spaced: one power of p more than over p.
_PRIOR = PRIOR_FLIPS * _LOG + (PRIOR_BITS - PRIOR_FLIPS - 1) * _LOG_NOT


def log_likelihood(frame: FeatureFrame | AnswerFrame) -> np.ndarray:
    """Return the log-likelihood (R,) of each of BERS, given one frame.

    - k of the n bits of sync and header, or of sync and answer, flipped: k log p + (n - k) log(1 - p). Those of a
      header tag count, too.
    - A correct CRC-16 over N bits: none of them flipped, (1 - p)^N, or damage that it missed, one in 65536. A wrong
      CRC-16: at least one flipped, 1 - (1 - p)^N. The same for a payload tag, which misses one in 2^32.
    - Badly damaged frames are never received, which biases the flip count low: subtract the log-probability of passing
      the receiver's tests (a truncated binomial).
    """
    return _log_likelihood(*evidence_of(frame))


class Evidence(NamedTuple):
    """What a frame says about the bit error rate of its link."""

    bits: int  # known ones
    flips: int  # of these
    crc: tuple[int, float, bool] | None  # bits that it protects, share of damage that it misses, correct; or no CRC
    passed: tuple[tuple[int, int], ...]  # tests: number of bits, flips allowed in them

    @classmethod
    def of_json(cls, values: Sequence[Any]) -> "Evidence":
        """Return evidence from JSON. Raises ValueError or TypeError if it is none."""
        bits, flips, crc, passed = values
        checked = None if crc is None else (int(crc[0]), float(crc[1]), bool(crc[2]))
        return cls(int(bits), int(flips), checked, tuple((int(count), int(most)) for count, most in passed))


def evidence_of(frame: FeatureFrame | AnswerFrame) -> Evidence:
    """Return what a frame says about its link."""
    bits, flips = HEADER_BITS, frame.header_flips
    if frame.sync_flips is not None:
        bits, flips = bits + SYNC_BITS, flips + frame.sync_flips
    if frame.match.proof:
        bits, flips = bits + TAG_BITS, flips + frame.match.proof.tag_flips
    crc = (*_checked(frame), frame.crc_ok) if isinstance(frame, FeatureFrame) and frame.whole else None
    return Evidence(bits, flips, crc, frame.match.passed)


class BerEstimator:
    """Estimator of the bit error rate of one device's link: the posterior mean over BERS, with forgetting.

    Each frame adds its `log_likelihood` to a Beta prior, truncated to BERS (Gelman et al., Bayesian Data Analysis, 3rd
    edition, section 2.4). Before that, all earlier evidence is multiplied by `forgetting` (a power prior: Ibrahim &
    Chen, Statistical Science 15, 2000): 0.95 follows a drifting link within about twenty frames. If a frame is too
    unlikely under the estimate, the past is dropped (a generalised likelihood ratio test for a change; Basseville &
    Nikiforov, Detection of Abrupt Changes, section 2.4.3).

    If the radio measured the frame's SNR (or else its RSSI), the past is weighted by similarity instead: a frame whose
    reading differs by d, in units of READING_SCALE_DB, has the weight exp(-d^2 / 2) (local likelihood: Tibshirani &
    Hastie, JASA 82, 1987). This needs no knowledge of the radio or its modulation.

    The estimate is within [MIN_BER, MAX_BER].
    """

    def __init__(self, forgetting: float = FORGETTING) -> None:
        self._forgetting = forgetting
        self._steady = np.zeros_like(BERS)
        # Readings and likelihoods in the order of arrival. Of these rows, `_past` are in use: the latest MAX_READINGS.
        self._readings = np.empty(2 * MAX_READINGS)
        self._likelihoods = np.empty((2 * MAX_READINGS, len(BERS)))
        self._past = slice(0, 0)
        self._evidence: deque[tuple[float, Evidence]] = deque(maxlen=MAX_READINGS)  # of `_past`
        self.estimate = _mean(_PRIOR)

    def update(self, frame: FeatureFrame | AnswerFrame) -> float:
        """Add a frame's evidence, and return the link's bit error rate at this frame."""
        evidence = evidence_of(frame)
        new = _log_likelihood(*evidence)
        readings = [reading for reading in (frame.snr_db, frame.rssi_dbm) if reading is not None and isfinite(reading)]
        reading = readings[0] if readings else None
        past = self._forgetting * self._steady if reading is None else self._similar_past(reading)
        if new.max() - np.interp(np.log(_mean(past + _PRIOR)), _LOG, new) > SURPRISE:
            past = np.zeros_like(BERS)
            self._past = slice(0, 0)
            self._evidence.clear()
        self.estimate = _mean(past + new + _PRIOR)
        if reading is None:
            self._steady = past + new
        else:
            self._remember(reading, new)
            self._evidence.append((reading, evidence))
        return self.estimate

    def as_json(self) -> dict[str, Any]:
        """Return what has to be remembered, as JSON."""
        steady = base64.b64encode(self._steady.astype(np.float32).tobytes()).decode()
        return {"estimate": self.estimate, "steady": steady, "readings": list(self._evidence)}

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> "BerEstimator":
        """Return an estimator that goes on with what another one remembers. Raises ValueError or TypeError."""
        estimator = cls()
        steady = np.frombuffer(base64.b64decode(values["steady"]), np.float32)
        if len(steady) != len(BERS) or not np.isfinite(steady).all():
            raise ValueError("no log-likelihoods")
        estimator.estimate, estimator._steady = float(values["estimate"]), steady.astype(np.float64)
        for reading, evidence in values["readings"]:
            found = Evidence.of_json(evidence)
            estimator._remember(float(reading), _log_likelihood(*found))
            estimator._evidence.append((float(reading), found))
        return estimator

    def _similar_past(self, reading: float) -> np.ndarray:
        readings = self._readings[self._past]
        weights = np.exp(-0.5 * ((readings - reading) / READING_SCALE_DB) ** 2) * _AGED[MAX_READINGS - len(readings) :]
        return weights @ self._likelihoods[self._past]

    def _remember(self, reading: float, likelihood: np.ndarray) -> None:
        first, end = max(self._past.start, self._past.stop + 1 - MAX_READINGS), self._past.stop
        if end == len(self._readings):
            for rows in (self._readings, self._likelihoods):
                rows[: end - first] = rows[first:end]
            first, end = 0, end - first
        self._readings[end], self._likelihoods[end] = reading, likelihood
        self._past = slice(first, end + 1)


def payload_ber(frame: FeatureFrame | AnswerFrame, link_ber: float) -> float:
    """Return the bit error rate to expect in this frame's payload on a link of `link_ber`, as input of the decoder.

    With c = (1 - p)^N for the N bits under the CRC-16: if it is wrong, p / (1 - c), as at least one bit is flipped; if
    it is correct, 2^-16 p / (c + 2^-16 (1 - c)), close to 0 unless so many bits are unlikely to arrive undamaged. A
    payload tag has 2^-32. An answer frame has no CRC: its bits have the rate of the link.
    """
    if isinstance(frame, AnswerFrame) or not frame.whole:
        return link_ber
    bits, miss = _checked(frame)
    clean = exp(bits * log1p(-link_ber))
    if frame.crc_ok:
        return max(MIN_BER, miss * link_ber / (clean + miss * (1 - clean)))
    return min(MAX_BER, link_ber / (1 - clean))


def _checked(frame: FeatureFrame) -> tuple[int, float]:
    """Return the number of bits that the CRC-16 or payload tag protects, its own included, without the header.

    And the probability that it misses damage.
    """
    check_bytes = PAYLOAD_TAG_BYTES if frame.match.proof else CRC16_BYTES
    return 8 * (frame.layout.payload_bytes + check_bytes), 2.0 ** (-8 * check_bytes)


def _mean(log_posterior: np.ndarray) -> float:
    """Return the mean of a density over log BERS, known up to a factor, within [MIN_BER, MAX_BER]."""
    weights = np.exp(log_posterior - log_posterior.max())
    return float(min(MAX_BER, max(MIN_BER, weights @ BERS / weights.sum())))


@lru_cache(maxsize=1024)
def _log_likelihood(
    bits: int, flips: int, crc: tuple[int, float, bool] | None, passed: tuple[tuple[int, int], ...]
) -> np.ndarray:
    """Return what `log_likelihood` does. crc: as for `_crc_log_likelihood`; None without a CRC."""
    likelihood = flips * _LOG + (bits - flips) * _LOG_NOT
    if crc is not None:
        likelihood = likelihood + _crc_log_likelihood(*crc)
    for test in passed:
        likelihood = likelihood - _pass_log_probability(*test)
    likelihood.setflags(write=False)
    return likelihood


def _crc_log_likelihood(bits: int, miss: float, correct: bool) -> np.ndarray:
    """Return log P(a CRC over so many bits is correct, or wrong) at each of BERS. miss: the share of damage missed."""
    flipped = -np.expm1(bits * _LOG_NOT)
    return np.logaddexp(bits * _LOG_NOT, np.log(miss * flipped)) if correct else np.log(flipped)


@lru_cache(maxsize=256)
def _pass_log_probability(bits: int, most: int) -> np.ndarray:
    """Return log P(at most `most` of `bits` bits flipped) at each of BERS."""
    return np.log(sum(float(comb(bits, k)) * np.exp(k * _LOG + (bits - k) * _LOG_NOT) for k in range(most + 1)))
