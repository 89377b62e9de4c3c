"""Bursts: a link that changes between a good and a bad state, each with a bit error rate of its own."""

from collections.abc import Callable

import numpy as np

from channel_sim.channels.channel import Channel, ChannelError


class GilbertElliott(Channel):
    """Two-state Markov channel (Gilbert 1960, Elliott 1963, both Bell System Technical Journal).

    Before each bit the state changes with probability p_good_to_bad or p_bad_to_good (sum at most 1, so that a
    state tends to last); then the bit flips with the state's rate. Bursts last 1 / p_bad_to_good bits on average.
    Each is one number, or an array (n,) with one for each frame of `flips`. Every frame starts in the stationary
    state; a `line` goes on in its own. ValueError when a number is out of range.
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
            raise ChannelError("a number of the Gilbert-Elliott channel is one for all frames or one for each")
        total = self.p_good_to_bad + self.p_bad_to_good
        if not np.all((self.p_good_to_bad >= 0) & (self.p_bad_to_good >= 0) & (total > 0) & (total <= 1)):
            raise ChannelError("chances of a change lie between 0 and 1, their sum above 0 and at most 1")
        if not all(np.all((v >= 0) & (v <= 0.5)) for v in (self.ber_good, self.ber_bad)):
            raise ChannelError("a bit error rate lies between 0 and 0.5")

    @classmethod
    def bursts(cls, ber: float | np.ndarray, burst_bits: float = 16.0, ber_bad: float = 0.5) -> "GilbertElliott":
        """The channel of mean rate `ber` whose good state is clean: bursts of `burst_bits` bits on average.

        Where `ber` comes so close to `ber_bad` that good states would be shorter than a bit, bursts are longer.
        ValueError when it is above.
        """
        share = np.asarray(ber, np.float64) / ber_bad
        if not burst_bits >= 1 or not np.all((share >= 0) & (share <= 1)):
            raise ChannelError(f"bursts have 1 bit or more, and a mean BER from 0 to their own, {ber_bad:g}")
        slowness = np.maximum(burst_bits * (1 - share), 1)
        return cls(share / slowness, (1 - share) / slowness, 0.0, ber_bad)

    @property
    def bad_share(self) -> np.ndarray:
        """Part of the time that the channel is bad."""
        return self.p_good_to_bad / (self.p_good_to_bad + self.p_bad_to_good)

    @property
    def mean_ber(self) -> np.ndarray:
        """Bit error rate over a long time."""
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
        """Go on from the states (n,) of before: mask (n, bits) and the states after it."""
        change, flip = np.moveaxis(rng.random((n, bits, 2)), 2, 0)  # two numbers a bit, whatever the cuts
        # One number says where both states would go: low ones to bad, high ones to good, the others stay. So a
        # bit's state is that which the last such number before it forced, or else the one from before.
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
