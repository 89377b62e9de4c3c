"""The binary symmetric channel: every bit is flipped alone, with the same probability."""

import numpy as np

from channel_sim.channels.channel import Channel, ChannelError

BER_GRID = (0.0, 1e-3, 3e-3, 1e-2, 3e-2, 5e-2, 1e-1)  # at which accuracy is measured and reported


class BitFlips(Channel):
    """Binary symmetric channel (Cover & Thomas, Elements of Information Theory, section 7.1.4).

    `ber` is the flip probability, 0 to 0.5: one number, or an array (n,) with one for each frame of `flips`.
    Raises ValueError when a probability is outside.
    """

    by_byte = True

    def __init__(self, ber: float | np.ndarray) -> None:
        self.ber = np.asarray(ber, np.float64)
        if self.ber.ndim > 1 or not np.all((self.ber >= 0) & (self.ber <= 0.5)):
            raise ChannelError("a bit error rate lies between 0 and 0.5, one for all frames or one for each")

    def flips(self, n: int, bits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw n masks. Rate 0 draws its numbers too, so that rates can be compared on the same seed."""
        rate = np.broadcast_to(self.ber, (n,))[:, None]  # (n, 1)
        return rng.random((n, bits)) < rate, np.zeros(n, bool)
