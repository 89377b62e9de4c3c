"""Burst errors: a link that alternates between a good and a bad state, each with its own bit error rate."""

from collections.abc import Callable

import numpy as np

from channel_sim.channels.channel import Channel, ChannelError


class GilbertElliott(Channel):
    """Two-state Markov channel (Gilbert 1960, Elliott 1963, both Bell System Technical Journal).

    Before each bit the state changes with probability p_good_to_bad or p_bad_to_good (sum at most 1, so that a
    state tends to last); then the bit flips with the rate of the state. Bursts last 1 / p_bad_to_good bits on average.
    Each parameter is a number, or an array (n,) with one value per frame of `flips`. Every frame starts in the
    stationary distribution; a `line` keeps its state. Raises ChannelError if a value is out of range.
    """

    def __init__(
        self,
        p_good_to_bad: float | np.ndarray,
        p_bad_to_good: float | np.ndarray,
        ber_good: float | np.ndarray = 0.0,
        ber_bad: float | np.ndarray = 0.5,
    ) -> None:
        numbers = [np.asarray(v, np.float64) for v in (p_good_to_bad, p_bad_to_good, ber_good, ber_bad)]
        self.p_good_to_bad, self.p_bad_to_good, self.ber_good, self.ber_bad = numbers
        if any(v.ndim > 1 for v in numbers):
            raise ChannelError("a parameter of the Gilbert-Elliott channel is one number, or one per frame")
        total = self.p_good_to_bad + self.p_bad_to_good
        if not np.all((self.p_good_to_bad >= 0) & (self.p_bad_to_good >= 0) & (total > 0) & (total <= 1)):
            raise ChannelError("transition probabilities lie between 0 and 1, their sum above 0 and at most 1")
        if not all(np.all((v >= 0) & (v <= 0.5)) for v in (self.ber_good, self.ber_bad)):
            raise ChannelError("a bit error rate lies between 0 and 0.5")

    @classmethod
    def bursts(cls, ber: float | np.ndarray, burst_bits: float = 16.0, ber_bad: float = 0.5) -> "GilbertElliott":
        """Return the channel of mean rate `ber` with an error-free good state and a mean burst length of `burst_bits`.

        Where `ber` is so close to `ber_bad` that good states would be shorter than a bit, bursts are longer.
        Raises ChannelError if it is above.
        """
        share = np.asarray(ber, np.float64) / ber_bad
        if not burst_bits >= 1 or not np.all((share >= 0) & (share <= 1)):
            raise ChannelError(f"bursts have at least 1 bit, and a mean BER from 0 to that within a burst, {ber_bad:g}")
        slowness = np.maximum(burst_bits * (1 - share), 1)
        return cls(share / slowness, (1 - share) / slowness, 0.0, ber_bad)

    @property
    def bad_share(self) -> np.ndarray:
        """Fraction of time in the bad state."""
        return self.p_good_to_bad / (self.p_good_to_bad + self.p_bad_to_good)

    @property
    def mean_ber(self) -> np.ndarray:
        """Long-term bit error rate."""
        return self.ber_good + self.bad_share * (self.ber_bad - self.ber_good)

    def flips(self, n: int, bits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See Channel.flips."""
        bad = rng.random(n) < self.bad_share
        mask, _ = self._run(bad, n, bits, rng)
        return mask, np.zeros(n, bool)

    def line(self, rng: np.random.Generator) -> Callable[[bytes], bytes]:
        """See Channel.line."""
        bad = rng.random(1) < self.bad_share

        def feed(piece: bytes) -> bytes:
            nonlocal bad
            mask, bad = self._run(bad, 1, 8 * len(piece), rng)
            return (np.frombuffer(piece, np.uint8) ^ np.packbits(mask[0])).tobytes()

        return feed

    def _run(self, bad: np.ndarray, n: int, bits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Continue from the states (n,): return the mask (n, bits) and the states after it."""
        change, flip = np.moveaxis(rng.random((n, bits, 2)), 2, 0)  # two numbers per bit, however the stream is cut
        # One number decides the transition from either state: a low one to bad, a high one to good, others none. So the
        # state at a bit is the one that the last forcing number before it set, or else the initial one.
        to_bad = change < _column(self.p_good_to_bad, n)
        forced = to_bad | (change >= 1 - _column(self.p_bad_to_good, n))
        states = np.concatenate([bad[:, None], to_bad], 1)  # (n, 1 + bits)
        origin = np.where(forced, np.arange(1, bits + 1), 0)
        origin = np.concatenate([np.zeros((n, 1), np.int64), np.maximum.accumulate(origin, 1)], 1)
        states = np.take_along_axis(states, origin, 1)
        rate = np.where(states[:, 1:], _column(self.ber_bad, n), _column(self.ber_good, n))
        return flip < rate, states[:, -1]


def _column(value: np.ndarray, n: int) -> np.ndarray:
    return np.broadcast_to(value, (n,))[:, None]
