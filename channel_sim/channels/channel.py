"""The one interface of every channel model: `flips` for training, `corrupt` for frames, `line` for a byte stream."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from wire.errors import InklingError


class ChannelError(InklingError, ValueError):
    """A channel that cannot be, or that cannot carry what it is given."""


class Channel(ABC):
    """A link that flips bits or loses frames, driven only by the generator it is handed.

    `by_byte` says that `corrupt` treats each byte alone and draws the same number of random numbers for each,
    so that a stream may be cut anywhere: its pieces, corrupted one after the other, equal the whole.
    `own_sync` says that this is a radio which finds and delimits packets itself: who sends serial frames over it
    takes their sync off before and puts it back after.
    """

    by_byte: bool = False
    own_sync: bool = False

    @abstractmethod
    def flips(self, n: int, bits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """What happens to n frames of `bits` bits: mask (n, bits) bool, True = flipped; lost (n,) bool."""

    def corrupt(self, frame: bytes, rng: np.random.Generator) -> bytes | None:
        """Send one frame through the channel; None when nothing of it arrives."""
        mask, lost = self.flips(1, 8 * len(frame), rng)
        if lost[0]:
            return None
        return (np.frombuffer(frame, np.uint8) ^ np.packbits(mask[0])).tobytes()

    def line(self, rng: np.random.Generator) -> Callable[[bytes], bytes]:
        """A running byte stream: call it with piece after piece for what arrives of each.

        It has a memory: a burst or a fade that began in one piece goes on in the next, and the same bytes give the
        same damage however they are cut. It owns `rng` from now on. ValueError for a channel of whole frames.
        """
        if not self.by_byte:
            raise ChannelError(f"{type(self).__name__} needs whole frames, not a byte stream")
        return lambda piece: self.corrupt(piece, rng) or b""

    def stages(self) -> Sequence["Channel"]:
        """The simple channels that this one consists of, in the order in which a byte meets them."""
        return (self,)


class Compose(Channel):
    """Several channels one after the other: flips add up modulo 2, a frame lost in one is lost."""

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
        # A generator for each stage: with one for all, the order of the draws would depend on the cuts.
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
