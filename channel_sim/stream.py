"""A channel over an endless byte stream: the same seed gives the same damage however the stream is cut."""

from dataclasses import dataclass

import numpy as np

from channel_sim.channel import Channel


@dataclass
class Statistics:
    """What went in, what came out, and what happened on the way."""

    bytes_in: int = 0
    bytes_out: int = 0
    bits_flipped: int = 0

    @property
    def bytes_lost(self) -> int:
        """Bytes that the channel swallowed."""
        return self.bytes_in - self.bytes_out

    @property
    def ber(self) -> float:
        """Flipped bits per bit that went in; 0 before the first."""
        return self.bits_flipped / (8 * self.bytes_in) if self.bytes_in else 0.0


class Stream:
    """Corrupts a byte stream piece by piece.

    Every stage of the channel has a generator of its own, spawned from the seed: with one for all, the order
    of the draws would depend on how the stream is cut. ValueError for a channel that needs whole frames.
    """

    def __init__(self, channel: Channel, seed: int) -> None:
        self.statistics = Statistics()
        stages = channel.stages()
        for stage in stages:
            if not stage.by_byte:
                raise ValueError(f"{type(stage).__name__} needs whole frames, not a byte stream")
        generators = np.random.default_rng(seed).spawn(len(stages))
        self._stages = list(zip(stages, generators, strict=True))

    def feed(self, data: bytes) -> bytes:
        """Corrupt the next piece of the stream."""
        self.statistics.bytes_in += len(data)
        for stage, rng in self._stages:
            if not data:
                break
            before, data = data, stage.corrupt(data, rng) or b""
            if len(data) == len(before):
                changed = int.from_bytes(before, "big") ^ int.from_bytes(data, "big")
                self.statistics.bits_flipped += changed.bit_count()
        self.statistics.bytes_out += len(data)
        return data
