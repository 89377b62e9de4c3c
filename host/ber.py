"""How many bits the link flips, from the bits that the receiver knows for sure."""

from math import exp, expm1, log, log1p
from typing import NamedTuple

from host.events import HEADER_BITS, SYNC_BITS, FeatureFrame
from wire.frame import CRC16_BYTES

LEAST, MOST = 1e-4, 0.5
# The prior, Beta(PRIOR_FLIPS, PRIOR_BITS - PRIOR_FLIPS): mean 1e-2, worth a fifth of what one frame tells.
PRIOR_FLIPS, PRIOR_BITS = 0.2, 20.0
FORGET = 0.9
# In natural logarithms: a steady link surprises once in a thousand frames.
SURPRISE = 5.0
HALVINGS = 40


class Evidence(NamedTuple):
    """Bits that are known for sure, flips among them, and wrong CRCs with the number of bits under them."""

    bits: float
    flips: float
    wrong: float
    wrong_bits: float

    @classmethod
    def of(cls, frame: FeatureFrame) -> "Evidence":
        """Sync and header are always known; payload and CRC-16, without a flip, when the CRC-16 is right."""
        flips, guarded = frame.sync_flips + frame.header_flips, 8 * (frame.layout.payload_bytes + CRC16_BYTES)
        if frame.crc_ok:
            return cls(SYNC_BITS + HEADER_BITS + guarded, flips, 0, 0)
        return cls(SYNC_BITS + HEADER_BITS, flips, frame.whole, guarded * frame.whole)

    def after(self, past: "Evidence", forget: float) -> "Evidence":
        """The past, faded, and this."""
        return Evidence(*(forget * old + new for old, new in zip(past, self, strict=True)))

    def log_likelihood(self, p: float) -> float:
        """How well a bit error rate explains this; a wrong CRC over N bits has 1 - (1 - p)^N."""
        known = self.flips * log(p) + (self.bits - self.flips) * log1p(-p)
        if not self.wrong:
            return known
        return known + self.wrong * log(-expm1(self.wrong_bits / self.wrong * log1p(-p)))

    def slope(self, p: float) -> float:
        """The derivative of log_likelihood; it falls with p."""
        known = self.flips / p - (self.bits - self.flips) / (1 - p)
        if not self.wrong:
            return known
        n = self.wrong_bits / self.wrong
        return known + self.wrong * n * exp((n - 1) * log1p(-p)) / -expm1(n * log1p(-p))


NOTHING = Evidence(0, 0, 0, 0)
PRIOR = Evidence(PRIOR_BITS, PRIOR_FLIPS, 0, 0)


def most_likely(evidence: Evidence) -> float:
    """The p in [LEAST, MOST] that explains the evidence and the prior best."""
    both = evidence.after(PRIOR, 1.0)
    low, high = LEAST, MOST
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5
        if both.slope(middle) > 0:
            low = middle
        else:
            high = middle
    return (low * high) ** 0.5


class BerEstimator:
    """Bit error rate of one device's link: Beta-Bernoulli with forgetting, and the CRC as a witness.

    With k flips among n bits that are known for sure, and a wrong CRC-16 over N bits here and there (which
    says only that at least one of them flipped), the estimate maximises over p

        (a + k) log p + (b + n - k) log(1 - p) + sum over wrong CRCs of log(1 - (1 - p)^N).

    Without wrong CRCs that is (a + k) / (a + b + n), the posterior's mean under the conjugate Beta(a, b)
    (Gelman et al., Bayesian Data Analysis, 3rd edition, section 2.4). At each frame all earlier evidence is
    multiplied by `forget`: 0.9 follows a drifting link within about ten frames. A frame that is too unlikely
    under the estimate ends an era: the past is dropped (a generalised likelihood ratio test for a change;
    Basseville & Nikiforov, Detection of Abrupt Changes, section 2.4.3).

    Bias: frames with more flips in sync or header than the receiver bears never arrive, and flips among those
    that do are therefore too few, by about 5 % at a rate of 1e-1. The estimate lies within [1e-4, 0.5].
    """

    def __init__(self, forget: float = FORGET) -> None:
        self._forget = forget
        self._evidence = NOTHING
        self.estimate = most_likely(NOTHING)

    def update(self, frame: FeatureFrame) -> float:
        """Take a frame's evidence in; the estimate that holds for this frame."""
        new = Evidence.of(frame)
        gain = new.log_likelihood(most_likely(new)) - new.log_likelihood(self.estimate)
        self._evidence = new if gain > SURPRISE else new.after(self._evidence, self._forget)
        self.estimate = most_likely(self._evidence)
        return self.estimate
