"""Interface of every channel model: `flips` for training, `corrupt` for frames, `line` for a byte stream."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from wire.errors import InklingError


class ChannelError(InklingError, ValueError):
    """Channel settings are out of range, or the channel cannot carry the given data."""


class Channel(ABC):
    """A link that flips bits or loses frames. Its only source of randomness is the generator passed to it.

    `by_byte`: `corrupt` treats bytes independently and draws the same number of random numbers per byte, so that a
    stream can be cut anywhere: its pieces, corrupted one after the other, equal the corrupted whole.
    `own_sync`: a radio that finds and delimits packets itself, so that serial frames are sent without their sync word.
    """

    by_byte: bool = False
    own_sync: bool = False

    @abstractmethod
    def flips(self, n: int, bits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw the damage of n frames of `bits` bits: mask (n, bits) bool, True = flipped; lost (n,) bool."""

    def corrupt(self, frame: bytes, rng: np.random.Generator) -> bytes | None:
        """Send one frame through the channel. Return None if nothing of it arrives."""
        mask, lost = self.flips(1, 8 * len(frame), rng)
        if lost[0]:
            return None
        return (np.frombuffer(frame, np.uint8) ^ np.packbits(mask[0])).tobytes()

    def line(self, rng: np.random.Generator) -> Callable[[bytes], bytes]:
        """Return a function that corrupts a byte stream piece by piece.

        It keeps state: a burst or fade that begins in one piece continues in the next, and the same bytes get the same
        damage however they are cut. It owns `rng` from now on. Raises ChannelError if the channel needs whole frames.
        """
        if not self.by_byte:
            raise ChannelError(f"{type(self).__name__} needs whole frames, not a byte stream")
        return lambda piece: self.corrupt(piece, rng) or b""

    def stages(self) -> Sequence["Channel"]:
        """Return the simple channels that this one consists of, in the order in which a byte passes them."""
        return (self,)


class Compose(Channel):
    """Channels in series: flips add up modulo 2, and a frame lost in one is lost."""

    def __init__(self, *channels: Channel) -> None:
        self._stages = tuple(stage for channel in channels for stage in channel.stages())
        self.own_sync = any(stage.own_sync for stage in self._stages)

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

    def line(self, rng: np.random.Generator) -> Callable[[bytes], bytes]:
        """See Channel.line."""
        # One generator per stage: with a shared one, the order of the draws would depend on how the stream is cut.
        generators = rng.spawn(len(self._stages))
        lines = [stage.line(own) for stage, own in zip(self._stages, generators, strict=True)]

        def feed(piece: bytes) -> bytes:
            for line in lines:
                piece = line(piece)
            return piece

        return feed

    def stages(self) -> Sequence[Channel]:
        """See Channel.stages."""
        return self._stages
