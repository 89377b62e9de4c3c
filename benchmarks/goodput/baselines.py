"""What Inkling is compared with: the same features behind a CRC or Reed-Solomon, and compressed pictures.

Features that arrive intact are classified as if the link were clean, so what a link did to a frame decides. What a
CRC says depends on which bits were flipped and not on what was sent: all send zeros. A damaged frame that a CRC lets
pass, one in 65,536 of the damaged ones, counts as intact, in the opponent's favour.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from benchmarks.goodput.links import LARGEST_PACKET, Link
from wire.frame import CRC16_BYTES, FeatureLayout

HEADER_BYTES = 3  # device, sequence, model and chunk, without Inkling's code over them


@dataclass(frozen=True)
class Outcome:
    """What came of n pictures: class right (n,) bool, arrived (n,) bool, seconds on the air (n,), further figures."""

    right: np.ndarray
    arrived: np.ndarray
    air_s: np.ndarray
    extra: dict[str, float]


class Scheme(Protocol):
    """One way to get pictures' classes over a link."""

    title: str

    def send(self, medium: Link, value: float, rng: np.random.Generator, each: Callable[[int], None]) -> Outcome:
        """Send all pictures over the medium in the state `value`; `each` is told how many more are done."""


@dataclass(frozen=True)
class Crc:
    """Features behind a CRC: dropped unless clean, and sent again up to `tries` - 1 times.

    Acknowledgements are free, instant and never lost, in this opponent's favour.
    """

    title: str
    payload_bytes: int
    right: np.ndarray  # (n,) bool: class right when intact
    coding_rate: int = 5
    tries: int = 1
    header: bool = True  # LoRa's own; without it, both ends know how long a packet is

    def send(self, medium: Link, value: float, rng: np.random.Generator, each: Callable[[int], None]) -> Outcome:
        """See Scheme.send."""
        link = medium.link(value, self.coding_rate, header=self.header)
        size = HEADER_BYTES + self.payload_bytes
        sent = np.zeros(len(self.right), np.int64)
        arrived = np.zeros(len(self.right), bool)
        for _ in range(self.tries):
            waiting = np.flatnonzero(~arrived)
            if not len(waiting):
                break
            sent[waiting] += 1
            arrived[waiting] = _clean(link.transmit(np.zeros((len(waiting), size), np.uint8), rng))
        each(len(self.right))
        extra = {"frame_bytes": size, "frames_sent": float(sent.mean())}
        return Outcome(self.right & arrived, arrived, sent * link.air_time_s(size), extra)


@dataclass(frozen=True)
class ReedSolomon:
    """Features and their CRC-16 in a shortened Reed-Solomon code over GF(256), as long as the air time allows.

    A bounded-distance decoder corrects up to half as many wrong bytes as there are parity bytes; what it makes of more
    the CRC-16 inside rejects. The link's own CRC is off: it would speak of the frame before correction.
    """

    title: str
    payload_bytes: int
    right: np.ndarray
    like: FeatureLayout  # the Inkling frame whose air time it may take
    header: bool = True  # LoRa's own; without it, both ends know how long a packet is

    def frame_bytes(self, medium: Link) -> int:
        """The largest frame that is on the air no longer than Inkling's."""
        link, limit = medium.link(0.0, crc=False, header=self.header), medium.inkling_air_s(self.like, self.header)
        return max(size for size in range(1, LARGEST_PACKET + 1) if link.air_time_s(size) <= limit + 1e-9)

    def corrects(self, medium: Link) -> int:
        """Wrong bytes that can be put right."""
        return (self.frame_bytes(medium) - HEADER_BYTES - self.payload_bytes - CRC16_BYTES) // 2

    def send(self, medium: Link, value: float, rng: np.random.Generator, each: Callable[[int], None]) -> Outcome:
        """See Scheme.send."""
        link, size = medium.link(value, crc=False, header=self.header), self.frame_bytes(medium)
        received, _, lost = link.transmit(np.zeros((len(self.right), size), np.uint8), rng)
        arrived = ~lost & (np.count_nonzero(received, axis=1) <= self.corrects(medium))
        each(len(self.right))
        extra = {"frame_bytes": size, "corrects": self.corrects(medium)}
        return Outcome(self.right & arrived, arrived, np.full(len(self.right), link.air_time_s(size)), extra)


@dataclass(frozen=True)
class Files:
    """Compressed pictures in as many packets as they need, each behind a CRC; all of a picture's must be clean."""

    title: str
    sizes: np.ndarray  # (n,) bytes of each picture
    right: np.ndarray

    def send(self, medium: Link, value: float, rng: np.random.Generator, each: Callable[[int], None]) -> Outcome:
        """See Scheme.send. Packets of one length are sent together."""
        link, room = medium.link(value), LARGEST_PACKET - HEADER_BYTES
        arrived, air = np.ones(len(self.sizes), bool), np.zeros(len(self.sizes))
        for first in range(0, self.sizes.max(), room):
            carried = np.clip(self.sizes - first, 0, room)
            for length in np.unique(carried[carried > 0]):
                rows = np.flatnonzero(carried == length)
                frames = np.zeros((len(rows), HEADER_BYTES + length), np.uint8)
                arrived[rows] &= _clean(link.transmit(frames, rng))
                air[rows] += link.air_time_s(HEADER_BYTES + int(length))
        each(len(self.sizes))
        extra = {"bytes_mean": float(self.sizes.mean()), "packets_mean": float((-(-self.sizes // room)).mean())}
        return Outcome(self.right & arrived, arrived, air, extra)


def _clean(transmitted: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    _, crc_ok, lost = transmitted
    return crc_ok & ~lost
