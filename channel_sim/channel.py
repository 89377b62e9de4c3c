"""The one interface of every channel model: `flips` for training, `corrupt` for real frames."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np


class Channel(ABC):
    """A link that flips bits or loses frames, driven only by the generator it is handed.

    `by_byte` says that `corrupt` treats each byte alone and draws the same number of random numbers for each,
    so that a stream may be cut anywhere: its pieces, corrupted one after the other, equal the whole.
    """

    by_byte: bool = False

    @abstractmethod
    def flips(self, n: int, bits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """What happens to n frames of `bits` bits: mask (n, bits) bool, True = flipped; lost (n,) bool."""

    def corrupt(self, frame: bytes, rng: np.random.Generator) -> bytes | None:
        """Send one frame through the channel; None when nothing of it arrives."""
        mask, lost = self.flips(1, 8 * len(frame), rng)
        if lost[0]:
            return None
        return (np.frombuffer(frame, np.uint8) ^ np.packbits(mask[0])).tobytes()

    def stages(self) -> Sequence["Channel"]:
        """The simple channels that this one consists of, in the order in which a byte meets them."""
        return (self,)


class Compose(Channel):
    """Several channels one after the other: flips add up modulo 2, a frame lost in one is lost."""

    def __init__(self, *channels: Channel) -> None:
        self._stages = tuple(stage for channel in channels for stage in channel.stages())

    def flips(self, n: int, bits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See Channel.flips."""
        mask, lost = np.zeros((n, bits), bool), np.zeros(n, bool)
        for stage in self._stages:
            more, gone = stage.flips(n, bits, rng)
            mask ^= more
            lost |= gone
        return mask, lost

    def corrupt(self, frame: bytes, rng: np.random.Generator) -> bytes | None:
        """See Channel.corrupt."""
        received: bytes | None = frame
        for stage in self._stages:
            if received is None:
                return None
            received = stage.corrupt(received, rng)
        return received

    def stages(self) -> Sequence[Channel]:
        """See Channel.stages."""
        return self._stages
