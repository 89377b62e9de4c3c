"""Binary symmetric channel: independent bit flips of equal probability."""

import numpy as np

from channel_sim.channels.channel import Channel, ChannelError

BER_GRID = (0.0, 1e-3, 3e-3, 1e-2, 3e-2, 5e-2, 1e-1)  # bit error rates at which accuracy is reported


class BitFlips(Channel):
    """Binary symmetric channel (Cover & Thomas, Elements of Information Theory, section 7.1.4).

    `ber` is the flip probability, 0 to 0.5: a number, or an array (n,) with one value per frame of `flips`.
    Raises ChannelError if a value is out of range.
    """

    by_byte = True

    def __init__(self, ber: float | np.ndarray) -> None:
        self.ber = np.asarray(ber, np.float64)
        if self.ber.ndim > 1 or not np.all((self.ber >= 0) & (self.ber <= 0.5)):
            raise ChannelError("a bit error rate lies between 0 and 0.5: one number, or one per frame")

    def flips(self, n: int, bits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw n masks. A rate of 0 draws random numbers too, so that rates can be compared with the same seed."""
        rate = np.broadcast_to(self.ber, (n,))[:, None]  # (n, 1)
        return rng.random((n, bits)) < rate, np.zeros(n, bool)
